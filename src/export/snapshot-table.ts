import type { Run, SnapshotInfo } from "../store/run.js";
import { unitOf } from "./column-units.js";
import type { ExportTable, TableColumn } from "./export-table.js";

/** Returns what the snapshots of a run say beside their weights; logs are columns "log:NAME", NaN where absent. */
export function snapshotTable(run: Pick<Run, "snapshots" | "manifest">, name: string): ExportTable {
  const { snapshots } = run;
  const counts = (["step", "epoch", "iteration"] as const).map((key) =>
    column(
      key,
      Int32Array.from(snapshots, (snapshot) => snapshot[key]),
    ),
  );
  const measures = (["time", "learningRate"] as const).map((key) =>
    column(
      key,
      Float64Array.from(snapshots, (snapshot) => snapshot[key]),
    ),
  );
  const logs = [...new Set(snapshots.flatMap((snapshot) => Object.keys(snapshot.logs)))].map((key) =>
    column(
      `log:${key}`,
      Float64Array.from(snapshots, (snapshot) => logged(snapshot, key)),
    ),
  );
  return {
    kind: "snapshots",
    name,
    source: "snapshots/",
    columns: [...counts, ...measures, ...logs],
    grid: null,
    details: { name: run.manifest.name, createdAt: run.manifest.createdAt },
    provenance: null,
  };
}

function logged({ logs }: SnapshotInfo, key: string): number {
  return Object.hasOwn(logs, key) ? (logs[key] as number) : Number.NaN;
}

function column(name: string, values: Int32Array | Float64Array): TableColumn {
  return { name, unit: unitOf(name), values };
}

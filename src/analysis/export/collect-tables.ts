import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { provenanceDigest } from "../../base/provenance.js";
import type { LandscapeWarning } from "../../base/warning.js";
import {
  createFileNamer,
  type ExportTable,
  rowCount,
  TABLE_KINDS,
  type TableColumn,
  type TableKind,
  unitOf,
} from "../../figure/files/export-table.js";
import { readable } from "../../store/arrow/regular-file.js";
import { listSurfaces } from "../../store/kinds/stored-surfaces.js";
import { type Artifact, readArtifact, readArtifactFacts } from "../../store/results/artifact.js";
import type { Run, SnapshotInfo } from "../../store/run/run.js";

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

/** Folders of results and what is in them. */
const KINDS: Readonly<Record<string, TableKind>> = {
  surfaces: "surface",
  lines: "line",
  trajectories: "trajectory",
  fidelity: "trajectory",
  curvature: "curvature",
  weights: "weights",
};

/** Folders that hold no table: weights themselves, vectors as long as θ, and exports. */
const NO_TABLES = new Set(["snapshots", "directions", "losses", "export"]);

/** The tables of a run, and what the user should know of them. */
export interface CollectedTables {
  readonly tables: readonly ExportTable[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Reads every result that is stored in a run directory, and the facts of its snapshots, as tables.
 *
 * A result that was computed from other snapshots than the run holds now is read all the same, with a
 * warning: its provenance goes with it.
 *
 * @param what - kinds of results that are read; default all.
 * @throws {@link FormatError} if a file of a known kind is damaged. Arrow files of other kinds that are no
 * results are left out, with a warning.
 */
export async function collectTables(
  run: Run,
  what: readonly TableKind[] = TABLE_KINDS,
): Promise<CollectedTables> {
  const nameOf = createFileNamer();
  const snapshots = snapshotTable(run, nameOf("snapshots"));
  const digest = await run.digest();
  const tables: ExportTable[] = [];
  const warnings: LandscapeWarning[] = [];
  for (const folder of await resultFolders(run.directory)) {
    const kind = Object.hasOwn(KINDS, folder) ? (KINDS[folder] as TableKind) : "other";
    if (!what.includes(kind)) continue;
    for (const base of await arrowFiles(join(run.directory, folder))) {
      const source = `${folder}/${base}.arrow`;
      const artifact = await readResult(join(run.directory, folder, `${base}.arrow`), kind, warnings);
      if (artifact === null) continue;
      tables.push(toTable(artifact, kind, nameOf(`${folder}-${base}`), source, snapshots));
      const { run: made, run0 } = artifact.provenance.inputs;
      const stale = [made, run0].filter((input) => input !== undefined && input !== digest);
      if (stale.length > 0) warnings.push(staleWarning(run, source));
    }
  }
  return { tables: what.includes("snapshots") ? [...tables, snapshots] : tables, warnings };
}

function staleWarning(run: Run, source: string): LandscapeWarning {
  const message = `${join(run.directory, source)} was computed from other snapshots than the run holds now.`;
  return { code: "stale-result", message };
}

async function resultFolders(directory: string): Promise<string[]> {
  const entries = await readable(directory, () => readdir(directory, { withFileTypes: true }));
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !NO_TABLES.has(entry.name))
    .map(({ name }) => name)
    .sort();
}

async function arrowFiles(folder: string): Promise<string[]> {
  const entries = await readable(folder, () => readdir(folder, { withFileTypes: true }));
  return entries
    .filter(({ name }) => name.endsWith(".arrow") && !name.startsWith("."))
    .map(({ name }) => name.slice(0, -".arrow".length))
    .sort();
}

async function readResult(
  file: string,
  kind: TableKind,
  warnings: LandscapeWarning[],
): Promise<Artifact | null> {
  try {
    return await readArtifact(file);
  } catch (error) {
    if (kind !== "other" || !(error instanceof FormatError)) throw error;
    warnings.push({ code: "not-exported", message: `Not exported: ${error.message}` });
    return null;
  }
}

function toTable(
  { columns, details, provenance }: Artifact,
  kind: TableKind,
  name: string,
  source: string,
  snapshots: ExportTable,
): ExportTable {
  const own = Object.entries(columns).map(
    ([column, { values, width }]): TableColumn => ({
      name: column,
      unit: unitOf(column),
      values,
      ...defined({ width }),
    }),
  );
  const rows = rowCount({ columns: own });
  const facts = kind === "trajectory" && rows === rowCount(snapshots) ? factsOf(snapshots, columns) : [];
  return {
    kind,
    name,
    source,
    columns: [...facts, ...own],
    grid: kind === "surface" ? gridOf(details, rows) : null,
    details,
    provenance,
  };
}

/** Which snapshot a point of a path is. */
function factsOf(snapshots: ExportTable, columns: Artifact["columns"]): readonly TableColumn[] {
  const wanted = ["step", "epoch", "iteration", "learningRate"];
  return snapshots.columns.filter(({ name }) => wanted.includes(name) && !Object.hasOwn(columns, name));
}

function gridOf(details: ExportTable["details"], rows: number): ExportTable["grid"] {
  if (typeof details !== "object" || details === null || Array.isArray(details)) return null;
  const { width, height } = details as { readonly width?: unknown; readonly height?: unknown };
  if (typeof width !== "number" || typeof height !== "number" || width * height !== rows) return null;
  return { width, height };
}

/**
 * Returns what names the plane that a table belongs to: surfaces of one plane, on any grid and set, and the paths on
 * it have one name.
 */
export async function planesOfTables(
  run: Run,
  tables: readonly ExportTable[],
): Promise<(source: string) => string> {
  const places = new Map<string, string>();
  const digests = new Map<string, string>();
  for (const { name, facts } of await listSurfaces(run.directory)) {
    const place = facts.directions ?? name;
    places.set(`surfaces/${name}.arrow`, place);
    for (const { fidelity } of facts.paths) places.set(fidelity, place);
    if (facts.directions === null) continue;
    const made = await readArtifactFacts(join(run.directory, facts.directions));
    if (made !== null) digests.set(provenanceDigest(made.provenance), place);
  }
  for (const { source, provenance } of tables) {
    const place = digests.get(provenance?.inputs.directions ?? "");
    if (place !== undefined && !places.has(source)) places.set(source, place);
  }
  return (source) => places.get(source) ?? source;
}

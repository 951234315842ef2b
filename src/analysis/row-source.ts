import { InvalidDataError, LayoutError } from "../base/errors.js";
import {
  type ColumnRange,
  type ColumnSelectionOptions,
  countColumns,
  selectColumns,
} from "../directions/column-selection.js";
import type { RowSource } from "../directions/directions.js";
import type { Run } from "../store/run/run.js";
import { runLanes } from "../surface/evaluate-points.js";

/** The rows of one or more runs, and which entries of θ their columns are. */
export interface RunRowSource extends RowSource {
  readonly runLengths: readonly number[];
  /** The columns as ranges of θ, to embed directions again. */
  readonly ranges: readonly ColumnRange[];
}

/**
 * Returns the snapshots of one run, or of several of one layout stacked in order, as rows to be read
 * block by block.
 *
 * @param columns - which entries of θ; default the trainable ones.
 * @throws {@link InvalidDataError} if there is no run; {@link LayoutError} if the layouts differ.
 * @example const rows = rowSourceOfRuns([await openRun("runs/adam")]);
 */
export function rowSourceOfRuns(
  runs: readonly Run[],
  columns: "trainable" | "all" | ColumnSelectionOptions = {},
): RunRowSource {
  assertOneLayout(runs);
  const ranges = selectColumns(runs[0].layout, typeof columns === "string" ? { columns } : columns);
  const rows = runs.flatMap((run) => run.snapshots.map((_, index) => ({ run, index })));
  return {
    name: runs.map(({ directory }) => directory).join(", "),
    rows: rows.length,
    columns: countColumns(ranges),
    runLengths: runs.map((run) => run.snapshots.length),
    ranges,
    async readBlockInto(start, count, out) {
      const parts = partsOf(ranges, start, count);
      const reads = rows.flatMap(({ run, index }, i) =>
        parts.map(({ from, at, length }) => {
          const target = i * count + at;
          return () => run.readThetaInto(index, from, out.subarray(target, target + length));
        }),
      );
      let next = 0;
      const work = { width: () => READS_AT_ONCE, left: () => reads.length - next };
      await runLanes(work, undefined, async (stop, goesOn) => {
        while (next < reads.length && stop?.aborted !== true) {
          await reads[next++]();
          if (!goesOn()) return;
        }
      });
    },
  };
}

/**
 * Reads under way at a time: the system works on while this thread multiplies the block before. Fewer than the files that a
 * run keeps open: with thousands of snapshots all of them would be open, more than many systems allow, and to find those that
 * may be closed would take longer than reading.
 */
const READS_AT_ONCE = 256;

/** The pieces of θ that columns [start, start + count) of the selection are. */
function partsOf(
  ranges: readonly ColumnRange[],
  start: number,
  count: number,
): { readonly from: number; readonly at: number; readonly length: number }[] {
  const parts = [];
  let column = 0;
  for (const range of ranges) {
    const size = range.end - range.start;
    const first = Math.max(start, column);
    const last = Math.min(start + count, column + size);
    if (first < last) {
      parts.push({ from: range.start + first - column, at: first - start, length: last - first });
    }
    column += size;
  }
  return parts;
}

function assertOneLayout(runs: readonly Run[]): void {
  if (runs.length === 0) throw new InvalidDataError("runs", "at least one run", "none");
  const other = runs.find((run) => run.layout.digest !== runs[0].layout.digest);
  if (other === undefined) return;
  throw new LayoutError(
    other.directory,
    `the parameter layout of ${runs[0].directory} (${runs[0].layout.parameterCount} parameters)`,
    `another one (${other.layout.parameterCount} parameters)`,
  );
}

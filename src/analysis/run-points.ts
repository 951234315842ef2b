import { InvalidDataError, LayoutError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type ColumnBlockOptions, resolveBlockColumns } from "../directions/column-selection.js";
import type { RowSource } from "../directions/directions.js";
import { differenceGram } from "../directions/row-products.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { dot } from "../math/row-kernels.js";
import type { Run } from "../store/run/run.js";
import { atLeastOneRun } from "./model-point.js";
import { rowSourceOfRuns } from "./row-source.js";

/** The snapshots of runs as points known by their inner products. */
export interface RunPoints {
  /** N, the snapshots that were kept. */
  readonly count: number;
  /** D, the weights that count. */
  readonly columns: number;
  /** Number of the run (N), and position of the snapshot in it (N). */
  readonly run: Int32Array;
  readonly index: Int32Array;
  /** Inner products (N, N) of the snapshots minus one common vector: exact distances of near snapshots. */
  readonly gram: Float64Array;
  /** Inner products of each snapshot with that vector (N), and of the vector with itself: see `rawGram`. */
  readonly products: Float64Array;
  readonly square: number;
  /** ‖θ_i − θ_{i−1}‖ (N); NaN where the snapshot before is another run's or was dropped. */
  readonly stepSize: Float64Array;
  /** Rows of equal weights: groups of two or more. */
  readonly duplicates: readonly (readonly number[])[];
  /** How the products were taken: "float64", "onnx", or the linear algebra's name. */
  readonly precision: string;
  /** What was done to bring runs into the first one's order of units, a sentence each; none where they are as they are. */
  readonly alignment?: readonly string[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Options of {@link readRunPoints}. */
export interface RunPointsOptions extends ColumnBlockOptions {
  /** Weights that count. Default "trainable". */
  readonly weights?: "trainable" | "all";
  /** Snapshots with weights that are not finite: an error, or left out with a warning. Default "error". */
  readonly nonFinite?: "error" | "drop";
}

/**
 * Reads the snapshots of runs of one layout once, block by block, and returns their inner products.
 *
 * Cost: O(N²·D) time, O(N² + block) memory; D may be ten million.
 *
 * @throws {@link LayoutError} naming both layouts if they differ; {@link InvalidDataError} naming run and step of
 * a weight that is not finite.
 * @example const points = await readRunPoints(runs, createLinearAlgebra());
 */
export async function readRunPoints(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  options: RunPointsOptions = {},
): Promise<RunPoints> {
  assertOneLayout(runs);
  const { weights = "trainable", nonFinite = "error", signal, onProgress } = options;
  const source = rowSourceOfRuns(runs, weights);
  const rows = runs.flatMap((run, r) =>
    run.snapshots.map((snapshot, index) => ({ run, r, index, snapshot })),
  );
  const final = source.rows - 1;
  const seen = watchRows(source, final, (row, value) => {
    if (nonFinite === "drop") return;
    const { run, snapshot } = rows[row] as (typeof rows)[number];
    const where = `run "${run.manifest.name}" (${run.directory}), step ${snapshot.step}`;
    throw new InvalidDataError(where, "finite weights", `a weight ${value}`, {
      hint: 'leave such snapshots out with nonFinite: "drop"',
    });
  });
  let done = 0;
  const { gram, squaredSteps, precision, warnings } = await differenceGram(seen.source, {
    row: final,
    linearAlgebra,
    blockColumns: resolveBlockColumns(source, options.blockColumns),
    precision: "auto",
    signal,
    afterBlock: (columns) => {
      done += columns;
      onProgress?.(done, source.columns);
    },
  });
  const kept = rows.flatMap((_, row) => (seen.bad.has(row) ? [] : [row]));
  const n = source.rows;
  const facts = kept.map((row) => rows[row] as (typeof rows)[number]);
  return {
    count: kept.length,
    columns: source.columns,
    run: Int32Array.from(facts, ({ r }) => r),
    index: Int32Array.from(facts, ({ index }) => index),
    gram: symmetricPart(gram, n, kept),
    products: Float64Array.from(kept, (row) => seen.products[row] as number),
    square: seen.products[final] as number,
    stepSize: Float64Array.from(kept, (row) => {
      const isFirst = (rows[row] as (typeof rows)[number]).index === 0 || seen.bad.has(row - 1);
      return isFirst ? Number.NaN : Math.sqrt(squaredSteps[row] as number);
    }),
    duplicates: groupsOf(kept.map((row) => seen.keyOf(row))),
    precision,
    warnings: [...warnings, ...dropped([...seen.bad].map((row) => rows[row] as (typeof rows)[number]))],
  };
}

/** Returns the inner products (N, N) of the snapshots as they are. */
export function rawGram({ gram, products, square, count: n }: RunPoints): Float64Array {
  const raw = gram.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      raw[i * n + j] =
        (raw[i * n + j] as number) + (products[i] as number) + (products[j] as number) - square;
    }
  }
  return raw;
}

/** @throws {@link LayoutError} naming both layouts if the runs differ in their parameters. */
export function assertOneLayout(runs: readonly Run[]): void {
  const [first] = atLeastOneRun(runs);
  const other = runs.find(({ layout }) => layout.digest !== first.layout.digest);
  if (other === undefined) return;
  const name = ({ manifest, directory, layout }: Run): string =>
    `layout ${layout.digest.slice(0, 12)} of run "${manifest.name}" (${directory}; ${layout.parameters.length} weights, ${layout.parameterCount} parameters)`;
  throw new LayoutError("runs", `one parameter layout, ${name(first)}`, `also ${name(other)}`, {
    hint: "embed runs of one architecture together, others one by one",
  });
}

/**
 * Watches the rows of a source as they are read: their products with one of them, which are finite if the row is,
 * and a hash of their bits that tells equal rows. Weights that are not finite are read as 0 and their rows noted.
 */
function watchRows(source: RowSource, reference: number, onBad: (row: number, value: number) => void) {
  const products = new Float64Array(source.rows);
  const hashes = new Uint32Array(2 * source.rows).fill(0x811c9dc5);
  const bad = new Set<number>();
  const clean = (row: number, values: Float32Array): void => {
    const at = values.findIndex((value) => !Number.isFinite(value));
    onBad(row, values[at] as number);
    bad.add(row);
    for (let c = 0; c < values.length; c++) if (!Number.isFinite(values[c] as number)) values[c] = 0;
  };
  const watched: RowSource = {
    rows: source.rows,
    columns: source.columns,
    async readBlockInto(start, count, out) {
      await source.readBlockInto(start, count, out);
      const rowAt = (row: number): Float32Array => out.subarray(row * count, (row + 1) * count);
      const common = rowAt(reference);
      if (!Number.isFinite(dot(common, common))) clean(reference, common);
      for (let row = 0; row < source.rows; row++) {
        const values = rowAt(row);
        let product = dot(values, common);
        if (!Number.isFinite(product)) {
          clean(row, values);
          product = dot(values, common);
        }
        products[row] = (products[row] as number) + product;
        hashInto(hashes, 2 * row, values);
      }
    },
  };
  return {
    source: watched,
    products,
    bad,
    keyOf: (row: number): string => `${hashes[2 * row]}:${hashes[2 * row + 1]}`,
  };
}

/** Stirs the bits of some float32 values into two 32-bit words. */
function hashInto(hashes: Uint32Array, at: number, values: Float32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let a = hashes[at] as number;
  let b = hashes[at + 1] as number;
  for (let c = 0; c < words.length; c++) {
    const word = words[c] as number;
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x85ebca6b);
    b ^= b >>> 13;
  }
  hashes[at] = a;
  hashes[at + 1] = b;
}

/** The rows and columns that are kept, as a matrix that is symmetric to the last bit. */
function symmetricPart(gram: Float64Array, n: number, kept: readonly number[]): Float64Array {
  const count = kept.length;
  const out = new Float64Array(count * count);
  kept.forEach((row, i) => {
    kept.forEach((column, j) => {
      out[i * count + j] = ((gram[row * n + column] as number) + (gram[column * n + row] as number)) / 2;
    });
  });
  return out;
}

function groupsOf(keys: readonly string[]): number[][] {
  const groups = new Map<string, number[]>();
  keys.forEach((key, i) => {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  return [...groups.values()].filter((group) => group.length > 1);
}

function dropped(
  rows: readonly { readonly run: Run; readonly snapshot: { readonly step: number } }[],
): LandscapeWarning[] {
  if (rows.length === 0) return [];
  const named = rows
    .slice(0, 5)
    .map(({ run, snapshot }) => `step ${snapshot.step} of run "${run.manifest.name}"`)
    .join(", ");
  return [
    {
      code: "non-finite-rows",
      message: `${rows.length} snapshots hold weights that are not finite and are left out: ${named}${rows.length > 5 ? ", …" : ""}.`,
    },
  ];
}

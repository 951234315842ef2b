import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createLinearAlgebra } from "../src/backend/linear-algebra/create-linear-algebra.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { memoryRowSource } from "../src/directions/directions.js";
import { type PcaDirections, pcaDirections } from "../src/directions/pca.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { median } from "./capture-statistics.js";
import { type PcaDiskCase, runFromDisk } from "./pca-disk.js";
import { createPath } from "./pca-path.js";
import { type PythonPeer, preparePython, startPeer } from "./python-peer.js";

/** A matrix in memory: seconds of `pcaDirections` (ours) and of scikit-learn's PCA(2) (peer). */
export interface PcaMemoryCase {
  readonly case: string;
  readonly backend: string;
  readonly source: "memory";
  /** Median seconds. */
  readonly ours: number;
  readonly peer: number | null;
  /** Median over repetitions of ours / peer, measured in turn. */
  readonly ratio: number | null;
  readonly repetitions: number;
  /** Largest difference of the two explained variance ratios, and |cos| of the components. */
  readonly ratioDifference: number | null;
  readonly componentCosines: readonly number[] | null;
}

/** The report of the bench. */
export interface PcaReport {
  readonly bench: "pca";
  readonly cases: readonly (PcaMemoryCase | PcaDiskCase)[];
}

const CASES = ["memory", "disk", "many", "long", "large"];
const THREADS = 2;

/**
 * Measures principal components: in memory against scikit-learn on the same float32 matrix, repetitions in
 * turn, and from a run directory on disk with the peak of resident memory.
 *
 * Arguments: `--case memory|disk|many|long|large` (default memory and disk; many is 4,000 × 2,000 in memory, long
 * 10,000 × 100,000, 4 GB on disk, and large 300 × 10,000,000, 12 GB on disk),
 * `--repetitions n` (default 5), `--rows n`, `--columns n` (default 100 and 1,000,000), `--directory` for the
 * files (default the system's temporary folder).
 */
export async function runBench({ args, log }: BenchOptions): Promise<PcaReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: ["memory", "disk"] },
      repetitions: { type: "string", default: "5" },
      rows: { type: "string", default: "100" },
      columns: { type: "string", default: "1000000" },
      directory: { type: "string", default: tmpdir() },
    },
  });
  checkNames("--case", values.case, CASES);
  const [rows, columns] = [parseCount("--rows", 2)(values.rows), parseCount("--columns")(values.columns)];
  const repetitions = parseCount("--repetitions")(values.repetitions);
  const backend = await selectBackend();
  log(`pca: ${backend.name}, ${backend.reason}`);
  const directory = await mkdtemp(join(values.directory, "tfjs-landscape-bench-"));
  const cases: (PcaMemoryCase | PcaDiskCase)[] = [];
  try {
    if (values.case.includes("memory")) {
      const settings = { rows, columns, repetitions, directory };
      cases.push(await runInMemory(backend.name, settings, log));
    }
    if (values.case.includes("many")) {
      const settings = { rows: 4000, columns: 2000, repetitions, directory };
      cases.push(await runInMemory(backend.name, settings, log));
    }
    if (values.case.includes("disk")) cases.push(await runFromDisk({ rows, columns, directory }, log));
    if (values.case.includes("long")) {
      cases.push(await runFromDisk({ rows: 10_000, columns: 100_000, directory }, log));
    }
    if (values.case.includes("large")) {
      cases.push(await runFromDisk({ rows: 300, columns: 10_000_000, directory }, log));
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return { bench: "pca", cases };
}

interface MemorySettings {
  readonly rows: number;
  readonly columns: number;
  readonly repetitions: number;
  readonly directory: string;
}

async function runInMemory(
  backend: string,
  { rows, columns, repetitions, directory }: MemorySettings,
  log: (line: string) => void,
): Promise<PcaMemoryCase> {
  const matrix = createMatrix(rows, columns);
  const python = preparePython(log);
  const peer = python === null ? null : startPeer(python, "pca_peer.py", THREADS);
  try {
    if (peer !== null) await sendMatrix(peer, matrix, { rows, columns, file: join(directory, "matrix.f32") });
    const source = memoryRowSource(matrix);
    const linearAlgebra = createLinearAlgebra();
    const seconds: { ours: number; peer: number }[] = [];
    let pca: PcaDirections | undefined;
    let expected: readonly number[] = [];
    // The first repetition warms up both sides and is not counted.
    for (let i = 0; i <= repetitions; i++) {
      const begin = performance.now();
      pca = await pcaDirections(source, { linearAlgebra });
      const ours = (performance.now() - begin) / 1000;
      const answer = await peer?.ask({ fit: i });
      const theirs = (answer?.seconds as number | undefined) ?? Number.NaN;
      expected = (answer?.explained_variance_ratio as number[] | undefined) ?? [];
      if (i > 0) seconds.push({ ours, peer: theirs });
      log(`pca ${rows}x${columns}: ${ours.toFixed(3)} s, scikit-learn ${theirs.toFixed(3)} s`);
    }
    const versus =
      peer === null || pca === undefined
        ? { peer: null, ratio: null, ratioDifference: null, componentCosines: null }
        : {
            peer: median(seconds.map((pair) => pair.peer)),
            ratio: median(seconds.map((pair) => pair.ours / pair.peer)),
            ratioDifference: largestDifference(expected, pca.explainedVarianceRatio),
            componentCosines: await compareComponents(peer, pca, directory),
          };
    return {
      case: `${rows}x${columns}`,
      backend,
      source: "memory",
      ours: median(seconds.map(({ ours }) => ours)),
      repetitions,
      ...versus,
    };
  } finally {
    peer?.close();
  }
}

function createMatrix(rows: number, columns: number): Float32Array[] {
  const next = createPath(rows, columns);
  return Array.from({ length: rows }, () => {
    const row = new Float32Array(columns);
    next(row);
    return row;
  });
}

async function sendMatrix(
  peer: PythonPeer,
  matrix: readonly Float32Array[],
  { rows, columns, file }: { readonly rows: number; readonly columns: number; readonly file: string },
): Promise<void> {
  const descriptor = openSync(file, "w");
  try {
    for (const row of matrix)
      writeSync(descriptor, new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  } finally {
    closeSync(descriptor);
  }
  await peer.ask({ load: file, rows, columns });
  await rm(file);
}

function largestDifference(expected: readonly number[], actual: Float64Array): number {
  return Math.max(...expected.map((ratio, a) => Math.abs(ratio - actual[a])));
}

async function compareComponents(peer: PythonPeer, pca: PcaDirections, directory: string): Promise<number[]> {
  const file = join(directory, "components.f32");
  await peer.ask({ write: file });
  const theirs = new Float32Array(new Uint8Array(readFileSync(file)).buffer);
  return pca.vectors.map((vector, a) => {
    let product = 0;
    for (let c = 0; c < vector.length; c++) product += vector[c] * theirs[a * vector.length + c];
    return Math.abs(product);
  });
}

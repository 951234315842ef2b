import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parseCount } from "../src/cli/command-options.js";
import type { EngineChoice } from "../src/loss/loss-options.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { median } from "./capture-statistics.js";
import { type PythonPeer, preparePython, startPeer, startProcess } from "./python-peer.js";
import { surfaceModels } from "./surface-models.js";

/** Seconds per grid point of one network on one engine (ours) and in best-tuned PyTorch (peer). */
export interface SurfaceCase {
  readonly case: string;
  /** "native" and "onnx", the fastest engines with and without it, or another contender's name. */
  readonly backend: string;
  readonly engine: string;
  readonly batchSize: number;
  /** Whether the first layer's outputs are kept for the plane. */
  readonly isCached: boolean;
  readonly ours: number;
  readonly peer: number | null;
  /** Median over repetitions of ours / peer, measured in turn. */
  readonly ratio: number | null;
  /** The same ratio of processor time, which other processes disturb less; with one thread only. */
  readonly cpuRatio: number | null;
  /** PyTorch as the published loss-landscape code runs it. */
  readonly reference: number | null;
  readonly parameters: number;
  readonly samples: number;
  /** Billions of arithmetic operations per second that a pass without shortcuts would take. */
  readonly gflops: number;
  readonly peerGflops: number | null;
  /** The same of PyTorch's product of two 3000 × 3000 matrices. */
  readonly machineGflops: number | null;
  /** Largest relative difference of the losses. */
  readonly lossDifference: number | null;
  readonly repetitions: number;
}

/** The report of the bench. */
export interface SurfaceReport {
  readonly bench: "surface";
  readonly cases: readonly SurfaceCase[];
}

/** glibc then keeps freed memory; it has to be set before a process starts. */
const KEEP_MEMORY = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "17179869184",
  MALLOC_TOP_PAD_: "268435456",
};

/** Additions and multiplications for one image, by case. */
const OPERATIONS: Readonly<Record<string, number>> = {
  mlp: 2 * (784 * 128 + 128 * 64 + 64 * 10),
  lenet: 2 * (676 * 16 * 9 + 121 * 32 * 144 + 800 * 64 + 64 * 10),
  resnet20: 2 * resnetProducts(3),
  resnet56: 2 * resnetProducts(9),
};

function resnetProducts(n: number): number {
  const stage = (size: number, width: number) => size * size * width * width * 9 * 2 * n;
  const first = (size: number, width: number) => size * size * ((width / 2) * width * 10 - width * width * 9);
  return (
    32 * 32 * 27 * 16 + stage(32, 16) + stage(16, 32) + first(16, 32) + stage(8, 64) + first(8, 64) + 640
  );
}

/** Ours in one process: which engine under which backend, with what in its environment. */
interface Contender {
  readonly label: string;
  readonly backend: "native" | "wasm";
  readonly engine: EngineChoice;
  /** Processes of one thread each; 0: one process with all threads. */
  readonly workers: number;
}

const CONTENDERS: readonly Contender[] = [
  { label: "native", backend: "native", engine: "auto", workers: 0 },
  { label: "native-workers", backend: "native", engine: "auto", workers: 2 },
  { label: "tensorflow", backend: "native", engine: "tensorflow", workers: 0 },
  { label: "onnx", backend: "wasm", engine: "onnx", workers: 0 },
  { label: "native-tfjs", backend: "native", engine: "tfjs", workers: 0 },
  // It has no threads: two processes are what takes two processors.
  { label: "wasm", backend: "wasm", engine: "tfjs-fused", workers: 2 },
  { label: "wasm-process", backend: "wasm", engine: "tfjs-fused", workers: 0 },
  { label: "wasm-tfjs", backend: "wasm", engine: "tfjs", workers: 0 },
];

interface Settings {
  readonly contenders: readonly Contender[];
  readonly repetitions: number;
  readonly threads: number;
  readonly python: string | null;
  readonly compiles: boolean;
  readonly samples: number | undefined;
  readonly log: (line: string) => void;
}

/**
 * Measures losses on a plane: our engines beside PyTorch on the same weights, directions and images, point by
 * point in turn, loss from logits.
 *
 * Arguments: `--case mlp|lenet|resnet20|resnet56` (default all), `--backend` of the contenders native,
 * native-workers (two processes of one thread), tensorflow, onnx, native-tfjs, wasm (two processes), wasm-process and
 * wasm-tfjs (default native and onnx), `--repetitions n` (default 5), `--threads n` (default 2), `--samples n`
 * (default 10,000 and 5,000), `--eager-peer` (PyTorch without `torch.compile`, which takes minutes for the deep
 * networks).
 */
export async function runBench({ args, log }: BenchOptions): Promise<SurfaceReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: Object.keys(surfaceModels) },
      backend: { type: "string", multiple: true, default: ["native", "onnx"] },
      repetitions: { type: "string", default: "5" },
      threads: { type: "string", default: "2" },
      samples: { type: "string" },
      "eager-peer": { type: "boolean", default: false },
    },
  });
  checkNames("--case", values.case, Object.keys(surfaceModels));
  checkNames(
    "--backend",
    values.backend,
    CONTENDERS.map(({ label }) => label),
  );
  const samples = values.samples === undefined ? undefined : parseCount("--samples")(values.samples);
  const settings: Settings = {
    contenders: CONTENDERS.filter(({ label }) => values.backend.includes(label)),
    repetitions: parseCount("--repetitions")(values.repetitions),
    threads: parseCount("--threads")(values.threads),
    python: preparePython(log, "requirements-torch.txt"),
    compiles: !values["eager-peer"],
    samples,
    log,
  };
  const cases: SurfaceCase[] = [];
  for (const name of values.case) cases.push(...(await runCase(name, settings)));
  return { bench: "surface", cases };
}

/** A process that is measured. */
interface Runner {
  readonly label: string;
  readonly peer: PythonPeer;
  readonly about: Record<string, unknown>;
  /** Points that it evaluates in each turn. */
  readonly points: number;
  readonly seconds: number[];
  readonly cpuSeconds: number[];
  losses: readonly number[];
}

async function runCase(name: string, settings: Settings): Promise<SurfaceCase[]> {
  const { log } = settings;
  const folder = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  const runners: Runner[] = [];
  try {
    const facts = await startRunners(name, folder, settings, runners);
    const machine = await machineSpeed(runners);
    for (let repetition = 0; repetition <= settings.repetitions; repetition++) {
      const points = turnPoints(repetition);
      for (const runner of runners) {
        const answer = await runner.peer.ask({ points: points.slice(0, runner.points) });
        runner.losses = answer.losses as number[];
        // The first turn warms up and is not counted.
        if (repetition === 0) continue;
        runner.seconds.push(answer.seconds as number);
        runner.cpuSeconds.push(answer.cpuSeconds as number);
      }
    }
    for (const { label, seconds, cpuSeconds } of runners) {
      const cpu = median(cpuSeconds).toFixed(4);
      log(`surface ${name}: ${label} ${median(seconds).toFixed(4)} s, processor ${cpu} s`);
    }
    return runners
      .filter(({ label }) => !label.startsWith("torch"))
      .map((runner) => caseOf(name, runner, runners, machine, facts, settings));
  } finally {
    for (const { peer } of runners) peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startRunners(
  name: string,
  folder: string,
  { contenders, threads, python, compiles, samples, log }: Settings,
  runners: Runner[],
): Promise<Record<string, unknown>> {
  const child = join(dirname(fileURLToPath(import.meta.url)), "surface-child.js");
  const runner = (label: string, peer: PythonPeer, about: Record<string, unknown>, points: number) => {
    log(`surface ${name}: ${label} ${JSON.stringify(about)}`);
    runners.push({ label, peer, about, points, seconds: [], cpuSeconds: [], losses: [] });
  };
  let facts: Record<string, unknown> = {};
  for (const { label, backend, engine, workers } of contenders) {
    const environment = {
      ...KEEP_MEMORY,
      TFJS_LANDSCAPE_BACKEND: backend,
      TF_CPP_MIN_LOG_LEVEL: "2",
      TF_NUM_INTRAOP_THREADS: String(threads),
    };
    const peer = startProcess(process.execPath, [child], environment);
    const write = runners.length === 0;
    const prepare = { case: name, folder, write, ...(samples === undefined ? {} : { samples }) };
    facts = await peer.ask({ prepare });
    const open = { engine, workers, ...(threads === availableParallelism() ? {} : { threads }) };
    const about = await peer.ask({ open });
    runner(label, peer, about, name === "mlp" ? 20 : Math.max(1, 2 * workers));
  }
  for (const mode of python === null ? [] : ["tuned", "reference"]) {
    const environment = mode === "tuned" ? KEEP_MEMORY : {};
    const peer = startPeer(python as string, "surface_peer.py", threads, environment);
    await peer.ask({ prepare: folder });
    runner(
      `torch-${mode}`,
      peer,
      await peer.ask({ open: mode, compile: compiles }),
      name === "mlp" && mode === "tuned" ? 20 : 1,
    );
  }
  return facts;
}

async function machineSpeed(runners: readonly Runner[]): Promise<number | null> {
  const torch = runners.find(({ label }) => label === "torch-tuned");
  if (torch === undefined) return null;
  const { seconds } = await torch.peer.ask({ product: 3000 });
  return (2 * 3000 ** 3) / (seconds as number) / 1e9;
}

/** Other points in each turn, so that no result can be one of the turn before. */
function turnPoints(turn: number): (readonly [number, number])[] {
  return Array.from(
    { length: 20 },
    (_, i) => [Math.sin(turn + i) / 2, Math.cos(2 * turn + 3 * i) / 2] as const,
  );
}

function caseOf(
  name: string,
  runner: Runner,
  runners: readonly Runner[],
  machineGflops: number | null,
  facts: Record<string, unknown>,
  { repetitions, threads }: Settings,
): SurfaceCase {
  const tuned = runners.find(({ label }) => label === "torch-tuned");
  const reference = runners.find(({ label }) => label === "torch-reference");
  const samples = facts.samples as number;
  const speed = (seconds: number) => (OPERATIONS[name] * samples) / seconds / 1e9;
  const ours = median(runner.seconds);
  const peer = tuned === undefined ? null : median(tuned.seconds);
  const engine = runner.about.engine as { readonly name: string; readonly batchSize: number };
  return {
    case: name,
    backend: runner.label,
    engine: engine.name,
    batchSize: engine.batchSize,
    isCached: runner.about.isCached as boolean,
    ours,
    peer,
    ratio: tuned === undefined ? null : medianRatio(runner.seconds, tuned.seconds),
    cpuRatio: tuned === undefined || threads > 1 ? null : medianRatio(runner.cpuSeconds, tuned.cpuSeconds),
    reference: reference === undefined ? null : median(reference.seconds),
    parameters: facts.parameters as number,
    samples,
    gflops: speed(ours),
    peerGflops: peer === null ? null : speed(peer),
    machineGflops,
    lossDifference: tuned === undefined ? null : largestDifference(runner.losses, tuned.losses),
    repetitions,
  };
}

function largestDifference(losses: readonly number[], expected: readonly number[]): number {
  const count = Math.min(losses.length, expected.length);
  const differences = losses.slice(0, count).map((loss, i) => Math.abs(loss - expected[i]) / expected[i]);
  return Math.max(...differences);
}

function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((own, i) => own / theirs[i]));
}

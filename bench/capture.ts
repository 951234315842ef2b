import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { type CaptureCaseName, createCaptureCase } from "./capture-cases.js";
import { type EpochTime, measureInterleaved } from "./capture-interleaved.js";
import { medianWithInterval } from "./capture-statistics.js";

/** One line of the report: seconds an epoch with the callback (ours) and without (peer). */
export interface CaptureBenchCase {
  readonly case: CaptureCaseName;
  readonly backend: string;
  readonly ours: number;
  readonly peer: number;
  /** Median over pairs of with / without; the overhead is ratio − 1. */
  readonly ratio: number;
  /** 95 % interval of the median ratio. */
  readonly interval: readonly [number, number];
  /** The same ratio of the CPU seconds of all threads: for a machine that does other things as well. */
  readonly cpuRatio: number;
  /** 95 % interval of the median CPU ratio. */
  readonly cpuInterval: readonly [number, number];
  /**
   * 1 + what hooks and the wait for the disk take longer, as a share of an epoch without the callback: what training
   * waits for. The writing thread's share of the processors is in `ratio` only.
   */
  readonly hookRatio: number;
  /** 95 % interval of the median hook ratio. */
  readonly hookInterval: readonly [number, number];
  readonly pairs: number;
  readonly epochsPerBlock: number;
  readonly parameterCount: number;
  readonly snapshotBytes: number;
  /** Seconds that `fit` takes longer to begin: the run directory and the writing thread. Once a run. */
  readonly startup: number;
}

const CASES: readonly CaptureCaseName[] = ["lenet", "mlp10m"];

/**
 * Measures what recording every epoch costs: blocks of epochs with and without the callback alternate
 * within one training, and the wait for the disk at the end of a block counts as the callback's.
 *
 * Arguments: `--case lenet|mlp10m` (default both), `--pairs n` (default 15), `--epochs n` a block (default
 * 2: the last snapshot of a block is waited for, as between epochs it is not; with one epoch each of them is),
 * `--images n` (default 10,000).
 */
export async function runBench({ args, log }: BenchOptions): Promise<{
  readonly bench: "capture";
  readonly cases: readonly CaptureBenchCase[];
}> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: [...CASES] },
      pairs: { type: "string", default: "15" },
      epochs: { type: "string", default: "2" },
      images: { type: "string", default: "10000" },
    },
  });
  checkNames("--case", values.case, CASES);
  const settings = {
    pairs: parseCount("--pairs")(values.pairs),
    epochs: parseCount("--epochs")(values.epochs),
  };
  const images = parseCount("--images")(values.images);
  const backend = await selectBackend();
  log(`capture: ${backend.name}, ${backend.reason}`);
  const cases: CaptureBenchCase[] = [];
  for (const name of CASES.filter((known) => values.case.includes(known))) {
    cases.push(await runCase(name, backend.name, images, settings, log));
  }
  return { bench: "capture", cases };
}

async function runCase(
  name: CaptureCaseName,
  backend: string,
  images: number,
  settings: { readonly pairs: number; readonly epochs: number },
  log: (line: string) => void,
): Promise<CaptureBenchCase> {
  const { model, xs, ys, batchSize, dispose } = await createCaptureCase(name, images);
  const directory = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  try {
    const training = { model, xs, ys, batchSize, directory, ...settings };
    const { withCallback, without, startup } = await measureInterleaved(training, (done) => {
      log(`capture ${name}: pair ${done} of ${settings.pairs}`);
    });
    const ratioOf = (clock: "wall" | "cpu") =>
      medianWithInterval(
        withCallback.map((time, pair) => time[clock] / (without[pair]?.[clock] ?? Number.NaN)),
      );
    const [wall, cpu] = [ratioOf("wall"), ratioOf("cpu")];
    const hooks = medianWithInterval(
      withCallback.map((time, pair) => {
        const other = without[pair] ?? { hooks: Number.NaN, wall: Number.NaN };
        return 1 + (time.hooks - other.hooks) / other.wall;
      }),
    );
    const medianWall = (times: readonly EpochTime[]) =>
      medianWithInterval(times.map((time) => time.wall)).median;
    const parameterCount = model.countParams();
    return {
      case: name,
      backend,
      ours: medianWall(withCallback),
      peer: medianWall(without),
      ratio: wall.median,
      interval: [wall.low, wall.high],
      cpuRatio: cpu.median,
      cpuInterval: [cpu.low, cpu.high],
      hookRatio: hooks.median,
      hookInterval: [hooks.low, hooks.high],
      pairs: settings.pairs,
      epochsPerBlock: settings.epochs,
      parameterCount,
      snapshotBytes: 4 * parameterCount,
      startup,
    };
  } finally {
    dispose();
    await rm(directory, { recursive: true, force: true });
    tf.disposeVariables();
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import type { BenchOptions } from "./bench-options.js";
import { createCaptureCase } from "./capture-cases.js";
import { measureInterleaved } from "./capture-interleaved.js";
import { medianWithInterval } from "./capture-statistics.js";

/** One line of the report: seconds an epoch of recording with a live page that is being read, and without. */
export interface LiveBenchCase {
  readonly case: "lenet";
  readonly backend: string;
  readonly ours: number;
  readonly peer: number;
  /** Median over pairs of with / without; the overhead is ratio − 1. */
  readonly ratio: number;
  /** 95 % interval of the median ratio. */
  readonly interval: readonly [number, number];
  /** The same ratio of the CPU seconds of all threads, that of the page included. */
  readonly cpuRatio: number;
  readonly cpuInterval: readonly [number, number];
  readonly pairs: number;
  readonly epochsPerBlock: number;
}

/** Reads the page's events in a process of its own, as a browser does. */
const READER = 'require("node:http").get(process.argv[1] + "events", (answer) => answer.resume())';

/**
 * Measures what a live page costs a training: blocks of epochs alternate within one training between a
 * callback with a page that is being read and one without.
 *
 * Arguments: `--pairs n` (default 15), `--epochs n` a block (default 2), `--images n` (default 2,000).
 */
export async function runBench({ args, log }: BenchOptions): Promise<{
  readonly bench: "live";
  readonly cases: readonly LiveBenchCase[];
}> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      pairs: { type: "string", default: "15" },
      epochs: { type: "string", default: "2" },
      images: { type: "string", default: "2000" },
    },
  });
  const [pairs, epochs] = [parseCount("--pairs")(values.pairs), parseCount("--epochs")(values.epochs)];
  const images = parseCount("--images")(values.images);
  const backend = await selectBackend();
  log(`live: ${backend.name}, ${backend.reason}`);
  const { dispose, ...training } = await createCaptureCase("lenet", images);
  const directory = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  const readers: ChildProcess[] = [];
  try {
    const onLive = (url: string) => {
      readers.push(spawn(process.execPath, ["-e", READER, url], { stdio: "ignore" }));
    };
    const { withCallback, without } = await measureInterleaved(
      { ...training, directory, pairs, epochs, onLive },
      (done) => log(`live: pair ${done} of ${pairs}`),
    );
    const ratios = (clock: "wall" | "cpu") =>
      medianWithInterval(
        withCallback.map((time, pair) => time[clock] / (without[pair]?.[clock] ?? Number.NaN)),
      );
    const median = (times: typeof without) => medianWithInterval(times.map(({ wall }) => wall)).median;
    const [wall, cpu] = [ratios("wall"), ratios("cpu")];
    const result: LiveBenchCase = {
      case: "lenet",
      backend: backend.name,
      ours: median(withCallback),
      peer: median(without),
      ratio: wall.median,
      interval: [wall.low, wall.high],
      cpuRatio: cpu.median,
      cpuInterval: [cpu.low, cpu.high],
      pairs,
      epochsPerBlock: epochs,
    };
    return { bench: "live", cases: [result] };
  } finally {
    for (const reader of readers) reader.kill();
    dispose();
    await rm(directory, { recursive: true, force: true });
  }
}

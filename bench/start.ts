import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../callbacks/index.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { type BenchOptions, checkNames, checkPath } from "./bench-options.js";
import { createCaptureCase } from "./capture-cases.js";
import { loadData } from "./start-data.js";

/** Seconds from the start of a process; the lowest and the highest call beside the median. */
type Seconds = readonly [median: number, lowest: number, highest: number];

/** One line of the report: what a call of `surface` takes. */
export interface StartBenchCase {
  /** "lenet, later call": the first call on a run chooses an engine, later ones take its choice. */
  readonly case: string;
  /** The build that was called, and the program that ran it, where several are compared. */
  readonly of?: string;
  /** What the call says of its backend on stderr. */
  readonly backend: string;
  /** Until the first point is reported. */
  readonly seconds: Seconds;
  /** Until the backend is there, and until the end of the process. */
  readonly backendSeconds: Seconds;
  readonly endSeconds: Seconds;
  readonly calls: number;
}

/** The folder that holds dist/. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const CASES = ["mlp", "lenet"] as const;
type CaseName = (typeof CASES)[number];

/** Points on a side of the first call's surface; each further call asks for another one, so that there is work to do. */
const FIRST_SIZE = 11;

interface Call {
  readonly backend: string;
  readonly backendSeconds: number;
  readonly firstSeconds: number;
  readonly endSeconds: number;
}

/**
 * Measures the start of the command line from outside: a process calls `surface` on a run that was recorded before, and
 * the time is taken when it reports its backend and its first point on stderr.
 *
 * Arguments: `--case mlp|lenet` (default both; 8-16-1 on 512 rows, LeNet on 2,000 images of MNIST), `--calls n` later
 * ones of each (default 11), `--checkout DIR` another build that is called in turn (several; the first case needs its `dist/bench/start-data.js`), `--node PATH` the Node.js
 * that runs them (default this one).
 */
export async function runBench({ args, log }: BenchOptions): Promise<{
  readonly bench: "start";
  readonly cases: readonly StartBenchCase[];
}> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: [...CASES] },
      calls: { type: "string", default: "11" },
      checkout: { type: "string", multiple: true, default: [] },
      node: { type: "string", default: process.execPath },
    },
  });
  const calls = parseCount("--calls", 1)(values.calls);
  checkNames("--case", values.case, CASES);
  const checkouts = [ROOT, ...values.checkout.map((path) => resolve(path))];
  for (const checkout of checkouts) checkPath("--checkout", checkout);
  // A name without a folder is looked for by the system.
  if (basename(values.node) !== values.node) checkPath("--node", values.node);
  await selectBackend();
  const folder = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  try {
    const cases: StartBenchCase[] = [];
    for (const name of CASES.filter((one) => values.case.includes(one))) {
      const found = checkouts.map(() => [] as Call[]);
      // Each build has a run of its own: a point that another has stored is not evaluated.
      for (const i of checkouts.keys()) await record(name, join(folder, `${name}-${i}`));
      for (let call = 0; call <= calls; call++) {
        for (const [i, checkout] of checkouts.entries()) {
          const run = join(folder, `${name}-${i}`);
          found[i]?.push(await timeCall(values.node, checkout, name, run, FIRST_SIZE + call));
        }
        log(`start: ${name}, call ${call} of ${calls}`);
      }
      const several = checkouts.length > 1;
      for (const [i, checkout] of checkouts.entries()) {
        const of = several ? { of: checkout } : {};
        const [first, ...later] = found[i] as [Call, ...Call[]];
        cases.push(summary(`${name}, first call`, of, [first]), summary(`${name}, later call`, of, later));
      }
    }
    return { bench: "start", cases };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summary(name: string, of: { readonly of?: string }, calls: readonly Call[]): StartBenchCase {
  const of3 = (time: (call: Call) => number): Seconds => {
    const sorted = calls.map(time).sort((a, b) => a - b);
    return [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)] as [number, number, number];
  };
  return {
    case: name,
    ...of,
    backend: (calls[0] as Call).backend,
    seconds: of3(({ firstSeconds }) => firstSeconds),
    backendSeconds: of3(({ backendSeconds }) => backendSeconds),
    endSeconds: of3(({ endSeconds }) => endSeconds),
    calls: calls.length,
  };
}

/** Trains a small network and records the run. */
async function record(name: CaseName, directory: string): Promise<void> {
  const callbacks = trajectoryCallback({ directory });
  if (name === "lenet") {
    const { model, xs, ys, batchSize, dispose } = await createCaptureCase("lenet", 2000);
    await model.fit(xs, ys, { epochs: 4, batchSize, verbose: 0, callbacks });
    return dispose();
  }
  const { xs, ys } = loadData();
  const layers = [
    tf.layers.dense({ units: 16, activation: "tanh", inputShape: [8] }),
    tf.layers.dense({ units: 1 }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: "adam", loss: "meanSquaredError" });
  await model.fit(xs, ys, { epochs: 8, verbose: 0, callbacks });
  tf.dispose([xs, ys]);
  model.dispose();
}

/** Calls `surface` and takes the time of what it says. */
async function timeCall(
  node: string,
  checkout: string,
  name: CaseName,
  run: string,
  size: number,
): Promise<Call> {
  const data = name === "lenet" ? "examples/data/mnist.js" : "dist/bench/start-data.js";
  const args = ["bin/tfjs-landscape.js", "surface", run, "--data", data, "--size", String(size)];
  const begin = performance.now();
  const child = spawn(node, args, { cwd: checkout, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const times = new Map<string, number>();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    for (const line of ["backend ", "loss surface, points"]) {
      if (!times.has(line) && said.includes(line)) times.set(line, (performance.now() - begin) / 1000);
    }
  });
  const code = await new Promise<number | null>((done, fail) => child.on("close", done).on("error", fail));
  const endSeconds = (performance.now() - begin) / 1000;
  const [backendSeconds, firstSeconds] = [times.get("backend "), times.get("loss surface, points")];
  if (code !== 0 || backendSeconds === undefined || firstSeconds === undefined) {
    throw new Error(`surface: expected a surface, got exit code ${code}: ${said}`);
  }
  const backend = /^backend (\S+)/m.exec(said)?.[1] ?? "unknown";
  return { backend, backendSeconds, firstSeconds, endSeconds };
}

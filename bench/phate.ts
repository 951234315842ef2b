import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createLinearAlgebra } from "../src/backend/linear-algebra/create-linear-algebra.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { InvalidOptionError } from "../src/base/errors.js";
import { parseCount } from "../src/cli/command-options.js";
import { distancesFromRows, type PointRows } from "../src/embedding/distance-source.js";
import { type PhateResult, phate } from "../src/embedding/phate/phate.js";
import type { PhateStage } from "../src/embedding/phate/phate-options.js";
import { trustworthiness } from "../src/embedding/quality/trustworthiness.js";
import type { BenchOptions } from "./bench-options.js";
import { median } from "./capture-statistics.js";
import { branchingWalk } from "./phate-walk.js";
import { type PythonPeer, preparePython, startPeer } from "./python-peer.js";

/** PHATE of a branching random walk, cosine distance and defaults: ours against Python. */
export interface PhateCase {
  readonly case: string;
  readonly backend: string;
  /** Median seconds. */
  readonly ours: number;
  readonly peer: number | null;
  /** Median over repetitions of ours / peer, measured in turn. */
  readonly ratio: number | null;
  /** The PHATE package, or the whole of its steps in numpy, scipy, scikit-learn and numba. */
  readonly peerEngine: "phate" | "steps" | null;
  readonly repetitions: number;
  /** Seconds of each of our stages, in the last repetition. */
  readonly stages: Readonly<Record<string, number>>;
  readonly t: number;
  readonly peerT: number | null;
  /** √(stress / Σδ²). */
  readonly normalizedStress: number;
  /** The same of the peer's scaling; null where it cannot tell. */
  readonly peerStress: number | null;
  /** Of our embedding; null above 2000 points. */
  readonly trustworthiness: number | null;
}

/** The report of the bench. */
export interface PhateReport {
  readonly bench: "phate";
  readonly cases: readonly PhateCase[];
}

const THREADS = 2;
/** Cases of so few points are repeated more often: they take no time, and code is compiled while it runs. */
const FEW_POINTS = 1000;
/** PHATE's own. */
const LEAST_POINTS = 3;
const DEFAULT_CASES = ["500x50", "1000x50", "2000x50", "5000x50", "500x100000"];

/**
 * Measures PHATE against Python on branching random walks, cosine distance and defaults, in turn.
 *
 * Arguments: `--case NxD` (repeatable; default 500x50, 1000x50, 2000x50, 5000x50 and 500x100000),
 * `--repetitions n` (default 15 up to 1000 points, 3 above), `--no-peer`. The PHATE package comes from the pip index; where that
 * has none the peer is its steps, metric scaling included, in numpy, scipy, scikit-learn and numba, and says so.
 */
export async function runBench({ args, log }: BenchOptions): Promise<PhateReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: DEFAULT_CASES },
      repetitions: { type: "string" },
      "no-peer": { type: "boolean", default: false },
    },
  });
  const asked = values.repetitions === undefined ? null : parseCount("--repetitions")(values.repetitions);
  const isWrong = (name: string) => !/^\d+x[1-9]\d*$/.test(name) || Number.parseInt(name, 10) < LEAST_POINTS;
  const wrong = values.case.find(isWrong);
  if (wrong !== undefined) {
    throw new InvalidOptionError("--case", `NxD with at least ${LEAST_POINTS} points`, wrong);
  }
  const backend = await selectBackend();
  log(`phate: ${backend.name}, ${backend.reason}`);
  const directory = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  const python = values["no-peer"] ? null : preparePython(log, "requirements-phate.txt");
  const peer = python === null ? null : startPeer(python, "phate_peer.py", THREADS);
  try {
    const engine = peer === null ? null : await findEngine(peer, python ?? "", log);
    const cases: PhateCase[] = [];
    for (const name of values.case) {
      const repetitions = asked ?? (Number(name.split("x")[0]) <= FEW_POINTS ? 15 : 3);
      const settings = { name, backend: backend.name, repetitions, directory };
      cases.push(await runCase(settings, peer, engine, log));
    }
    return { bench: "phate", cases };
  } finally {
    peer?.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Installs the PHATE package beside the environment where the pip index has it, and asks what is used. */
async function findEngine(
  peer: PythonPeer,
  python: string,
  log: (line: string) => void,
): Promise<"phate" | "steps"> {
  const folder = join(homedir(), ".cache", "tfjs-landscape", "phate-1.0.11");
  if (!existsSync(join(folder, "phate"))) {
    const pip = ["-m", "pip", "install", "--quiet", "--retries", "1", "--target", folder, "phate==1.0.11"];
    spawnSync(python, pip, { stdio: "ignore" });
  }
  const { engine, versions } = await peer.ask({ path: folder });
  if (engine === "steps")
    log(
      "phate: the pip index has no PHATE package; the peer is its steps with the same libraries, SGD by numba",
    );
  log(`phate peer: ${engine} ${JSON.stringify(versions)}`);
  return engine as "phate" | "steps";
}

interface CaseSettings {
  readonly name: string;
  readonly backend: string;
  readonly repetitions: number;
  readonly directory: string;
}

async function runCase(
  { name, backend, repetitions, directory }: CaseSettings,
  peer: PythonPeer | null,
  peerEngine: "phate" | "steps" | null,
  log: (line: string) => void,
): Promise<PhateCase> {
  const [count, dimension] = name.split("x").map(Number);
  const points: PointRows = { rows: branchingWalk(count, dimension), count, dimension };
  await sendPoints(peer, points, directory);
  const pairs: { ours: number; peer: number }[] = [];
  let run: TimedRun | undefined;
  let answer: Record<string, unknown> = {};
  // The first repetition warms up both sides and is not counted.
  for (let i = 0; i <= repetitions; i++) {
    run = await timedRun(points);
    answer = (await peer?.ask({ embed: i })) ?? {};
    const pair = { ours: run.seconds, peer: (answer.seconds as number | undefined) ?? Number.NaN };
    if (i > 0) pairs.push(pair);
    const other = peer === null ? "" : `, Python ${pair.peer.toFixed(2)} s`;
    log(`phate ${name}: ${pair.ours.toFixed(2)} s${other}`);
  }
  if (run === undefined) throw new Error("bench phate: expected at least one repetition");
  const { result, stages } = run;
  return {
    case: `N${count}xD${dimension}`,
    backend,
    ours: median(pairs.map(({ ours }) => ours)),
    peer: peer === null ? null : median(pairs.map((pair) => pair.peer)),
    ratio: peer === null ? null : median(pairs.map((pair) => pair.ours / pair.peer)),
    peerEngine,
    repetitions,
    stages,
    t: result.t,
    peerT: (answer.t as number | undefined) ?? null,
    normalizedStress: result.normalizedStress,
    peerStress: (answer.normalizedStress as number | null | undefined) ?? null,
    trustworthiness: count > 2000 || dimension > 1000 ? null : trustOf(points, result),
  };
}

interface TimedRun {
  readonly result: PhateResult;
  readonly seconds: number;
  readonly stages: Readonly<Record<string, number>>;
}

async function timedRun(points: PointRows): Promise<TimedRun> {
  const begins: { stage: PhateStage; at: number }[] = [];
  const begin = performance.now();
  const result = await phate(points, createLinearAlgebra(), {
    knnDist: "cosine",
    onProgress: (stage) => begins.push({ stage, at: performance.now() }),
  });
  const end = performance.now();
  const stages = begins.map(({ stage, at }, i) => [stage, ((begins[i + 1]?.at ?? end) - at) / 1000] as const);
  return { result, seconds: (end - begin) / 1000, stages: Object.fromEntries(stages) };
}

async function sendPoints(peer: PythonPeer | null, points: PointRows, directory: string): Promise<void> {
  if (peer === null) return;
  const file = join(directory, "points.f64");
  const { buffer, byteOffset, byteLength } = points.rows;
  writeFileSync(file, new Uint8Array(buffer, byteOffset, byteLength));
  await peer.ask({ load: file, rows: points.count, columns: points.dimension });
  await rm(file);
}

function trustOf(points: PointRows, { embedding, count, dimensions }: PhateResult): number {
  return trustworthiness(
    distancesFromRows(points, "cosine"),
    distancesFromRows({ rows: embedding, count, dimension: dimensions }, "euclidean"),
  );
}

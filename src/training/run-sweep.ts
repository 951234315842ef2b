import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { currentBackend } from "../backend/current-backend.js";
import { FormatError, InvalidOptionError, messageOf, RunStateError } from "../base/errors.js";
import { type OptionNames, refuseUnknown } from "../base/option-names.js";
import { createProcessRunner } from "../jobs/process-runner.js";
import type { ProgramModule, TaskRunner, TaskSession } from "../jobs/task-runner.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";
import { openRun } from "../store/run/open-run.js";
import { inspectDirectory } from "../store/run/prepare-run.js";
import type { Run } from "../store/run/run.js";
import { lockRun } from "../store/run/run-lock.js";
import { type Lane, runLanes } from "../surface/evaluate-points.js";
import { checkedCount } from "./jump-options.js";
import { choiceOf, ONE_THREAD } from "./jump-processes.js";
import {
  importSweep,
  type PlannedSetting,
  planSweep,
  type SweepFigures,
  type SweepPlan,
  type SweepSettings,
  type SweepValues,
} from "./sweep-module.js";
import type { SweepOperations, SweepOrder } from "./sweep-program.js";
import { readSweepRecord, type SweepRecord, writeSweepRecord } from "./sweep-record.js";

/** The file by which a folder is known as a run. */
const RUN_FILE = "run.json";

/** What is done with runs of an earlier text of `train`, or of another backend. */
export const CHANGED_CHOICES = ["refuse", "keep", "retrain"] as const;

/** Options of {@link runSweep}. */
export interface SweepOptions {
  /** Folder for the runs (`runs/`) and what became of them (`results/`). Needed. */
  readonly directory: string;
  /** Values in place of those of the module's grid, by the name of the setting: `{ epochs: [300] }`. Default none. */
  readonly set?: SweepValues | undefined;
  /** Trainings at a time, each in a process of its own. Default one for every two processors. */
  readonly workers?: number | undefined;
  /**
   * What runs the trainings, such as workers on other machines (`createQueueRunner`), each in a process of its own with one
   * thread; they have been started with the same module, and the runs come into `directory`. Default this machine.
   */
  readonly runner?: TaskRunner | undefined;
  /**
   * What is done with runs that are there and were made by another text of `train` or on another backend: "refuse" (the
   * default) trains nothing and names them, "keep" takes them as they are, "retrain" replaces them. What `train` imports
   * is not looked at.
   */
  readonly changed?: (typeof CHANGED_CHOICES)[number] | undefined;
  /**
   * A figure that runs are to have, such as the one that they are compared by afterwards. Where neither the runs that are
   * found nor the first that is trained has it, the sweep ends there: its name is wrong. Default none.
   */
  readonly by?: string | undefined;
  /**
   * Called with the runs that are found, if another is to be trained, and with each that is trained and did not fail: what
   * it throws ends the sweep, and what is trained stays. For what only a run can show, such as whether its loss has the form
   * that is to be compared. Default none.
   */
  readonly checkRuns?: ((runs: readonly SweepRun[]) => void | Promise<void>) | undefined;
  /** Ends the trainings under way; what is finished stays. Default none. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the settings that have an outcome, and the newest of them; those found come first. */
  readonly onProgress?: ((done: number, total: number, run: SweepRun) => void) | undefined;
}

const OPTION_NAMES: OptionNames<SweepOptions> = {
  directory: true,
  set: true,
  workers: true,
  runner: true,
  changed: true,
  by: true,
  checkRuns: true,
  signal: true,
  onProgress: true,
};

/** One setting of a sweep, and what became of it. */
export interface SweepRun {
  readonly settings: SweepSettings;
  /** "optimizer=adam, rate=0.001". */
  readonly name: string;
  /** Absolute path of the run. */
  readonly directory: string;
  /** Trained now, found complete from an earlier call, or failed. */
  readonly status: "made" | "found" | "failed";
  /** What the last snapshot logged, and what `train` returned, which goes first; empty where it failed. */
  readonly figures: SweepFigures;
  /** Snapshots and epochs of the run; 0 where it failed. */
  readonly snapshots: number;
  readonly epochs: number;
  /** Wall clock of the training. */
  readonly seconds: number;
  /** Why it failed; null otherwise. */
  readonly error: string | null;
  /** Whether it was kept although `train` or the backend is another now. */
  readonly isOutdated: boolean;
}

/** Every training of a sweep. */
export interface SweepStudy {
  /** Absolute path of the folder. */
  readonly directory: string;
  /** One for each combination of settings, in the order of the module. */
  readonly runs: readonly SweepRun[];
}

/**
 * Trains one network for each combination of settings that a module asks for, each in a process and a run directory of
 * its own.
 *
 * A training that throws, or whose process dies three times, is reported and the others go on. Called again, it finds
 * complete runs, and trains what is missing, failed or was ended half way, from its beginning. Everything is
 * checked before the first training.
 *
 * @param file - the module: see {@link defineSweep}.
 * @throws {@link InvalidOptionError} for a module or an option that cannot be used.
 * @throws {@link RunStateError} if a folder holds something else, a run was made by another `train` (see `changed`), or
 *   another process works in the directory.
 * @example
 * const study = await runSweep("sweep.ts", { directory: "runs/sweep", workers: 2 });
 * console.log(study.runs.filter(({ status }) => status === "failed"));
 */
export async function runSweep(file: string, options: SweepOptions): Promise<SweepStudy> {
  const { plan, directory, workers } = await checkSweep(file, options);
  const { changed = "refuse", signal, runner } = options;
  const backend = currentBackend();
  if (!["native", "wasm", "js"].includes(backend.name)) {
    const expected = "native, wasm or js, which a process can choose by itself";
    throw new InvalidOptionError("backend", expected, `"${backend.name}"`);
  }
  await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const lock = await lockRun(directory);
  try {
    const found = await findRuns(directory, plan.settings, { ...plan, backend: backend.name }, changed);
    const order: SweepOrder = { setup: resolve(file), backend: choiceOf(backend) };
    const isMissing = plan.settings.some((one) => !found.has(one));
    const trainings =
      runner === undefined || !isMissing
        ? processTrainings(order, workers)
        : await openTrainings(runner, order, signal);
    try {
      const making: Making = { trainings, trainDigest: plan.trainDigest, backend: backend.name, signal };
      const make = (one: PlannedSetting) => makeRun(directory, one, making);
      return { directory, runs: await outcomes(plan.settings, found, trainings, make, options) };
    } finally {
      trainings.dispose();
    }
  } finally {
    await lock.release();
  }
}

/** What a sweep would do. */
export interface CheckedSweep {
  readonly plan: SweepPlan;
  /** Absolute path. */
  readonly directory: string;
  readonly workers: number;
}

/**
 * Checks the module and the options of a sweep, before a backend is needed; changes nothing.
 *
 * @throws {@link InvalidOptionError} for a module or an option that cannot be used; {@link RunStateError} if the
 * directory is that of a run.
 */
export async function checkSweep(file: string, options: SweepOptions): Promise<CheckedSweep> {
  refuseUnknown(options, OPTION_NAMES);
  const { changed = "refuse", by } = options;
  if (typeof options.directory !== "string" || options.directory === "") {
    throw new InvalidOptionError("directory", "a folder", JSON.stringify(options.directory) ?? "none");
  }
  if (!CHANGED_CHOICES.includes(changed)) {
    throw new InvalidOptionError("changed", `one of ${CHANGED_CHOICES.join(", ")}`, JSON.stringify(changed));
  }
  if (by !== undefined && (typeof by !== "string" || by.trim() === "")) {
    throw new InvalidOptionError("by", "the name of a figure", JSON.stringify(by));
  }
  const workers = checkedCount("workers", options.workers ?? Math.max(1, availableParallelism() >> 1));
  if (options.runner !== undefined && options.workers !== undefined)
    throw new InvalidOptionError("workers", "none beside a runner, which has its own", String(workers));
  const directory = resolve(options.directory);
  if (existsSync(join(directory, RUN_FILE))) {
    const hint = "choose another folder: a sweep puts its runs and results into one of its own";
    throw new RunStateError(directory, "a folder for the runs of a sweep", `a run (${RUN_FILE})`, { hint });
  }
  const plan = planSweep(await importSweep(resolve(file)), file, options.set);
  return { plan, directory, workers };
}

/**
 * Checks that the runs so far have the figure that they are to be compared by.
 *
 * @throws {@link InvalidOptionError} naming the figures that they have, if none has it.
 */
function checkFigure(runs: Iterable<SweepRun>, by: string | undefined): void {
  const complete = [...runs].filter(({ status }) => status !== "failed");
  if (by === undefined || complete.length === 0) return;
  const names = [...new Set(complete.flatMap(({ figures }) => Object.keys(figures)))];
  if (names.includes(by)) return;
  const hint = "what is trained stays: the same command with another name goes on";
  throw new InvalidOptionError("by", `one of ${names.join(", ") || "no figure at all"}`, `"${by}"`, { hint });
}

function runFolder(directory: string, { folder }: PlannedSetting): string {
  return join(directory, "runs", folder);
}

/** What a process should give, as errors say it. */
const TRAINING = "a training";

type Maker = Pick<SweepRecord, "trainDigest" | "backend">;

/**
 * Returns the complete runs that may be taken.
 *
 * @throws {@link RunStateError} if a folder holds something that no sweep has put there, or a run of another maker is to
 * be refused.
 */
async function findRuns(
  directory: string,
  settings: readonly PlannedSetting[],
  now: Maker,
  changed: NonNullable<SweepOptions["changed"]>,
): Promise<Map<PlannedSetting, SweepRun>> {
  const found = new Map<PlannedSetting, SweepRun>();
  const refused: string[] = [];
  for (const one of settings) {
    const folder = runFolder(directory, one);
    const record = await readSweepRecord(directory, one.folder);
    const state = record === null ? await inspectDirectory(folder) : null;
    if (state === "run") {
      const hint = "move it away, or choose another directory";
      throw new RunStateError(folder, "a run of this sweep or nothing", "a run of something else", { hint });
    }
    if (record?.status !== "complete") continue;
    const isOutdated = record.trainDigest !== now.trainDigest || record.backend !== now.backend;
    if (isOutdated && changed === "retrain") continue;
    if (isOutdated && changed === "refuse") {
      refused.push(record.backend === now.backend ? one.name : `${one.name} on ${record.backend}`);
      continue;
    }
    const run = await runAt(folder);
    if (run !== null) found.set(one, outcomeOf(one, folder, record, run, "found", isOutdated));
  }
  if (refused.length > 0) {
    const hint = 'changed: "keep" (--changed keep) takes them as they are, "retrain" replaces them';
    const got = `${refused.length} of another text or backend (${refused.slice(0, 3).join("; ")})`;
    throw new RunStateError(directory, `runs of this train() on ${now.backend}`, got, { hint });
  }
  return found;
}

/** A run with snapshots; null where there is none any more, or it is damaged: it is trained anew. */
async function runAt(folder: string): Promise<Run | null> {
  try {
    const run = await openRun(folder);
    await run.close();
    return run.snapshots.length > 0 ? run : null;
  } catch (error) {
    if (error instanceof RunStateError || error instanceof FormatError) return null;
    throw error;
  }
}

function outcomeOf(
  { settings, name }: PlannedSetting,
  directory: string,
  { figures, seconds }: SweepRecord,
  { snapshots }: Run,
  status: SweepRun["status"],
  isOutdated: boolean,
): SweepRun {
  const last = snapshots.at(-1);
  return {
    ...{ settings, name, directory, status, seconds, isOutdated, error: null },
    figures: { ...last?.logs, ...figures },
    snapshots: snapshots.length,
    epochs: last?.epoch ?? 0,
  };
}

/** Makes the runs that are not found, so many at a time. */
async function outcomes(
  settings: readonly PlannedSetting[],
  found: ReadonlyMap<PlannedSetting, SweepRun>,
  { width }: Pick<Trainings, "width">,
  make: (one: PlannedSetting) => Promise<SweepRun>,
  { signal, onProgress, by, checkRuns }: SweepOptions,
): Promise<SweepRun[]> {
  const done = new Map<PlannedSetting, SweepRun>();
  const finish = (one: PlannedSetting, run: SweepRun): void => {
    done.set(one, run);
    onProgress?.(done.size, settings.length, run);
  };
  for (const [one, run] of found) finish(one, run);
  checkFigure(done.values(), by);
  const waiting = settings.filter((one) => !found.has(one));
  if (found.size > 0 && waiting.length > 0) await checkRuns?.([...found.values()]);
  const lane: Lane = async (stop, goesOn) => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      stop?.throwIfAborted();
      const run = await make(one);
      finish(one, run);
      checkFigure(done.values(), by);
      if (run.status !== "failed") await checkRuns?.([run]);
      if (!goesOn()) return;
    }
  };
  // Whatever ends one, such as a full disk, ends all.
  await runLanes({ width, left: () => waiting.length }, signal, lane);
  return settings.map((one) => done.get(one) as SweepRun);
}

interface Making extends Maker {
  readonly trainings: Trainings;
  readonly signal: AbortSignal | undefined;
}

/** Trains one setting in a new process: names of layers, memory and random numbers begin anew. */
async function makeRun(directory: string, one: PlannedSetting, making: Making): Promise<SweepRun> {
  const { trainDigest, backend, signal } = making;
  const folder = runFolder(directory, one);
  const begun: SweepRecord = {
    settings: one.settings,
    status: "started",
    ...{ trainDigest, backend, seconds: 0, figures: {}, error: null },
  };
  await writeSweepRecord(directory, one.folder, begun);
  const start = performance.now();
  const seconds = () => Number(((performance.now() - start) / 1000).toFixed(3));
  try {
    const { figures, seconds: elsewhere } = await making.trainings.train(folder, one, signal);
    const taken = elsewhere === null ? seconds() : Number(elsewhere.toFixed(3));
    const record: SweepRecord = { ...begun, status: "complete", seconds: taken, figures };
    const run = await runAt(folder);
    if (run === null) {
      throw new RunStateError(folder, "a run that train() has recorded in task.directory", "none");
    }
    await writeSweepRecord(directory, one.folder, record);
    return outcomeOf(one, folder, record, run, "made", false);
  } catch (error) {
    // Ended from outside: it has not failed, and is trained anew.
    signal?.throwIfAborted();
    const said = messageOf(error);
    const message = said.replace(`${one.name}: expected ${TRAINING}, got `, "");
    const record: SweepRecord = { ...begun, status: "failed", seconds: seconds(), error: message };
    await writeSweepRecord(directory, one.folder, record);
    return {
      ...{ settings: one.settings, name: one.name, directory: folder, status: "failed", error: message },
      ...{ figures: {}, snapshots: 0, epochs: 0, seconds: record.seconds, isOutdated: false },
    };
  }
}

/** What trains settings, so many at a time. */
interface Trainings {
  width(): number;
  /** Trains one into a folder; `seconds` is null where the caller's clock counts. */
  train(
    folder: string,
    one: PlannedSetting,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly figures: SweepFigures; readonly seconds: number | null }>;
  dispose(): void;
}

const FILE = "dist/src/training/sweep-program.js";

/** Trainings in processes of this machine, each started for its own. */
function processTrainings(order: SweepOrder, workers: number): Trainings {
  const threads = String(Math.max(1, Math.floor(availableParallelism() / workers)));
  const environment = { TF_NUM_INTRAOP_THREADS: threads, OMP_NUM_THREADS: threads };
  return {
    width: () => workers,
    async train(folder, one, signal) {
      const runner = createProcessRunner(1);
      try {
        const session = await openSession(runner, { file: FILE, environment }, order, signal);
        return { ...(await trainOne(session, folder, one, signal)), seconds: null };
      } finally {
        runner.dispose();
      }
    },
    dispose: () => undefined,
  };
}

/** Trainings in what a runner has, which starts a process for each. */
async function openTrainings(
  runner: TaskRunner,
  order: SweepOrder,
  signal: AbortSignal | undefined,
): Promise<Trainings> {
  const program = { file: FILE, environment: ONE_THREAD, isFresh: true };
  const session = await openSession(runner, program, order, signal);
  return {
    width: () => session.concurrency,
    train: (folder, one, stop) => trainOne(session, folder, one, stop),
    dispose: () => session.dispose(),
  };
}

type SweepSession = TaskSession<null, SweepOperations>;

function openSession(
  runner: TaskRunner,
  program: ProgramModule,
  order: SweepOrder,
  signal: AbortSignal | undefined,
): Promise<SweepSession> {
  return runner.open<SweepOrder, null, SweepOperations>(program, order, { signal });
}

function trainOne(
  session: SweepSession,
  directory: string,
  one: PlannedSetting,
  signal: AbortSignal | undefined,
): ReturnType<SweepSession["run"]> {
  const input = { settings: one.settings, task: { directory, name: one.name } };
  const onDeaths = (deaths: number, how: string) =>
    new RunStateError(one.name, "a process that trains it", `${deaths} that died, the last with ${how}`);
  return session.run("train", input, { name: one.name, expected: TRAINING, onDeaths, signal, directory });
}

import { stat, writeFile } from "node:fs/promises";
import { availableParallelism, freemem } from "node:os";
import { resolve } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import omit from "lodash/omit.js";
import { type BackendChoice, currentBackend } from "../../backend/current-backend.js";
import { wholeNumber } from "../../base/check-option.js";
import {
  BackendError,
  EvaluationError,
  InvalidOptionError,
  LandscapeError,
  messageOf,
} from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import { createJobFolder, type JobFolder } from "../../jobs/job-folder.js";
import { createProcessRunner } from "../../jobs/process-runner.js";
import type { TaskRunner, TaskSession } from "../../jobs/task-runner.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import type { EvaluationData } from "../evaluation-data.js";
import {
  createSharedUse,
  type EvaluatorFacts,
  type LossEvaluator,
  type OtherDataOptions,
} from "../loss-evaluator.js";
import {
  type LossEvaluatorOptions,
  type ResolvedModelLossOptions,
  resolveEvaluation,
} from "../loss-options.js";
import { evaluationDigest, planLoss } from "../loss-plan.js";
import { portsOf } from "../model-ports.js";
import { undefinedVariances } from "../undefined-points.js";
import type { EvaluationSetOrder, LossOperations, LossOrder, SetFile } from "./loss-order.js";
import { describeModel } from "./model-recipe.js";
import { type SessionParts, sessionEvaluator } from "./session-evaluator.js";
import { type SpooledData, spoolData } from "./spooled-data.js";

/** Memory of a worker process without model and data: Node.js, TensorFlow.js and an engine. */
const BASE_BYTES = 400 * 2 ** 20;
/** Copies of the data in a worker: in engine form and batches, and while they are prepared. */
const DATA_COPIES = 3;
/** Vectors as long as θ in a worker: θ*, two directions, θ, and the weights on the engine in two forms. */
const THETA_COPIES = 6;
const MOST_WORKERS = 256;

/** How many worker processes, and threads in each. */
export interface WorkerCount {
  readonly workers: number;
  readonly threads: number;
}

/** What the number of workers depends on. */
export interface WorkerNeeds {
  readonly dataBytes: number;
  readonly parameterCount: number;
}

/**
 * Settles the number of worker processes and of threads in each.
 *
 * "auto" is one process for each processor with one thread (two processes of one thread are faster than one
 * of two threads on every engine that was measured), fewer where memory does not hold so many, with more
 * threads in each then. A number given has one thread in each, whatever the number, so that values do not
 * depend on it.
 *
 * @throws {@link InvalidOptionError} if the number cannot be used.
 */
export function settleWorkerCount(
  asked: number | "auto",
  threads: number | undefined,
  needs: WorkerNeeds,
  machine: { readonly processors: number; readonly freeBytes: number } = {
    processors: availableParallelism(),
    freeBytes: freemem(),
  },
): WorkerCount {
  if (threads !== undefined) wholeNumber("threads", threads);
  if (asked !== "auto") {
    if (Number.isInteger(asked) && asked >= 1 && asked <= MOST_WORKERS) {
      return { workers: asked, threads: threads ?? 1 };
    }
    throw new InvalidOptionError(
      "workers",
      `"auto", or a whole number from 1 to ${MOST_WORKERS}`,
      String(asked),
    );
  }
  const bytes = BASE_BYTES + DATA_COPIES * needs.dataBytes + 4 * THETA_COPIES * needs.parameterCount;
  const fitting = Math.max(1, Math.floor((0.8 * machine.freeBytes) / bytes));
  const workers = Math.min(Math.max(1, Math.floor(machine.processors / (threads ?? 1))), fitting);
  return { workers, threads: threads ?? Math.max(1, Math.floor(machine.processors / workers)) };
}

const MODULE = "dist/src/loss/workers/loss-program.js";

/**
 * Creates what computes a model's exact loss and metrics at any θ in worker processes, several points at a time.
 *
 * Model, data and slices go to the workers in files in the folder for temporary files, read once by each; the
 * engine and batch size are chosen once, by the first, and the others start then: all at once where they are given.
 * `dispose` ends the workers.
 *
 * @throws as `createLossEvaluator`; {@link BackendError} if the program has set a backend that workers cannot start.
 */
export async function createWorkerEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: LossEvaluatorOptions,
): Promise<LossEvaluator> {
  const { signal } = options;
  const resolved = resolveEvaluation(options);
  const plan = planLoss(model, resolved);
  const layout = resolved.layout ?? layoutOfModel(model);
  const backend = workerBackend();
  refuseFunctions(options);
  const setup = options.setup === undefined ? null : await inspectSetup(resolve(options.setup), options);
  const folder = await createJobFolder();
  let runner: TaskRunner | undefined;
  try {
    const recipe = await describeModel(model, folder.file("weights.bin"), setup?.hasModel ?? false);
    const set = await describeSet(folder, "data", model, data, resolved, options);
    const { parameterCount } = layoutOfModel(model);
    const dataBytes = Math.min(await bytesOf(set.data), resolved.cacheBytes);
    const threads = options.reuse?.threads || options.threads;
    const asked = options.runner?.processes ?? options.workers ?? "auto";
    const count = settleWorkerCount(asked, threads, { dataBytes, parameterCount });
    const { calibration } = options;
    const order: LossOrder = {
      backend,
      setup: setup?.file ?? null,
      model: recipe,
      set,
      calibration: await spoolCalibration(folder, model, data, resolved, options),
      options: {
        ...omit(options, ["signal", "lossFunction", "workers", "runner", "setup", "dataExport"]),
        ...(calibration ? { calibration: omit(calibration, "data") } : {}),
        layout,
        threads: count.threads,
      },
      hasLossFunction: options.lossFunction !== undefined,
      modelDigest: evaluationDigest(model, layout, plan),
    };
    if (options.runner === undefined) runner = createProcessRunner(count.workers);
    const session = await openSession(options.runner ?? (runner as TaskRunner), order, signal);
    const use = createSharedUse(() => {
      session.dispose();
      runner?.dispose();
      folder.remove();
    });
    let ids = 0;
    let users = 1;
    const parts = {
      session,
      folder,
      layout,
      undefinedAt: undefinedVariances(model, layout),
      newId: () => ids++,
      release() {
        users--;
        if (users === 0) use.close();
      },
    };
    const facts: EvaluatorFacts = {
      ...session.facts,
      request: resolved.request,
      workers: count.workers,
    };
    const withData: SessionParts["withData"] = (other, how = {}) =>
      use.run(async () => {
        const opened = await openSet(model, other, how, { ...parts, facts, options, resolved });
        users++;
        return sessionEvaluator({ ...parts, ...opened, withData });
      });
    return sessionEvaluator({ ...parts, facts, set: null, withData });
  } catch (error) {
    runner?.dispose();
    folder.remove();
    throw error;
  }
}

function openSession(
  runner: TaskRunner,
  order: LossOrder,
  signal: AbortSignal | undefined,
): Promise<TaskSession<EvaluatorFacts, LossOperations>> {
  const threads = String(order.options.threads);
  const environment = {
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: "1",
    OMP_NUM_THREADS: threads,
  };
  return runner.open<LossOrder, EvaluatorFacts, LossOperations>({ file: MODULE, environment }, order, {
    settle: isChosen(order.options)
      ? undefined
      : (given, { engine }) => ({ ...given, options: { ...given.options, reuse: engine } }),
    check(facts, first) {
      if (facts.dataDigest === first.dataDigest) return null;
      const expected = `the same data in every process (digest ${first.dataDigest.slice(0, 12)})`;
      return new EvaluationError("worker processes: data", expected, facts.dataDigest.slice(0, 12));
    },
    probe: "probe",
    signal,
  });
}

/** Whether nothing is left to be chosen, and timed, by a first process alone: all of them may start at once. */
function isChosen({ engine = "auto", batchSize, device, reuse }: LossOrder["options"]): boolean {
  if (reuse !== undefined) return reuse.batchSize > 0 && device !== "auto";
  return engine !== "auto" && batchSize !== undefined && device === undefined;
}

/** Has the processes of a session open another evaluation set. */
async function openSet(
  model: tf.LayersModel,
  data: EvaluationData,
  { dataId, reuse, dataExport, signal }: OtherDataOptions,
  {
    session,
    folder,
    newId,
    facts,
    options,
    resolved,
  }: Pick<SessionParts, "session" | "folder" | "newId" | "facts"> & {
    readonly options: LossEvaluatorOptions;
    readonly resolved: ResolvedModelLossOptions;
  },
): Promise<Pick<SessionParts, "facts" | "set">> {
  const id = newId();
  const asked = { dataId, reuse: reuse ?? facts.engine, dataExport };
  const order = await describeSet(folder, `data-${id}`, model, data, { ...resolved, signal }, asked);
  const set: SetFile = { id, file: folder.file(`set-${id}.json`) };
  const open = async (choice: OtherDataOptions["reuse"]): Promise<EvaluatorFacts> => {
    const own: EvaluationSetOrder = { ...order, options: { dataId, reuse: choice } };
    await writeFile(set.file, JSON.stringify(own));
    const how = { name: "the evaluation set", expected: "data that fit the model", signal };
    return session.run("openSet", { set }, how);
  };
  const found = await open(asked.reuse).catch((error: unknown) => {
    // The engine that serves for the first set may refuse this one.
    const isOwn = reuse !== undefined || options.engine !== undefined || options.device !== undefined;
    if (isOwn || !(error instanceof LandscapeError)) throw error;
    return open(undefined);
  });
  // Every process has the engine of the first.
  await writeFile(set.file, JSON.stringify({ ...order, options: { dataId, reuse: found.engine } }));
  return { facts: { ...found, request: facts.request, workers: facts.workers }, set };
}

/** How an evaluation set is read when it is spooled. */
type SpoolOptions = Parameters<typeof spoolData>[4];

async function describeSet(
  folder: JobFolder,
  name: string,
  model: tf.LayersModel,
  data: EvaluationData,
  how: SpoolOptions,
  { dataExport, dataId, reuse }: Pick<LossEvaluatorOptions, "dataExport" | "dataId" | "reuse">,
): Promise<EvaluationSetOrder> {
  const spooled = dataExport === undefined ? await spoolData(folder, name, portsOf(model), data, how) : null;
  return { data: spooled, dataExport: dataExport ?? null, options: { dataId, reuse } };
}

async function spoolCalibration(
  folder: JobFolder,
  model: tf.LayersModel,
  data: EvaluationData,
  resolved: SpoolOptions,
  { calibration }: Pick<LossEvaluatorOptions, "calibration">,
): Promise<SpooledData | null> {
  const own = calibration?.data;
  if (own === undefined || own === data) return null;
  const how = { ...resolved, sampleLimit: calibration?.sampleLimit ?? 1024 };
  return spoolData(folder, "calibration", portsOf(model), own, how);
}

function refuseFunctions({ setup, lossFunction, dataExport }: LossEvaluatorOptions): void {
  if (setup !== undefined || (lossFunction === undefined && dataExport === undefined)) return;
  const what = dataExport === undefined ? "lossFunction" : "dataExport";
  throw new EvaluationError(`worker processes: ${what}`, "`setup`, a module that exports it", "none", {
    hint: "a function cannot be handed to a process; or evaluate in this one, without workers",
  });
}

/** The backend of this process, as a worker is asked for it. */
export function workerBackend(): BackendChoice {
  const { name, package: from } = currentBackend();
  if (from === "@tensorflow/tfjs-node-gpu") return "tfjs-node-gpu";
  if (from === "@tensorflow/tfjs-node") return "tfjs-node";
  const choice = (["wasm", "js"] as const).find((known) => known === name);
  if (choice !== undefined) return choice;
  throw new BackendError("worker processes", "a backend of selectBackend()", JSON.stringify(name), {
    hint: "evaluate in this process with createLossEvaluator, without workers",
  });
}

/**
 * Looks into a set-up module, before any process starts.
 *
 * @throws {@link InvalidOptionError} if it does not load, or lacks what it is needed for.
 */
export async function inspectSetup(
  file: string,
  { lossFunction, dataExport }: Pick<LossEvaluatorOptions, "lossFunction" | "dataExport">,
) {
  const where = `setup ${file}`;
  const exports = await importModule(file).catch((cause: unknown) => {
    const got = `an error: ${messageOf(cause)}`;
    throw new InvalidOptionError(where, "a module that loads", got, { cause });
  });
  const needed = [
    ...(lossFunction === undefined || typeof exports.loadLoss === "function" ? [] : ["lossFunction"]),
    ...(dataExport === undefined ? [] : [dataExport]),
  ];
  const missing = needed.find((name) => typeof exports[name] !== "function");
  if (missing !== undefined) throw new InvalidOptionError(where, `an exported function ${missing}()`, "none");
  return { file, hasModel: typeof exports.loadModel === "function" };
}

async function bytesOf(data: SpooledData | null): Promise<number> {
  let bytes = 0;
  for (const { file } of data === null ? [] : [...data.xs, ...data.ys]) bytes += (await stat(file)).size;
  return bytes;
}

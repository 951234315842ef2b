import { rm, stat } from "node:fs/promises";
import { availableParallelism, freemem } from "node:os";
import { join, resolve } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import omit from "lodash/omit.js";
import { type BackendChoice, currentBackend } from "../../backend/current-backend.js";
import { BackendError, EvaluationError, InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import type { Mixture } from "../../directions/mixture.js";
import { isSliceMap, type SlicePoints } from "../../directions/slice-map.js";
import type { ParameterLayout } from "../../model/layout.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import { checkBatchNorm, sliceWriters } from "../batch-norm-policy.js";
import type { LossEvaluatorOptions } from "../create-loss-evaluator.js";
import { engineRequest, resolveEngineOptions, withEarlierChoice } from "../engine/engine-options.js";
import { createSharedUse } from "../evaluate-at.js";
import type { EvaluationData } from "../evaluation-data.js";
import type {
  EvaluatorFacts,
  LossEvaluator,
  LossValue,
  PointEvaluation,
  SampleValues,
  SliceEvaluation,
  SliceLoss,
} from "../loss-evaluator.js";
import { resolveModelLossOptions } from "../loss-evaluator-options.js";
import { planLoss } from "../loss-plan.js";
import { evaluationDigest } from "../model-digest.js";
import { portsOf } from "../model-ports.js";
import { sliceLoss } from "../slice-loss.js";
import { undefinedVariances } from "../undefined-points.js";
import { describeModel } from "./model-recipe.js";
import {
  createWorkerFolder,
  type SpooledData,
  spoolData,
  type WorkerFolder,
  writeRawFile,
} from "./spooled-data.js";
import type { SampleRows, SliceFile, WorkerOrder, WorkerResult, WorkerWork } from "./worker-messages.js";
import { createWorkerPool, type WorkerPool } from "./worker-pool.js";

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
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new InvalidOptionError("threads", "a whole number of at least 1", String(threads));
  }
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

/**
 * Creates what computes a model's exact loss and metrics at any θ in worker processes, several points at a time.
 *
 * Model, data and slices go to the workers in files in the folder for temporary files, read once by each; the
 * engine and batch size are chosen once, by the first. `dispose` ends the workers.
 *
 * @throws as `createLossEvaluator`; {@link BackendError} if the program has set a backend that workers cannot start.
 */
export async function createWorkerEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: LossEvaluatorOptions,
): Promise<WorkerEvaluator> {
  const { workers = "auto", setup: setupPath, dataExport, signal, lossFunction, ...rest } = options;
  resolveEngineOptions(withEarlierChoice(rest));
  const resolved = resolveModelLossOptions(options);
  const plan = planLoss(model, resolved);
  const layout = resolved.layout ?? layoutOfModel(model);
  const backend = workerBackend();
  if (setupPath === undefined && (lossFunction !== undefined || dataExport !== undefined)) {
    const what = dataExport === undefined ? "lossFunction" : "dataExport";
    throw new EvaluationError(`worker processes: ${what}`, "`setup`, a module that exports it", "none", {
      hint: "a function cannot be handed to a process; or evaluate in this one, without workers",
    });
  }
  const setup = setupPath === undefined ? null : await inspectSetup(resolve(setupPath), options);
  const folder = await createWorkerFolder();
  try {
    const recipe = await describeModel(model, join(folder.path, "weights.bin"), setup?.hasModel ?? false);
    const ports = portsOf(model);
    const spooled =
      dataExport === undefined ? await spoolData(folder.path, "data", ports, data, resolved) : null;
    const { calibration } = options;
    const own = calibration?.data === data ? undefined : calibration?.data;
    const calibrationSet =
      own === undefined
        ? null
        : await spoolData(folder.path, "calibration", ports, own, {
            ...resolved,
            sampleLimit: calibration?.sampleLimit ?? 1024,
          });
    const { parameterCount } = layoutOfModel(model);
    const dataBytes = Math.min(await bytesOf(spooled), resolved.cacheBytes);
    const threads = options.reuse?.threads || options.threads;
    const count = settleWorkerCount(workers, threads, { dataBytes, parameterCount });
    const order: WorkerOrder = {
      backend,
      threads: count.threads,
      setup: setup === null ? null : { file: setup.file, dataExport: dataExport ?? null },
      model: recipe,
      data: spooled,
      calibration: calibrationSet,
      options: {
        ...rest,
        ...(calibration ? { calibration: omit(calibration, "data") } : {}),
        layout,
        threads: count.threads,
      },
      hasLossFunction: lossFunction !== undefined,
      modelDigest: evaluationDigest(model, layout, plan),
    };
    const pool = await createWorkerPool(order, count.workers, signal);
    const undefinedAt = undefinedVariances(model, layout);
    const withData: NonNullable<LossEvaluator["withData"]> = (other, { reuse, ...how } = {}) =>
      createWorkerEvaluator(model, other, {
        ...options,
        ...how,
        calibration: calibration === null ? null : { data, ...calibration },
        reuse: reuse ?? pool.facts.engine,
      });
    return poolEvaluator({ pool, folder, workers: count.workers, options, layout, undefinedAt, withData });
  } catch (error) {
    folder.remove();
    throw error;
  }
}

/** The backend of this process, as a worker is asked for it. */
function workerBackend(): BackendChoice {
  const { name, package: from } = currentBackend();
  if (from === "@tensorflow/tfjs-node-gpu") return "tfjs-node-gpu";
  if (from === "@tensorflow/tfjs-node") return "tfjs-node";
  const choice = (["wasm", "js"] as const).find((known) => known === name);
  if (choice !== undefined) return choice;
  throw new BackendError("worker processes", "a backend of selectBackend()", JSON.stringify(name), {
    hint: "evaluate in this process with createLossEvaluator, without workers",
  });
}

async function inspectSetup(file: string, { lossFunction, dataExport }: LossEvaluatorOptions) {
  const where = `setup ${file}`;
  const exports = await importModule(file).catch((cause: unknown) => {
    const got = `an error: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new InvalidOptionError(where, "a module that loads", got, { cause });
  });
  const needed = [
    ...(lossFunction === undefined ? [] : ["lossFunction"]),
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

/** A loss evaluator whose work is done by other processes. */
export interface WorkerEvaluator extends LossEvaluator {
  /** Process ids of the workers that live. */
  workerIds(): readonly number[];
}

/** What the evaluator of a pool is made of. */
interface PoolParts {
  readonly pool: WorkerPool;
  readonly folder: WorkerFolder;
  readonly workers: number;
  readonly options: LossEvaluatorOptions;
  readonly layout: ParameterLayout;
  readonly undefinedAt: (theta: Float32Array) => readonly string[];
  readonly withData: NonNullable<LossEvaluator["withData"]>;
}

function poolEvaluator({ pool, folder, workers, options, ...parts }: PoolParts): WorkerEvaluator {
  const facts: EvaluatorFacts = { ...pool.facts, request: engineRequest(options), workers };
  const { parameterCount, calibration } = facts;
  let ids = 0;
  const newId = (): number => ids++;
  const check = (where: string, theta: Float32Array): void => {
    if (theta.length === parameterCount) return;
    throw new InvalidDataError(where, `${parameterCount} weights`, String(theta.length));
  };
  const evaluate: LossEvaluator["evaluate"] = async (theta, { batchNorm, name = "theta", signal } = {}) => {
    check("theta", theta);
    checkBatchNorm(batchNorm, calibration != null);
    return (await pool.run({ kind: "theta", theta, batchNorm }, name, signal)) as LossValue;
  };
  const openStored = async (slice: SlicePoints, form: SliceFile["form"], how: SliceEvaluation) => {
    const vectors = isMixture(slice) ? slice.models : [slice.center, ...planeVectors(slice)];
    for (const vector of vectors) check("slice", vector);
    const id = newId();
    const { signal, ...sent } = how;
    const file = join(folder.path, `slice-${id}.bin`);
    const stored: SliceFile = { id, file, form, count: vectors.length, how: sent };
    let opened: WorkerResult;
    try {
      await writeRawFile(file, vectors);
      opened = await pool.run({ kind: "open", slice: stored }, "the slice", signal);
    } catch (error) {
      pool.close(id);
      await rm(file, { force: true });
      throw error;
    }
    const use = createSharedUse(() => {
      pool.close(id);
      void rm(file, { force: true });
    });
    const { writeInto } = written(slice, how);
    return {
      isPrepared: (opened as { isPrepared: boolean }).isPrepared,
      async evaluate(alpha: number, beta: number, { name, signal: stop }: PointEvaluation = {}) {
        if (use.isClosed()) throw new EvaluationError("slice", "one in use", "one that was disposed");
        const work = { kind: "point", slice: stored, alpha, beta } as const;
        const place = name ?? `the point (${alpha}, ${beta})`;
        return (await use.run(() => pool.run(work, place, stop))) as LossValue;
      },
      writeInto,
      dispose: use.close,
    };
  };
  /** Points that are written here and travel as θ. */
  const written = (slice: SlicePoints, { batchNorm }: SliceEvaluation): SliceLoss =>
    sliceLoss({
      writers: sliceWriters(slice, parts.layout, batchNorm),
      isPrepared: false,
      undefinedAt: batchNorm === "recalibrate" ? () => [] : parts.undefinedAt,
      metricNames: facts.metricNames,
      evaluate: (theta, _alpha, _beta, how) => evaluate(theta, { ...how, batchNorm }),
      dispose() {},
    });
  return {
    facts,
    get concurrency() {
      return workers * pool.tasksAtATime();
    },
    evaluate,
    async openSlice(slice, how = {}) {
      checkBatchNorm(how.batchNorm, calibration != null);
      if (isMixture(slice)) return openStored(slice, slice.form, how);
      return isSliceMap(slice) ? written(slice, how) : openStored(slice, "plane", how);
    },
    async openSamples(rows, signal) {
      signal?.throwIfAborted();
      const samples: SampleRows = { id: newId(), rows };
      const use = createSharedUse(() => pool.close(samples.id));
      const run = (work: WorkerWork, name: string, stop: AbortSignal | undefined) => {
        if (use.isClosed()) throw new EvaluationError("samples", "samples in use", "disposed ones");
        return use.run(() => pool.run(work, name, stop));
      };
      return {
        samples: rows?.length ?? facts.samples,
        async classes(stop) {
          const found = await run({ kind: "classes", samples }, "the classes of the samples", stop);
          return (found as { readonly classes: Int32Array | null }).classes;
        },
        async losses(theta, { batchNorm, name = "samples at theta", signal: stop } = {}) {
          check("theta", theta);
          return (await run({ kind: "samples", samples, theta, batchNorm }, name, stop)) as SampleValues;
        },
        dispose: use.close,
      };
    },
    withData: parts.withData,
    workerIds: pool.workerIds,
    dispose() {
      pool.dispose();
      folder.remove();
    },
  };
}

function isMixture(slice: SlicePoints): slice is Mixture {
  return isSliceMap(slice) && "models" in slice && "form" in slice;
}

function planeVectors(slice: SlicePoints): readonly Float32Array[] {
  return isSliceMap(slice) ? [] : slice.vectors.slice(0, 2);
}

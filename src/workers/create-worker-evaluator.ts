import { rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import type { BackendChoice } from "../backend/backend-info.js";
import { currentBackend } from "../backend/current-backend.js";
import type { EngineEvaluator } from "../engine/engine-evaluator.js";
import {
  type EngineEvaluatorOptions,
  engineRequest,
  resolveEngineOptions,
  withEarlierChoice,
} from "../engine/engine-options.js";
import { BackendError, EvaluationError, InvalidDataError, InvalidOptionError } from "../errors.js";
import type { ModelRecalibrator, RecalibratorOptions } from "../model/create-recalibrator.js";
import type { EvaluationData } from "../model/evaluation-data.js";
import type { LossValue } from "../model/loss-evaluator.js";
import { resolveLossEvaluatorOptions } from "../model/loss-evaluator-options.js";
import { planLoss } from "../model/loss-plan.js";
import { evaluationDigest } from "../model/model-digest.js";
import { portsOf } from "../model/model-ports.js";
import type { PlaneVectors } from "../model/plane-loss.js";
import type { SampleAccess } from "../model/sample-evaluator.js";
import { createSharedUse } from "../model/shared-use.js";
import { layoutOfModel } from "../params/layout-of-model.js";
import { importModule } from "./import-module.js";
import { describeModel } from "./model-recipe.js";
import { writeRawFile } from "./raw-file.js";
import { type SpooledData, spoolData } from "./spooled-data.js";
import { settleWorkerCount } from "./worker-count.js";
import { createWorkerFolder, type WorkerFolder } from "./worker-folder.js";
import type { PlaneFile, WorkerOrder, WorkerResult } from "./worker-messages.js";
import { createWorkerPool, type WorkerPool } from "./worker-pool.js";
import { openWorkerRecalibrator } from "./worker-recalibrator.js";
import { workerSamples } from "./worker-samples.js";

/** Options of {@link createWorkerEvaluator}. */
export interface WorkerEvaluatorOptions extends EngineEvaluatorOptions {
  /**
   * Worker processes: a number, or "auto", one for each processor as far as memory allows. Default "auto".
   */
  readonly workers?: number | "auto";
  /** Threads in each worker, of any engine. Default 1; with "auto", the processors shared out. */
  readonly threads?: number;
  /**
   * Path of a module that each worker imports before it makes the model: it registers layers of your own, and
   * may export `loadModel()`, which then gives the compiled model, and `lossFunction`. Default none.
   */
  readonly setup?: string;
  /**
   * Export of the set-up module that gives the data in each worker, in place of `data`: for data sets that
   * are too large to be copied to the disk. Default none.
   */
  readonly dataExport?: string;
}

/** A loss evaluator whose work is done by other processes. */
export interface WorkerEvaluator extends EngineEvaluator {
  /** Worker processes that are kept running. */
  readonly workers: number;
  /**
   * How many evaluations are to be under way at once, so that no worker waits: two for each worker, and more as
   * points turn out to take less than 20 ms.
   */
  readonly concurrency: number;
  /** Single samples, evaluated by the workers. */
  readonly perSample: SampleAccess;
  /** Process ids of the workers that live. */
  workerIds(): readonly number[];
  /**
   * Opens what computes batch norm's moving statistics anew in the workers, on the first samples of the
   * evaluation set: `createRecalibrator` on the same data, in its place. The evaluator must outlive it.
   */
  openRecalibrator(
    options?: Pick<RecalibratorOptions, "sampleLimit" | "batchSize">,
    signal?: AbortSignal,
  ): Promise<ModelRecalibrator>;
}

/**
 * Creates what computes a model's exact loss and metrics at any θ in worker processes, several points at a
 * time: `createEngineEvaluator` for surfaces, in its place.
 *
 * Model, data and planes go to the workers in files in the folder for temporary files, read once by each; the
 * engine and batch size are chosen once, by the first. Values are bit-identical for any number of workers,
 * and to those of this process with the same engine, batch size and threads. A worker that dies is replaced
 * and its points are done again. `dispose` ends the workers.
 *
 * @throws as `createEngineEvaluator`; {@link EvaluationError} naming what cannot be handed to a process (a
 * loss, metric or layer of your own without `setup`), or if workers do not start.
 * @throws {@link BackendError} if the program has set a backend that workers cannot start.
 * @example
 * const evaluator = await createWorkerEvaluator(model, { xs, ys }, { workers: 2 });
 * const { surface } = await analyzeRuns([run], { evaluator, linearAlgebra });
 */
export async function createWorkerEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: WorkerEvaluatorOptions = {},
): Promise<WorkerEvaluator> {
  const { workers = "auto", setup: setupPath, dataExport, signal, lossFunction, ...engine } = options;
  resolveEngineOptions(withEarlierChoice(engine));
  const resolved = resolveLossEvaluatorOptions(options);
  const plan = planLoss(model, resolved);
  const layout = resolved.layout ?? layoutOfModel(model);
  const backend = workerBackend();
  if (setupPath === undefined && (lossFunction !== undefined || dataExport !== undefined)) {
    const what = dataExport === undefined ? "lossFunction" : "dataExport";
    throw new EvaluationError(`worker processes: ${what}`, "`setup`, a module that exports it", "none", {
      hint: "a function cannot be handed to a process; or evaluate in this one with createEngineEvaluator",
    });
  }
  const setup = setupPath === undefined ? null : await inspectSetup(resolve(setupPath), options);
  const folder = await createWorkerFolder();
  try {
    const recipe = await describeModel(model, join(folder.path, "weights.bin"), setup?.hasModel ?? false);
    const spooled =
      dataExport === undefined
        ? await spoolData(folder.path, portsOf(model), data, resolved.sampleLimit, signal)
        : null;
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
      options: { ...engine, layout, threads: count.threads },
      hasLossFunction: lossFunction !== undefined,
      modelDigest: evaluationDigest(model, layout, plan),
    };
    const pool = await createWorkerPool(order, count.workers, signal);
    return poolEvaluator(pool, folder, count.workers, options);
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
    hint: "evaluate in this process with createEngineEvaluator",
  });
}

async function inspectSetup(file: string, { lossFunction, dataExport }: WorkerEvaluatorOptions) {
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

function poolEvaluator(
  pool: WorkerPool,
  folder: WorkerFolder,
  workers: number,
  options: WorkerEvaluatorOptions,
): WorkerEvaluator {
  const { parameterCount } = pool.facts;
  let planes = 0;
  const newId = (): number => planes++;
  const check = (where: string, theta: Float32Array): void => {
    if (theta.length === parameterCount) return;
    throw new InvalidDataError(where, `${parameterCount} weights`, String(theta.length));
  };
  const openPlane = async ({ center, vectors }: PlaneVectors, signal?: AbortSignal) => {
    for (const vector of [center, ...vectors]) check("plane", vector);
    const id = newId();
    const file = join(folder.path, `plane-${id}.bin`);
    const plane: PlaneFile = { id, file, vectors: vectors.length };
    let opened: WorkerResult;
    try {
      await writeRawFile(file, [center, ...vectors]);
      opened = await pool.run({ kind: "open", plane }, "the plane", signal);
    } catch (error) {
      pool.closePlane(id);
      await rm(file, { force: true });
      throw error;
    }
    const use = createSharedUse(() => {
      pool.closePlane(id);
      void rm(file, { force: true });
    });
    return {
      isCached: (opened as { isCached: boolean }).isCached,
      needsTheta: false,
      async evaluate(_theta: Float32Array, alpha: number, beta: number, stop?: AbortSignal, name?: string) {
        if (use.isClosed()) throw new EvaluationError("plane", "one in use", "one that was disposed");
        const work = { kind: "point", plane, alpha, beta } as const;
        const place = name ?? `the point (${alpha}, ${beta})`;
        return (await use.run(() => pool.run(work, place, stop))) as LossValue;
      },
      dispose: use.close,
    };
  };
  return {
    ...pool.facts,
    request: engineRequest(options),
    workers,
    get concurrency() {
      return workers * pool.tasksAtATime();
    },
    workerIds: pool.workerIds,
    async evaluate(theta, signal, name = "theta") {
      check("theta", theta);
      return (await pool.run({ kind: "theta", theta }, name, signal)) as LossValue;
    },
    openPlane,
    perSample: workerSamples(pool, newId, (theta) => check("theta", theta)),
    openRecalibrator: (given = {}, signal) => openWorkerRecalibrator(pool, given, signal),
    dispose() {
      pool.dispose();
      folder.remove();
    },
  };
}

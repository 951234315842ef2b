import { rm, stat } from "node:fs/promises";
import { availableParallelism, freemem } from "node:os";
import { join, resolve } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { type BackendChoice, currentBackend } from "../../backend/current-backend.js";
import { BackendError, EvaluationError, InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import {
  type EngineEvaluator,
  type EngineEvaluatorOptions,
  engineRequest,
  resolveEngineOptions,
  withEarlierChoice,
} from "../engine/engine-options.js";
import { createSharedUse } from "../evaluate-at.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { LossValue, PlaneVectors, SampleAccess, SampleValues } from "../loss-evaluator.js";
import { resolveLossEvaluatorOptions } from "../loss-evaluator-options.js";
import { planLoss } from "../loss-plan.js";
import { evaluationDigest } from "../model-digest.js";
import { portsOf } from "../model-ports.js";
import type { ModelRecalibrator, RecalibratorOptions } from "../recalibrator.js";
import { describeModel } from "./model-recipe.js";
import {
  createWorkerFolder,
  type SpooledData,
  spoolData,
  type WorkerFolder,
  writeRawFile,
} from "./spooled-data.js";
import type { Calibration, PlaneFile, SampleRows, WorkerOrder, WorkerResult } from "./worker-messages.js";
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

/** Opens what recalibrates in worker processes; each opens its calibration set when it is first asked. */
export async function openWorkerRecalibrator(
  pool: WorkerPool,
  calibration: Calibration,
  signal: AbortSignal | undefined,
): Promise<ModelRecalibrator> {
  const opened = await pool.run({ kind: "calibration", calibration }, "the calibration set", signal);
  const facts = opened as { readonly dataDigest: string; readonly samples: number };
  let isDisposed = false;
  return {
    ...facts,
    async recalibrateInto(theta, stop) {
      if (isDisposed) throw new InvalidOptionError("Recalibrator", "one in use", "one that was disposed");
      const done = await pool.run({ kind: "recalibrate", calibration, theta }, "moving statistics", stop);
      theta.set((done as { readonly theta: Float32Array }).theta);
    },
    dispose() {
      isDisposed = true;
    },
  };
}

/**
 * Single samples of an evaluation set, evaluated by worker processes: each opens the rows when it first gets a
 * point of them.
 *
 * @param newId - numbers what the workers are to remember.
 * @param check - throws where θ does not fit.
 */
export function workerSamples(
  pool: WorkerPool,
  newId: () => number,
  check: (theta: Float32Array) => void,
): SampleAccess {
  return {
    async classes(signal) {
      const found = await pool.run({ kind: "classes" }, "the classes of the samples", signal);
      return (found as { readonly classes: Int32Array | null }).classes;
    },
    async open(rows, signal) {
      signal?.throwIfAborted();
      const samples: SampleRows = { id: newId(), rows };
      const use = createSharedUse(() => pool.closePlane(samples.id));
      return {
        samples: rows?.length ?? pool.facts.samples,
        async evaluate(theta, stop) {
          if (use.isClosed()) throw new EvaluationError("samples", "samples in use", "disposed ones");
          check(theta);
          const work = { kind: "samples", samples, theta } as const;
          return (await use.run(() => pool.run(work, "samples at theta", stop))) as SampleValues;
        },
        dispose: use.close,
      };
    },
  };
}

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

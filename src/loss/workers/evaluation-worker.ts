// A worker process: makes model, data and engine once, then answers with the loss of one point after another.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../backend/select-backend.js";
import { EvaluationError, encodeError, InvalidOptionError } from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import { createPlanePoint, type PlanePoint } from "../../directions/plane-point.js";
import { createEngineEvaluator } from "../engine/create-engine-evaluator.js";
import type { EngineEvaluator } from "../engine/engine-options.js";
import { type EvaluationData, isBatchDataset } from "../evaluation-data.js";
import type { PlaneLoss, SampleAccess, SampleEvaluator } from "../loss-evaluator.js";
import type { BatchLossFunction } from "../loss-evaluator-options.js";
import { createRecalibrator, type ModelRecalibrator } from "../recalibrator.js";
import { buildModel } from "./model-recipe.js";
import { readRawFile, readSpooled } from "./spooled-data.js";
import {
  type Calibration,
  type PlaneFile,
  type SampleRows,
  SECONDS_A_MESSAGE,
  type WorkerAnswer,
  type WorkerFacts,
  type WorkerOrder,
  type WorkerReply,
  type WorkerRequest,
  type WorkerResult,
  type WorkerTask,
  type WorkerWork,
} from "./worker-messages.js";

interface OpenPlane {
  readonly loss: PlaneLoss;
  readonly point: PlanePoint;
}

/** What the worker has made by its order. */
interface Made {
  readonly evaluator: EngineEvaluator;
  readonly model: tf.LayersModel;
  readonly order: WorkerOrder;
  readonly setup: Record<string, unknown>;
}

const aborts = new Map<number, AbortController>();
const planes = new Map<number, Promise<OpenPlane>>();
const rowSets = new Map<number, Promise<SampleEvaluator>>();
const recalibrators = new Map<string, Promise<ModelRecalibrator>>();
let maker: Promise<Made> | undefined;
let tail: Promise<void> = Promise.resolve();
/** Tasks that are not computed yet. */
let waiting = 0;
/** Answers that are not sent yet. */
let answers: WorkerAnswer[] = [];

function send(reply: WorkerReply): void {
  process.send?.(reply);
}

async function start(order: WorkerOrder): Promise<Made> {
  await selectBackend({ backend: order.backend });
  const setup = order.setup === null ? {} : await importModule(order.setup.file);
  const model = await buildModel(order.model, setup);
  const data = await dataOf(order, setup);
  const made = await createEngineEvaluator(model, data, {
    ...order.options,
    ...(order.hasLossFunction ? { lossFunction: setup.lossFunction as BatchLossFunction } : {}),
  });
  if (!isBatchDataset(data)) tf.dispose([data.xs, data.ys] as tf.TensorContainer);
  if (made.modelDigest !== order.modelDigest) {
    const expected = "the model, losses and metrics of the parent";
    throw new EvaluationError("worker processes: model", expected, "others from the set-up module");
  }
  return { evaluator: made, model, order, setup };
}

async function dataOf(
  { setup, data }: WorkerOrder,
  module: Record<string, unknown>,
): Promise<EvaluationData> {
  if (data !== null) return readSpooled(data);
  const name = setup?.dataExport ?? "loadData";
  const load = module[name];
  if (typeof load !== "function") {
    throw new InvalidOptionError(`setup ${setup?.file}`, `an exported function ${name}()`, "none");
  }
  return (await load()) as EvaluationData;
}

function factsOf(made: EngineEvaluator): WorkerFacts {
  const { engine, lossMode, parameterCount, metricNames, samples, dataDigest, modelDigest } = made;
  const { warnings, measured } = made;
  const facts = { engine, lossMode, parameterCount, metricNames, samples, dataDigest, modelDigest };
  return { ...facts, warnings, measured };
}

function openPlane(
  made: EngineEvaluator,
  { id, file, vectors: count }: PlaneFile,
  signal: AbortSignal,
): Promise<OpenPlane> {
  const known = planes.get(id);
  if (known !== undefined) return known;
  const opened = (async () => {
    const [center, ...vectors] = await readRawFile(file, 1 + count, made.parameterCount);
    const plane = { center: center as Float32Array, vectors };
    return { loss: await made.openPlane(plane, signal), point: createPlanePoint(plane) };
  })();
  return remember(planes, id, opened);
}

/** What failed or was stopped is made anew where it is asked for again. */
function remember<K, T>(known: Map<K, Promise<T>>, key: K, made: Promise<T>): Promise<T> {
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

function openRows(
  made: EngineEvaluator,
  { id, rows }: SampleRows,
  signal: AbortSignal,
): Promise<SampleEvaluator> {
  const known = rowSets.get(id);
  if (known !== undefined) return known;
  return remember(rowSets, id, accessOf(made).open(rows, signal));
}

function accessOf({ perSample }: EngineEvaluator): SampleAccess {
  if (perSample !== undefined) return perSample;
  throw new EvaluationError("samples", "an engine that evaluates single samples", "one that does not");
}

function openRecalibrator(made: Made, calibration: Calibration): Promise<ModelRecalibrator> {
  const key = JSON.stringify(calibration);
  const known = recalibrators.get(key);
  if (known !== undefined) return known;
  const open = async (): Promise<ModelRecalibrator> => {
    const { dataId, layout, sampleLimit = Number.POSITIVE_INFINITY } = made.order.options;
    const data = await dataOf(made.order, made.setup);
    const limited = { ...calibration, sampleLimit: Math.min(calibration.sampleLimit ?? 1024, sampleLimit) };
    const options = { ...limited, ...(layout === undefined ? {} : { layout }) };
    try {
      return await createRecalibrator(
        made.model,
        data,
        dataId === undefined ? options : { ...options, dataId },
      );
    } finally {
      if (!isBatchDataset(data)) tf.dispose([data.xs, data.ys] as tf.TensorContainer);
    }
  };
  return remember(recalibrators, key, open());
}

async function compute(work: WorkerWork, signal: AbortSignal): Promise<WorkerResult> {
  signal.throwIfAborted();
  const made = await (maker as Promise<Made>);
  const { evaluator } = made;
  switch (work.kind) {
    case "theta":
      return evaluator.evaluate(work.theta, signal);
    case "open":
      return { isCached: (await openPlane(evaluator, work.plane, signal)).loss.isCached };
    case "point": {
      const { loss, point } = await openPlane(evaluator, work.plane, signal);
      point.moveTo(work.alpha, work.beta);
      return loss.evaluate(point.theta, work.alpha, work.beta, signal);
    }
    case "classes":
      return { classes: await accessOf(evaluator).classes(signal) };
    case "samples":
      return (await openRows(evaluator, work.samples, signal)).evaluate(work.theta, signal);
    case "calibration": {
      const { dataDigest, samples } = await openRecalibrator(made, work.calibration);
      return { dataDigest, samples };
    }
    case "recalibrate":
      await (await openRecalibrator(made, work.calibration)).recalibrateInto(work.theta, signal);
      return { theta: work.theta };
  }
}

/**
 * Computes, and sends the answers so far when the parent should hand out more: at half of what it gave, so that
 * more is there before the rest is done, and at once where tasks take long.
 */
async function answer({ id, work }: WorkerTask, abort: AbortController): Promise<void> {
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  try {
    const result = await compute(work, abort.signal);
    answers.push({ id, seconds: seconds(), result });
  } catch (error) {
    answers.push({ id, seconds: seconds(), error: encodeError(error) });
  }
  aborts.delete(id);
  waiting--;
  const held = answers.reduce((sum, each) => sum + each.seconds, 0);
  if (waiting > answers.length && held < SECONDS_A_MESSAGE) return;
  send({ type: "answers", answers });
  answers = [];
}

async function close(id: number): Promise<void> {
  const [plane, rows] = [planes.get(id), rowSets.get(id)];
  planes.delete(id);
  rowSets.delete(id);
  (await plane?.catch(() => undefined))?.loss.dispose();
  (await rows?.catch(() => undefined))?.dispose();
}

process.on("message", (message: WorkerRequest) => {
  if (message.type === "start") {
    const { order } = message;
    maker = start(order);
    maker.then(
      (made) => send({ type: "ready", facts: factsOf(made.evaluator) }),
      (error: unknown) => send({ type: "failed", error: encodeError(error) }),
    );
  } else if (message.type === "work") {
    for (const task of message.tasks) {
      const abort = new AbortController();
      aborts.set(task.id, abort);
      waiting++;
      tail = tail.then(() => answer(task, abort));
    }
  } else if (message.type === "abort") aborts.get(message.id)?.abort();
  else tail = tail.then(() => close(message.plane));
});
// Ctrl-C reaches every process of a terminal: the parent decides what becomes of it, and ends this one.
process.on("SIGINT", () => {});
// The parent has ended, in whatever way.
process.on("disconnect", () => process.exit(0));

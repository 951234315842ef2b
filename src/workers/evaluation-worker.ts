// A worker process: makes model, data and engine once, then answers with the loss of one point after another.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../backend/select-backend.js";
import { createEngineEvaluator } from "../engine/create-engine-evaluator.js";
import type { EngineEvaluator } from "../engine/engine-evaluator.js";
import { EvaluationError, InvalidOptionError } from "../errors.js";
import { type EvaluationData, isBatchDataset } from "../model/evaluation-data.js";
import type { BatchLossFunction } from "../model/loss-evaluator-options.js";
import type { PlaneLoss } from "../model/plane-loss.js";
import { createPlanePoint, type PlanePoint } from "../surface/plane-point.js";
import { encodeError } from "../wire-error.js";
import { importModule } from "./import-module.js";
import { buildModel } from "./model-recipe.js";
import { readRawFile } from "./raw-file.js";
import { readSpooled } from "./spooled-data.js";
import type {
  PlaneFile,
  WorkerFacts,
  WorkerOrder,
  WorkerReply,
  WorkerRequest,
  WorkerResult,
  WorkerWork,
} from "./worker-messages.js";

interface OpenPlane {
  readonly loss: PlaneLoss;
  readonly point: PlanePoint;
}

const aborts = new Map<number, AbortController>();
const planes = new Map<number, Promise<OpenPlane>>();
let evaluator: Promise<EngineEvaluator> | undefined;
let tail: Promise<void> = Promise.resolve();

function send(reply: WorkerReply): void {
  process.send?.(reply);
}

async function start(order: WorkerOrder): Promise<EngineEvaluator> {
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
  return made;
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
  planes.set(id, opened);
  // One that failed or was stopped is opened anew where it is asked for again.
  opened.catch(() => planes.delete(id));
  return opened;
}

async function compute(work: WorkerWork, signal: AbortSignal): Promise<WorkerResult> {
  signal.throwIfAborted();
  const made = await (evaluator as Promise<EngineEvaluator>);
  if (work.kind === "theta") return made.evaluate(work.theta, signal);
  const { loss, point } = await openPlane(made, work.plane, signal);
  if (work.kind === "open") return { isCached: loss.isCached };
  point.moveTo(work.alpha, work.beta);
  return loss.evaluate(point.theta, work.alpha, work.beta, signal);
}

async function answer(id: number, work: WorkerWork, abort: AbortController): Promise<void> {
  try {
    send({ type: "done", id, result: await compute(work, abort.signal) });
  } catch (error) {
    send({ type: "error", id, error: encodeError(error) });
  } finally {
    aborts.delete(id);
  }
}

async function close(id: number): Promise<void> {
  const plane = planes.get(id);
  planes.delete(id);
  (await plane?.catch(() => undefined))?.loss.dispose();
}

process.on("message", (message: WorkerRequest) => {
  if (message.type === "start") {
    const { order } = message;
    evaluator = start(order);
    evaluator.then(
      (made) => send({ type: "ready", facts: factsOf(made) }),
      (error: unknown) => send({ type: "failed", error: encodeError(error) }),
    );
  } else if (message.type === "work") {
    const { id, work } = message;
    const abort = new AbortController();
    aborts.set(id, abort);
    tail = tail.then(() => answer(id, work, abort));
  } else if (message.type === "abort") aborts.get(message.id)?.abort();
  else tail = tail.then(() => close(message.plane));
});
// The parent has ended, in whatever way.
process.on("disconnect", () => process.exit(0));

// A worker process: makes model, data and engine once, then answers with the loss of one point after another.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../backend/select-backend.js";
import { EvaluationError, encodeError, InvalidOptionError } from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import { type Mixture, mixtureMap } from "../../directions/mixture.js";
import type { SlicePoints } from "../../directions/slice-map.js";
import { createLossEvaluator } from "../create-loss-evaluator.js";
import { type EvaluationData, isBatchDataset } from "../evaluation-data.js";
import type { LossEvaluator, SampleEvaluator, SliceLoss } from "../loss-evaluator.js";
import type { BatchLossFunction } from "../loss-evaluator-options.js";
import { buildModel } from "./model-recipe.js";
import { readRawFile, readSpooled } from "./spooled-data.js";
import {
  type SampleRows,
  SECONDS_A_MESSAGE,
  type SliceFile,
  type WorkerAnswer,
  type WorkerOrder,
  type WorkerReply,
  type WorkerRequest,
  type WorkerResult,
  type WorkerTask,
  type WorkerWork,
} from "./worker-messages.js";

const aborts = new Map<number, AbortController>();
const slices = new Map<number, Promise<SliceLoss>>();
const rowSets = new Map<number, Promise<SampleEvaluator>>();
let maker: Promise<LossEvaluator> | undefined;
let tail: Promise<void> = Promise.resolve();
/** Tasks that are not computed yet. */
let waiting = 0;
/** Answers that are not sent yet. */
let answers: WorkerAnswer[] = [];

function send(reply: WorkerReply): void {
  process.send?.(reply);
}

async function start(order: WorkerOrder): Promise<LossEvaluator> {
  await selectBackend({ backend: order.backend });
  const setup = order.setup === null ? {} : await importModule(order.setup.file);
  const model = await buildModel(order.model, setup);
  const data = await dataOf(order, setup);
  const { calibration } = order.options;
  const own = order.calibration === null ? undefined : await readSpooled(order.calibration);
  const made = await createLossEvaluator(model, data, {
    ...order.options,
    calibration: own === undefined ? calibration : { ...calibration, data: own },
    ...(order.hasLossFunction ? { lossFunction: setup.lossFunction as BatchLossFunction } : {}),
  });
  for (const set of [data, own]) {
    if (set !== undefined && !isBatchDataset(set)) tf.dispose([set.xs, set.ys] as tf.TensorContainer);
  }
  if (made.facts.modelDigest !== order.modelDigest) {
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

function openSlice(
  { openSlice: open, facts }: LossEvaluator,
  { id, file, form, count, how }: SliceFile,
  signal: AbortSignal,
): Promise<SliceLoss> {
  const known = slices.get(id);
  if (known !== undefined) return known;
  const opened = (async () => {
    const vectors = await readRawFile(file, count, facts.parameterCount);
    const [center, ...directions] = vectors as [Float32Array, ...Float32Array[]];
    const slice: SlicePoints | Mixture =
      form === "plane" ? { center, vectors: directions } : mixtureMap(form, vectors);
    return (open as NonNullable<typeof open>)(slice, { ...how, signal });
  })();
  return remember(slices, id, opened);
}

/** What failed or was stopped is made anew where it is asked for again. */
function remember<K, T>(known: Map<K, Promise<T>>, key: K, made: Promise<T>): Promise<T> {
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

function openRows(
  { openSamples: open }: LossEvaluator,
  { id, rows }: SampleRows,
  signal: AbortSignal,
): Promise<SampleEvaluator> {
  const known = rowSets.get(id);
  if (known !== undefined) return known;
  if (open !== undefined) return remember(rowSets, id, open(rows, signal));
  throw new EvaluationError("samples", "an engine that evaluates single samples", "one that does not");
}

async function compute(work: WorkerWork, signal: AbortSignal): Promise<WorkerResult> {
  signal.throwIfAborted();
  const evaluator = await (maker as Promise<LossEvaluator>);
  switch (work.kind) {
    case "theta":
      return evaluator.evaluate(work.theta, { batchNorm: work.batchNorm, signal });
    case "open":
      return { isPrepared: (await openSlice(evaluator, work.slice, signal)).isPrepared };
    case "point":
      return (await openSlice(evaluator, work.slice, signal)).evaluate(work.alpha, work.beta, { signal });
    case "classes":
      return { classes: await (await openRows(evaluator, work.samples, signal)).classes(signal) };
    case "samples":
      return (await openRows(evaluator, work.samples, signal)).losses(work.theta, {
        batchNorm: work.batchNorm,
        signal,
      });
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
  const [slice, rows] = [slices.get(id), rowSets.get(id)];
  slices.delete(id);
  rowSets.delete(id);
  (await slice?.catch(() => undefined))?.dispose();
  (await rows?.catch(() => undefined))?.dispose();
}

process.on("message", (message: WorkerRequest) => {
  if (message.type === "start") {
    const { order } = message;
    maker = start(order);
    maker.then(
      (made) => send({ type: "ready", facts: made.facts }),
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
  else tail = tail.then(() => close(message.id));
});
// Ctrl-C reaches every process of a terminal: the parent decides what becomes of it, and ends this one.
process.on("SIGINT", () => {});
// The parent has ended, in whatever way.
process.on("disconnect", () => process.exit(0));

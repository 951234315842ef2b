// What a worker process does: it makes model, data and engine once, then gives the loss at one point after another.
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../backend/select-backend.js";
import { EvaluationError, InvalidOptionError } from "../../base/errors.js";
import { importModule } from "../../base/import-module.js";
import { sha256 } from "../../base/provenance.js";
import { mixtureMap } from "../../directions/mixture.js";
import { readRawFile } from "../../jobs/job-folder.js";
import type { OpenProgram } from "../../jobs/task-runner.js";
import { createLossEvaluator } from "../create-loss-evaluator.js";
import { type EvaluationData, isBatchDataset } from "../evaluation-data.js";
import type { EvaluatorFacts, LossEvaluator, SampleEvaluator, SliceLoss } from "../loss-evaluator.js";
import type { BatchLossFunction } from "../loss-options.js";
import {
  type EvaluationSetOrder,
  keyOf,
  type LossOperations,
  type LossOrder,
  type SampleRows,
  type SetFile,
  type SliceFile,
} from "./loss-order.js";
import { buildModel } from "./model-recipe.js";
import { readSpooled } from "./spooled-data.js";

/** Opens the program of loss evaluators: called by the worker process. */
export async function openProgram(order: LossOrder): Promise<OpenProgram<EvaluatorFacts, LossOperations>> {
  await selectBackend({ backend: order.backend });
  const setup = order.setup === null ? {} : await importModule(order.setup);
  const first = await openFirst(order, setup);
  const kept = new Map<string, Promise<{ dispose(): void }>>();
  /** Made when it is first needed. Operations run one after another, so one does. */
  let theta: Float32Array | undefined;
  /** What failed or was stopped is made anew where it is asked for again. */
  const remember = <T extends { dispose(): void }>(key: string, make: () => Promise<T>): Promise<T> => {
    const known = kept.get(key);
    if (known !== undefined) return known as Promise<T>;
    const made = make();
    kept.set(key, made);
    made.catch(() => kept.delete(key));
    return made;
  };
  const onSet = async ({ set }: { readonly set: SetFile | null }): Promise<LossEvaluator> =>
    set === null ? first : remember(keyOf.set(set), () => openOther(first, set, order.setup, setup));
  const sliceOf = async (input: { readonly set: SetFile | null; readonly slice: SliceFile }) => {
    const evaluator = await onSet(input);
    return (signal: AbortSignal) =>
      remember(keyOf.slice(input.slice), () => openSliceFile(evaluator, input.slice, signal));
  };
  const samplesOf = async (input: { readonly set: SetFile | null; readonly samples: SampleRows }) => {
    const evaluator = await onSet(input);
    return (signal: AbortSignal) =>
      remember(keyOf.samples(input.samples), () => openRows(evaluator, input.samples, signal));
  };
  return {
    facts: first.facts,
    operations: {
      probe: (_input, signal) => probe(first, order, signal),
      openSet: async (input) => (await onSet(input)).facts,
      evaluate: async (input, signal) =>
        (await onSet(input)).evaluate(input.theta, { batchNorm: input.batchNorm, signal }),
      openSlice: async (input, signal) => ({
        isPrepared: (await (await sliceOf(input))(signal)).isPrepared,
      }),
      point: async (input, signal) =>
        (await (await sliceOf(input))(signal)).evaluate(input.alpha, input.beta, { signal }),
      classes: async (input, signal) => (await (await samplesOf(input))(signal)).classes(signal),
      losses: async (input, signal) =>
        (await (await samplesOf(input))(signal)).losses(input.theta, { batchNorm: input.batchNorm, signal }),
      async lossesOn(input, signal) {
        const { batchNorm } = input.slice.how;
        const slice = await (await sliceOf(input))(signal);
        const samples = await (await samplesOf(input))(signal);
        theta ??= new Float32Array(first.facts.parameterCount);
        slice.writeInto(theta, input.alpha, input.beta);
        return samples.losses(theta, { batchNorm, signal });
      },
    },
    async forget(key) {
      const part = kept.get(key);
      kept.delete(key);
      (await part?.catch(() => undefined))?.dispose();
    },
    // Where the loss is not defined, nothing may have been computed.
    isWhole: (output) => !isUndefined(output as { readonly loss?: number | Float64Array } | null),
  };
}

/** The losses at the model's own weights and near them, as bits. */
async function probe(first: LossEvaluator, { model }: LossOrder, signal: AbortSignal): Promise<string> {
  const [theta] = await readRawFile(model.weightsFile, 1, model.layout.parameterCount);
  const own = theta as Float32Array;
  const near = own.map((value, i) => value * (1 + 0.01 * Math.cos(i)));
  const losses = Float64Array.of(
    (await first.evaluate(own, { signal })).loss,
    (await first.evaluate(near, { signal })).loss,
  );
  return sha256(losses);
}

function isUndefined(output: { readonly loss?: number | Float64Array } | null): boolean {
  const loss = output?.loss;
  return loss !== undefined && Number.isNaN(typeof loss === "number" ? loss : loss[0]);
}

async function openFirst(order: LossOrder, setup: Record<string, unknown>): Promise<LossEvaluator> {
  const model = await buildModel(order.model, setup);
  const data = await dataOf(order.set, order.setup, setup);
  const own = order.calibration === null ? undefined : await readSpooled(order.calibration);
  const { calibration } = order.options;
  try {
    const made = await createLossEvaluator(model, data, {
      ...order.options,
      calibration: own === undefined ? calibration : { ...calibration, data: own },
      lossFunction: order.hasLossFunction ? await lossFunctionOf(setup) : undefined,
    });
    if (made.facts.modelDigest === order.modelDigest) return made;
    const expected = "the model, losses and metrics of the parent";
    throw new EvaluationError("worker processes: model", expected, "others from the set-up module");
  } finally {
    disposeData(data);
    if (own !== undefined) disposeData(own);
  }
}

/** The set-up module's loss: a function, or what a function gives. */
export async function lossFunctionOf({
  lossFunction,
  loadLoss,
}: Record<string, unknown>): Promise<BatchLossFunction> {
  if (lossFunction !== undefined) return lossFunction as BatchLossFunction;
  return (await (loadLoss as () => unknown)()) as BatchLossFunction;
}

async function openOther(
  first: LossEvaluator,
  { file }: SetFile,
  setupFile: string | null,
  setup: Record<string, unknown>,
): Promise<LossEvaluator> {
  const order = JSON.parse(await readFile(file, "utf8")) as EvaluationSetOrder;
  const data = await dataOf(order, setupFile, setup);
  try {
    return await (first.withData as NonNullable<LossEvaluator["withData"]>)(data, order.options);
  } finally {
    disposeData(data);
  }
}

async function dataOf(
  { data, dataExport }: EvaluationSetOrder,
  setupFile: string | null,
  setup: Record<string, unknown>,
): Promise<EvaluationData> {
  if (data !== null) return readSpooled(data);
  const name = dataExport ?? "loadData";
  const load = setup[name];
  if (typeof load === "function") return (await load()) as EvaluationData;
  throw new InvalidOptionError(`setup ${setupFile}`, `an exported function ${name}()`, "none");
}

/** The evaluator has copies of its own. */
export function disposeData(data: EvaluationData): void {
  if (!isBatchDataset(data)) tf.dispose([data.xs, data.ys, data.sampleWeight ?? []] as tf.TensorContainer);
}

async function openSliceFile(
  { openSlice, facts }: LossEvaluator,
  { file, form, count, how }: SliceFile,
  signal: AbortSignal,
): Promise<SliceLoss> {
  const vectors = await readRawFile(file, count, facts.parameterCount);
  const [center, ...directions] = vectors as [Float32Array, ...Float32Array[]];
  const slice = form === "plane" ? { center, vectors: directions } : mixtureMap(form, vectors);
  return (openSlice as NonNullable<typeof openSlice>)(slice, { ...how, signal });
}

async function openRows(
  { openSamples }: LossEvaluator,
  { rows }: SampleRows,
  signal: AbortSignal,
): Promise<SampleEvaluator> {
  if (openSamples !== undefined) return openSamples(rows, signal);
  throw new EvaluationError("samples", "an engine that evaluates single samples", "one that does not");
}

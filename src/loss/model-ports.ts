import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../base/errors.js";
import type { Batch, NamedTensors } from "./evaluation-data.js";

/** A loss or metric function of TF.js: targets and predictions in, one value per sample (or a scalar) out. */
export type LossFunction = (yTrue: tf.Tensor, yPred: tf.Tensor) => tf.Tensor;

/** The compiled loss of one output. */
export interface CompiledLoss {
  /** TF.js's name of a built-in loss, or "custom" for a function. */
  readonly name: string;
  readonly apply: LossFunction;
}

/** What `compile` leaves on a model. */
interface CompiledFields {
  readonly loss?: unknown;
  readonly lossFunctions?: readonly LossFunction[];
  /** Of a Sequential: the model behind it, which keeps the loss functions. */
  readonly model?: CompiledFields;
}

/** Returns the compiled loss of each output of a model, or null if it has not been compiled. */
export function compiledLosses(model: tf.LayersModel): readonly CompiledLoss[] | null {
  const fields = model as unknown as CompiledFields;
  const { loss, lossFunctions = fields.model?.lossFunctions } = fields;
  if (lossFunctions === undefined || lossFunctions.length === 0) return null;
  return lossFunctions.map((apply, output) => ({ name: lossName(model, loss, output), apply }));
}

function lossName(model: tf.LayersModel, loss: unknown, output: number): string {
  const own = Array.isArray(loss)
    ? loss[output]
    : typeof loss === "object" && loss !== null
      ? (loss as Record<string, unknown>)[model.outputNames[output] as string]
      : loss;
  return typeof own === "string" ? own : "custom";
}

/** What a model expects at one input, or of the targets of one output. */
export interface ModelPort {
  /** "xs" or "ys", and the name of the input or output: "xs.input1". */
  readonly where: string;
  readonly name: string;
  /** Expected shape; null where any length will do. */
  readonly shape: readonly (number | null)[];
  /** "exact": the shape must match; "labels": class numbers; "free": a loss of the user's own decides. */
  readonly form: "exact" | "labels" | "free";
  /** Number of classes of a "labels" port. */
  readonly classes: number;
  readonly dtype: tf.DataType;
}

/** Inputs and targets of a model. */
export interface ModelPorts {
  readonly xs: readonly ModelPort[];
  readonly ys: readonly ModelPort[];
  /** Number of samples that the model's input shape fixes for every batch, or null. */
  readonly fixedBatch: number | null;
  /** Whether tensors are handed on as they are given: no model takes them. Default they get the form of its inputs. */
  readonly isAsGiven?: boolean;
}

/** Returns what a model expects of an evaluation set. */
export function portsOf(model: tf.LayersModel): ModelPorts {
  const losses = compiledLosses(model);
  const xs = model.inputs.map((input, i): ModelPort => {
    const name = model.inputNames[i] as string;
    return { where: `xs.${name}`, name, shape: input.shape, form: "exact", classes: 0, dtype: input.dtype };
  });
  const ys = model.outputs.map((output, i): ModelPort => {
    const name = model.outputNames[i] as string;
    const loss = losses?.[i]?.name ?? "custom";
    const labels = loss === "sparseCategoricalCrossentropy";
    const shape = labels ? [...output.shape.slice(0, -1), 1] : output.shape;
    const form = labels ? "labels" : loss === "custom" ? "free" : "exact";
    const classes = labels ? (output.shape.at(-1) ?? 0) : 0;
    return { where: `ys.${name}`, name, shape, form, classes, dtype: "float32" };
  });
  return { xs, ys, fixedBatch: model.inputs[0]?.shape[0] ?? null };
}

/**
 * Returns the tensors of `{ xs, ys }` in the model's order after checking count, shape and type.
 * The tensors are the caller's own.
 *
 * @throws {@link InvalidDataError} naming the tensor, what was expected and found.
 */
export function orderedTensors(ports: ModelPorts, data: unknown): Batch {
  const { xs, ys, sampleWeight } = (typeof data === "object" && data !== null ? data : {}) as Record<
    string,
    NamedTensors
  >;
  const inputs = inPortOrder("xs", ports.xs, xs);
  const targets = inPortOrder("ys", ports.ys, ys);
  const samples = inputs[0]?.shape[0] ?? 0;
  for (const [i, port] of ports.xs.entries()) checkSamples(port, inputs[i] as tf.Tensor, samples);
  for (const [i, port] of ports.ys.entries()) checkSamples(port, targets[i] as tf.Tensor, samples);
  return { xs: inputs, ys: targets, ws: orderedWeights(ports.ys, sampleWeight, samples), samples };
}

function orderedWeights(
  outputs: readonly ModelPort[],
  value: NamedTensors | undefined,
  samples: number,
): tf.Tensor[] {
  if (value === undefined || value === null) return [];
  const weights =
    value instanceof tf.Tensor ? outputs.map(() => value) : tensorList("sampleWeight", outputs, value);
  if (weights.length !== outputs.length) {
    const expected = `one tensor, or one for each of ${outputs.length} outputs`;
    throw new InvalidDataError("sampleWeight", expected, String(weights.length));
  }
  return weights.map((weight) => {
    if (!(weight instanceof tf.Tensor)) {
      throw new InvalidDataError("sampleWeight", "a tf.Tensor", weight === null ? "null" : typeof weight);
    }
    if (weight.isDisposed) throw new InvalidDataError("sampleWeight", "a live tensor", "a disposed one");
    if (weight.rank > 0 && weight.shape[0] === samples && weight.size === samples) return weight;
    throw new InvalidDataError("sampleWeight", `shape [${samples}]`, describeShape(weight.shape));
  });
}

function inPortOrder(
  side: "xs" | "ys",
  ports: readonly ModelPort[],
  value: NamedTensors | undefined,
): tf.Tensor[] {
  const names = ports.map((port) => port.name).join(", ");
  if (value === undefined || value === null)
    throw new InvalidDataError(side, `tensors for ${names}`, "nothing");
  const listed = tensorList(side, ports, value);
  if (listed.length !== ports.length) {
    throw new InvalidDataError(side, `${ports.length} tensor(s) (${names})`, String(listed.length));
  }
  return ports.map((port, i) => checkTensor(port, listed[i]));
}

function tensorList(side: string, ports: readonly ModelPort[], value: NamedTensors): readonly unknown[] {
  if (value instanceof tf.Tensor) return [value];
  if (Array.isArray(value)) return value;
  const record = value as Readonly<Record<string, tf.Tensor>>;
  return ports.map(({ name }) => {
    if (record[name] === undefined) {
      throw new InvalidDataError(
        side,
        `an entry "${name}"`,
        `entries ${Object.keys(record).join(", ") || "(none)"}`,
      );
    }
    return record[name];
  });
}

function checkTensor(port: ModelPort, value: unknown): tf.Tensor {
  if (!(value instanceof tf.Tensor)) {
    throw new InvalidDataError(port.where, "a tf.Tensor", value === null ? "null" : typeof value);
  }
  if (value.isDisposed) throw new InvalidDataError(port.where, "a live tensor", "a disposed one");
  if (value.dtype === "string" || value.dtype === "complex64") {
    throw new InvalidDataError(port.where, "numbers", `dtype ${value.dtype}`);
  }
  if (value.rank === 0) throw new InvalidDataError(port.where, "samples along the first axis", "a scalar");
  if (!shapeFits(port, value.shape)) {
    throw new InvalidDataError(port.where, `shape ${describeShape(port.shape)}`, describeShape(value.shape));
  }
  return value;
}

function shapeFits(port: ModelPort, shape: readonly number[]): boolean {
  if (port.form === "free") return true;
  if (sameBeyondFirst(port.shape, shape.length === 1 ? [...shape, 1] : shape)) return true;
  return port.form === "labels" && sameBeyondFirst(port.shape, [...shape, 1]);
}

/** Whether two shapes agree on every axis but the first; null fits any length. */
function sameBeyondFirst(expected: readonly (number | null)[], shape: readonly number[]): boolean {
  return (
    expected.length === shape.length &&
    expected.every((length, axis) => axis === 0 || length === null || length === shape[axis])
  );
}

function checkSamples(port: ModelPort, tensor: tf.Tensor, samples: number): void {
  if (tensor.shape[0] === 0) throw new InvalidDataError(port.where, "at least one sample", "none");
  if (tensor.shape[0] !== samples) {
    throw new InvalidDataError(port.where, `${samples} samples, as in the first input`, `${tensor.shape[0]}`);
  }
}

/** Returns a shape as text: [*, 28, 28, 1]. */
export function describeShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((length) => length ?? "*").join(", ")}]`;
}

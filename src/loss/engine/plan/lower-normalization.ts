import type * as tf from "@tensorflow/tfjs";
import type { LayerUse, LoweringContext, LowerLayer } from "./graph.js";
import { number, requireSupported } from "./graph.js";
import type { LayerFields } from "./layer-fields.js";

/** The axis that a layer normalizes along must be the last one. */
function requireLastAxis(layer: LayerFields, rank: number): void {
  const axes = Array.isArray(layer.axis) ? layer.axis : [layer.axis ?? -1];
  const isLast = axes.length === 1 && (axes[0] === -1 || axes[0] === rank);
  requireSupported(isLast, `normalization along axis ${axes.join(", ")}`);
}

/** Indices of γ, β, mean and variance among the parameters, where the layer has them. */
function statistics({ parameterOf }: LoweringContext, layer: LayerFields) {
  const index = (variable: tf.LayerVariable | null | undefined) =>
    variable === null || variable === undefined ? null : parameterOf(variable);
  return {
    gamma: index(layer.gamma),
    beta: index(layer.beta),
    mean: parameterOf(layer.movingMean as tf.LayerVariable),
    variance: parameterOf(layer.movingVariance as tf.LayerVariable),
    epsilon: layer.epsilon ?? 1e-3,
  };
}

/**
 * Batch normalization in evaluation mode is x·scale + shift with scale = γ/√(variance + ε) and
 * shift = β − mean·scale. A negative variance gives NaN, and is meant to.
 */
function batchNormalization(context: LoweringContext, { layer, x }: LayerUse) {
  const { builder } = context;
  const shape = builder.shapeOf(x);
  requireLastAxis(layer, shape.length);
  const { gamma, beta, mean, variance, epsilon } = statistics(context, layer);
  const channels = [shape.at(-1) as number];
  const scaleOf = (read: (parameter: number) => Float32Array, i: number): number =>
    (gamma === null ? 1 : (read(gamma)[i] as number)) / Math.sqrt((read(variance)[i] as number) + epsilon);
  const scale = builder.weight({
    name: `${layer.name}/scale`,
    shape: channels,
    parameter: null,
    compute: (read) => Float32Array.from(read(variance), (_, i) => scaleOf(read, i)),
  });
  const shift = builder.weight({
    name: `${layer.name}/shift`,
    shape: channels,
    parameter: null,
    compute: (read) =>
      Float32Array.from(read(mean), (value, i) => {
        const offset = beta === null ? 0 : (read(beta)[i] as number);
        return offset - value * scaleOf(read, i);
      }),
  });
  return builder.add({ op: "affine", x, scale, shift }, shape);
}

/** (x − mean)/√(variance + ε)·γ + β, mean and variance of each sample's last axis. */
function layerNormalization({ builder, weight }: LoweringContext, { layer, x }: LayerUse) {
  const shape = builder.shapeOf(x);
  requireLastAxis(layer, shape.length);
  const centered = builder.binary("sub", x, builder.reduce("mean", x));
  const variance = builder.reduce("mean", builder.binary("mul", centered, centered));
  const deviation = builder.unary("sqrt", builder.binary("add", variance, number(layer.epsilon ?? 1e-3)));
  let result = builder.binary("div", centered, deviation);
  const last = [shape.at(-1) as number];
  const value = (variable: tf.LayerVariable) => builder.add({ op: "weight", weight: weight(variable) }, last);
  if (layer.gamma) result = builder.binary("mul", result, value(layer.gamma));
  if (layer.beta) result = builder.binary("add", result, value(layer.beta));
  return result;
}

/** Normalization layers. */
export const normalizationLayers: Readonly<Record<string, LowerLayer>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Rescaling: ({ builder }, { layer, x }) =>
    builder.binary(
      "add",
      builder.binary("mul", x, number(layer.scale as number)),
      number(layer.offset as number),
    ),
};

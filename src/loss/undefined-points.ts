import type * as tf from "@tensorflow/tfjs";
import { matchLayout, type Parameter, type ParameterLayout } from "../model/layout.js";
import { layoutOfModel, owningLayers } from "../model/layout-of-model.js";

/** A stretch of θ in which values below a bound make the loss NaN. */
interface Stretch {
  /** Name of the weight. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Least value with which the loss is defined; NaN is below every bound. */
  readonly least: number;
}

/**
 * Returns a test of whether the loss at θ is NaN by definition: a weight is NaN, or a moving variance plus
 * its ε is negative, so that its root is.
 *
 * It is decided here because the kernels hide it: WebAssembly's convolutions, clipping and fused activations
 * turn NaN into a number, and max pooling passes over it on every backend. A NaN that only arises inside
 * the network, from an overflow, is found by the audits (`Finiteness`, `createKernelAudit`). Embeddings are left out, since a row that is
 * NaN may never be looked up.
 */
export function undefinedPoints(
  model: tf.LayersModel,
  layout: ParameterLayout,
): (theta: Float32Array) => boolean {
  const stretches = stretchesOf(model, layout);
  return (theta) => stretches.some((stretch) => goesBelow(theta, stretch));
}

/**
 * Returns what names, at a θ, the moving variances that leave no loss: those whose sum with the layer's ε is
 * negative, so that it has no root.
 */
export function undefinedVariances(
  model: tf.LayersModel,
  layout: ParameterLayout,
): (theta: Float32Array) => readonly string[] {
  const stretches = stretchesOf(model, layout).filter(({ least }) => least > Number.NEGATIVE_INFINITY);
  return (theta) => stretches.filter((stretch) => hasBelow(theta, stretch)).map(({ name }) => name);
}

/** Whether a number in the stretch lies below the bound; NaN does not. */
function hasBelow(theta: Float32Array, { start, end, least }: Stretch): boolean {
  for (let i = start; i < end; i++) if ((theta[i] as number) < least) return true;
  return false;
}

function goesBelow(theta: Float32Array, { start, end, least }: Stretch): boolean {
  for (let i = start; i < end; i++) if (!((theta[i] as number) >= least)) return true;
  return false;
}

function stretchesOf(model: tf.LayersModel, layout: ParameterLayout): Stretch[] {
  const found = layoutOfModel(model);
  const indices = matchLayout(layout, found, `model "${model.name}"`, { partial: true });
  const variances = leastVariances(model);
  return layout.parameters.flatMap((parameter, i) => {
    if (parameter.layerType === "Embedding") return [];
    const own = found.parameters[indices[i] as number] as Parameter;
    const least = variances.get(own.name) ?? Number.NEGATIVE_INFINITY;
    const { name, offset: start, size } = parameter;
    return [{ name, start, end: start + size, least }];
  });
}

/** The least moving variance with a real root, by the weight's name in the model. */
function leastVariances(model: tf.LayersModel): Map<string, number> {
  const layers = owningLayers(model).filter(({ type }) => type === "BatchNormalization");
  return new Map(
    layers.flatMap(({ layer }) => {
      const { epsilon } = layer as unknown as { readonly epsilon: number };
      const variance = layer.weights.find(({ originalName }) => originalName.endsWith("/moving_variance"));
      return variance === undefined ? [] : [[variance.name, -epsilon] as const];
    }),
  );
}

import type * as tf from "@tensorflow/tfjs";
import { LayoutError } from "../errors.js";
import { buildLayout, type LayoutOptions, type UnplacedParameter } from "./build-layout.js";
import { weightKind } from "./layer-roles.js";
import type { ParameterLayout } from "./layout.js";
import { type OwningLayer, owningLayers } from "./model-layers.js";

/** A weight of a model: TF.js's variable and what the layout says of it. */
export interface ModelWeight {
  readonly variable: tf.LayerVariable;
  readonly parameter: UnplacedParameter;
}

/**
 * Returns the layout of θ for a model: its trainable weights, then the others, each in the order of
 * `model.weights`, a shared layer's weights once. `model.trainable` flags count as they are now.
 *
 * @throws {@link LayoutError} if the model has no weights or holds strings or complex numbers.
 */
export function layoutOfModel(model: tf.LayersModel, options: LayoutOptions = {}): ParameterLayout {
  const weights = modelWeights(model).map(({ parameter }) => parameter);
  return buildLayout(weights, `model "${model.name}"`, options);
}

/** Lists a model's weights in its own order, trainable first, with roles and architecture keys. */
export function modelWeights(model: tf.LayersModel): ModelWeight[] {
  const where = `model "${model.name}"`;
  const owners = ownersById(model);
  const trainable = new Set(model.trainableWeights.map((variable) => variable.id));
  const unique = new Map(
    [...model.trainableWeights, ...model.nonTrainableWeights].map((variable) => [variable.id, variable]),
  );
  return [...unique.values()].map((variable) => {
    checkDtype(variable, where);
    const owner = owners.get(variable.id) ?? { key: `?/${variable.originalName}`, name: "", type: "unknown" };
    const shape = variable.shape.map((length) => length ?? 0);
    const { role, filterAxes } = weightKind(owner.type, owner.name, shape.length);
    const parameter: UnplacedParameter = {
      name: variable.name,
      key: owner.key,
      shape,
      role,
      trainable: trainable.has(variable.id),
      layerType: owner.type,
      filterAxes,
    };
    return { variable, parameter };
  });
}

interface Owner {
  readonly key: string;
  /** Name of the weight within its layer: "kernel", "gamma", … */
  readonly name: string;
  readonly type: string;
}

function ownersById(model: tf.LayersModel): Map<number, Owner> {
  const owners = new Map<number, Owner>();
  owningLayers(model).forEach(({ layer, type }: OwningLayer, ordinal) => {
    const taken = new Map<string, number>();
    for (const variable of layerVariables(layer)) {
      if (owners.has(variable.id)) continue;
      const name = nameWithinLayer(variable.originalName, layer.name);
      const count = taken.get(name) ?? 0;
      taken.set(name, count + 1);
      const suffix = count === 0 ? "" : `#${count}`;
      owners.set(variable.id, { key: `${ordinal}/${type}/${name}${suffix}`, name, type });
    }
  });
  return owners;
}

/** A layer's weights in the order of creation, whether trainable at the moment or not. */
function layerVariables(layer: tf.layers.Layer): tf.LayerVariable[] {
  return [...layer.weights].sort((a, b) => a.id - b.id);
}

/**
 * `originalName` is the scoped name before TF.js appends a number to make it unique: the names of the
 * layer and of its wrappers, then the weight's own.
 */
function nameWithinLayer(originalName: string, layerName: string): string {
  const prefix = `${layerName}/`;
  const at = originalName.lastIndexOf(prefix);
  return at >= 0
    ? originalName.slice(at + prefix.length)
    : originalName.slice(originalName.lastIndexOf("/") + 1);
}

function checkDtype({ name, dtype }: tf.LayerVariable, where: string): void {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return;
  throw new LayoutError(`${where}: ${name}`, "a weight of type float32, int32 or bool", dtype);
}

import * as tf from "@tensorflow/tfjs";
import { InvalidDataError, LayoutError } from "../base/errors.js";
import { matchLayout, type Parameter, type ParameterLayout } from "./layout.js";
import {
  layoutOfModel,
  layoutOfVariables,
  modelWeights,
  namedVariables,
  type VariableCollection,
} from "./layout-of-model.js";

/** The variables behind a layout: moves θ out of and into them, again and again, without a search. */
export interface BoundWeights {
  readonly layout: ParameterLayout;

  /** The variables, in the layout's order. */
  readonly variables: readonly tf.Variable[];

  /**
   * Reads θ (parameterCount). All reads are started before the first one is awaited, so that the
   * values are those at the time of the call.
   */
  read(out?: Float32Array): Promise<Float32Array>;

  /** As `read`, blocking; cheaper on backends that are synchronous anyway (all that run in Node.js). */
  readSync(out?: Float32Array): Float32Array;

  /**
   * Writes θ into the variables, bit for bit; constraints are not applied. `theta` is copied and may
   * be reused at once. Everything is checked before the first variable changes.
   *
   * @throws {@link InvalidDataError} if the length is wrong or an integer weight would get a fraction.
   */
  assign(theta: Float32Array): void;

  /** Returns a function that says whether a variable has been given another value since: no values are read. */
  watch(): () => boolean;
}

/**
 * Binds a layout to a model's weights, by name or (a run of another process) by architecture. Weights
 * of the model that the layout leaves out stay as they are.
 *
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 */
export function bindModel(model: tf.LayersModel, layout: ParameterLayout): BoundWeights {
  const byName = new Map(modelWeights(model).map((w) => [w.parameter.name, w.variable.read()]));
  return bind(byName, layout, layoutOfModel(model), `model "${model.name}"`);
}

/**
 * Binds a layout to the variables of a custom loop.
 *
 * @throws {@link LayoutError} if the variables are not the layout's.
 */
export function bindVariables(variables: VariableCollection, layout: ParameterLayout): BoundWeights {
  const byName = new Map(namedVariables(variables).map(({ name, variable }) => [name, variable]));
  return bind(byName, layout, layoutOfVariables(variables), "variables");
}

function bind(
  byName: ReadonlyMap<string, tf.Tensor>,
  layout: ParameterLayout,
  found: ParameterLayout,
  where: string,
): BoundWeights {
  const indices = matchLayout(layout, found, where, { partial: true });
  const places = layout.parameters.map((parameter, i): Place => {
    const variable = byName.get(found.parameters[indices[i] ?? -1]?.name ?? "");
    if (!(variable instanceof tf.Variable)) {
      throw new LayoutError(`${where}: ${parameter.name}`, "a variable", "none of this TensorFlow.js copy");
    }
    return { parameter, variable };
  });
  return {
    layout,
    variables: places.map(({ variable }) => variable),
    read: async (out) => {
      const theta = outputFor(layout, out);
      const values = await Promise.all(places.map(({ variable }) => variable.data()));
      for (const [i, place] of places.entries()) placeInto(theta, place, values[i] ?? []);
      return theta;
    },
    readSync: (out) => {
      const theta = outputFor(layout, out);
      for (const place of places) placeInto(theta, place, place.variable.dataSync());
      return theta;
    },
    watch: () => {
      // Every assignment gives a variable the data of another tensor.
      const before = places.map(({ variable }) => variable.dataId);
      return () => places.some(({ variable }, i) => variable.dataId !== before[i]);
    },
    assign: (theta) => {
      checkLength(layout, theta, "theta");
      for (const place of places) checkIntegers(theta, place);
      for (const place of places) assignFrom(theta, place);
    },
  };
}

interface Place {
  readonly parameter: Parameter;
  readonly variable: tf.Variable;
}

function outputFor(layout: ParameterLayout, out: Float32Array | undefined): Float32Array {
  if (out === undefined) return new Float32Array(layout.parameterCount);
  checkLength(layout, out, "out");
  return out;
}

function checkLength({ parameterCount }: ParameterLayout, theta: Float32Array, where: string): void {
  if (theta.length === parameterCount) return;
  throw new InvalidDataError(where, `${parameterCount} weights`, String(theta.length));
}

function placeInto(theta: Float32Array, place: Place, values: ArrayLike<number>): void {
  const { name, offset, size } = place.parameter;
  if (place.variable.dtype === "int32") {
    for (let i = 0; i < size; i++) {
      const value = values[i] ?? 0;
      if (Math.fround(value) !== value) {
        throw new InvalidDataError(name, "an integer that float32 can hold", String(value));
      }
    }
  }
  theta.set(values, offset);
}

function checkIntegers(theta: Float32Array, { parameter, variable }: Place): void {
  if (variable.dtype === "float32") return;
  const isValid = (value: number) =>
    variable.dtype === "bool" ? value === 0 || value === 1 : (value | 0) === value;
  const end = parameter.offset + parameter.size;
  for (let i = parameter.offset; i < end; i++) {
    const value = theta[i] ?? 0;
    if (!isValid(value))
      throw new InvalidDataError(parameter.name, `a value of ${variable.dtype}`, String(value));
  }
}

function assignFrom(theta: Float32Array, { parameter, variable }: Place): void {
  // A copy, never a view: backends keep the array they are given and may upload it much later.
  const values = theta.slice(parameter.offset, parameter.offset + parameter.size);
  const tensor = tf.tensor(typed(values, variable.dtype), variable.shape, variable.dtype);
  try {
    variable.assign(tensor);
  } finally {
    tensor.dispose();
  }
}

function typed(values: Float32Array, dtype: string): Float32Array | Int32Array | Uint8Array {
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : values;
}

/**
 * Reads θ from a model. For repeated reads bind once with `bindModel`.
 *
 * @param out - where to put it (parameterCount); a new array by default.
 * @returns θ in layout order.
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 * @example const theta = await readWeights(model, layoutOfModel(model));
 */
export async function readWeights(
  model: tf.LayersModel,
  layout: ParameterLayout,
  out?: Float32Array,
): Promise<Float32Array> {
  return bindModel(model, layout).read(out);
}

/** As {@link readWeights}, blocking. */
export function readWeightsSync(
  model: tf.LayersModel,
  layout: ParameterLayout,
  out?: Float32Array,
): Float32Array {
  return bindModel(model, layout).readSync(out);
}

/**
 * Writes θ into a model's weights in place, bit for bit. For repeated writes bind once with
 * `bindModel`.
 *
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 * @throws {@link InvalidDataError} if θ has the wrong length or an integer weight would get a fraction.
 * @example assignWeights(model, layoutOfModel(model), theta);
 */
export function assignWeights(model: tf.LayersModel, layout: ParameterLayout, theta: Float32Array): void {
  bindModel(model, layout).assign(theta);
}

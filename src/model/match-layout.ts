import { LayoutError } from "../base/errors.js";
import type { Parameter, ParameterLayout } from "./layout.js";

/** Options of {@link matchLayout}. */
export interface MatchLayoutOptions {
  /** Lets the run hold only some of the model's weights (it was captured with `select`). Default false. */
  readonly partial?: boolean;
}

/**
 * Returns, for each parameter of a run, the index of the same weight in a model's layout.
 *
 * Weights correspond by name where both have the same names; otherwise by position where the digests
 * are equal (TF.js numbers layers anew in every process); otherwise by architecture key, which also
 * finds weights again after `trainable` was toggled.
 *
 * @param run - the layout that was stored.
 * @param model - the layout to find its weights in.
 * @param where - what is being matched, first words of an error message.
 * @returns indices (run.parameters.length) into `model.parameters`.
 * @throws {@link LayoutError} naming the first weight that differs.
 */
export function matchLayout(
  run: ParameterLayout,
  model: ParameterLayout,
  where: string,
  options: MatchLayoutOptions = {},
): Int32Array {
  const sameCount = run.parameters.length === model.parameters.length;
  if (sameCount || options.partial === true) {
    const byName = matchBy(run, model, (parameter) => parameter.name);
    if (byName !== null) return byName;
  }
  if (run.digest === model.digest && sameCount) return Int32Array.from(run.parameters.keys());
  if (sameCount || options.partial === true) {
    const byKey = matchBy(run, model, (parameter) => parameter.key);
    if (byKey !== null) return byKey;
  }
  throw firstDifference(run, model, where);
}

/**
 * Checks that two layouts describe the same weights in the same order.
 *
 * @throws {@link LayoutError} naming the first weight that differs, or how many differ in `trainable` alone.
 */
export function assertSameLayout(a: ParameterLayout, b: ParameterLayout, where: string): void {
  if (a.digest !== b.digest) throw trainableDifference(a, b, where) ?? firstDifference(a, b, where);
}

/**
 * Returns, for each parameter of one layout, the index of the same weight in another: of equal shape, role and
 * layer type, and found by name where all names agree, otherwise by architecture. `trainable` may differ.
 *
 * @throws {@link LayoutError} naming the first weight that differs.
 */
export function matchWeights(a: ParameterLayout, b: ParameterLayout, where: string): Int32Array {
  const indices = matchLayout(a, b, where);
  const other = a.parameters.findIndex(
    (parameter, i) => !isSameWeight(parameter, b.parameters[indices[i] as number]),
  );
  if (other < 0) return indices;
  const parameter = a.parameters[other] as Parameter;
  const counterpart = b.parameters[indices[other] as number] as Parameter;
  const got = `${counterpart.name} ${describe(counterpart)}`;
  throw new LayoutError(`${where}: ${parameter.name}`, describe(parameter), got);
}

function isSameWeight(a: Parameter, b: Parameter | undefined): boolean {
  return b !== undefined && hasShape(a, b.shape) && a.role === b.role && a.layerType === b.layerType;
}

/** Says in how many weights layouts differ that hold the same ones, or null if they do not hold the same ones. */
function trainableDifference(
  run: ParameterLayout,
  model: ParameterLayout,
  where: string,
): LayoutError | null {
  let indices: Int32Array;
  try {
    indices = matchWeights(run, model, where);
  } catch (error) {
    if (error instanceof LayoutError) return null;
    throw error;
  }
  const other = run.parameters.filter(
    ({ trainable }, i) => trainable !== model.parameters[indices[i] as number]?.trainable,
  );
  if (other.length === 0) return null;
  const names = other.slice(0, 3).map(({ name }) => name);
  const more = other.length > names.length ? ", …" : "";
  return new LayoutError(
    where,
    "the same weights to be trainable",
    `trainable: ${other.length} of ${run.parameters.length} differ (${names.join(", ")}${more})`,
  );
}

/** Indices by an identity of the weights, or null where one is missing or has another shape. */
function matchBy(
  run: ParameterLayout,
  model: ParameterLayout,
  identity: (parameter: Parameter) => string | undefined,
): Int32Array | null {
  const places = new Map(model.parameters.map((parameter, index) => [identity(parameter), index]));
  const indices = new Int32Array(run.parameters.length);
  for (const [i, parameter] of run.parameters.entries()) {
    const id = identity(parameter);
    const index = id === undefined ? undefined : places.get(id);
    if (index === undefined) return null;
    if (!hasShape(model.parameters[index], parameter.shape)) return null;
    indices[i] = index;
  }
  return indices;
}

function firstDifference(run: ParameterLayout, model: ParameterLayout, where: string): LayoutError {
  const byName = new Map(model.parameters.map((parameter) => [parameter.name, parameter]));
  const namesAgree = run.parameters.every(({ name }) => byName.has(name));
  for (const [i, parameter] of run.parameters.entries()) {
    const counterpart = namesAgree ? byName.get(parameter.name) : model.parameters[i];
    if (counterpart !== undefined && describe(counterpart) === describe(parameter)) continue;
    const got = counterpart === undefined ? "no such weight" : `${counterpart.name} ${describe(counterpart)}`;
    return new LayoutError(`${where}: ${parameter.name}`, describe(parameter), got);
  }
  const extra = model.parameters[run.parameters.length];
  if (extra !== undefined) {
    const got = `${model.parameters.length}, with ${extra.name} ${describe(extra)}`;
    return new LayoutError(where, `${run.parameters.length} weights`, got);
  }
  return new LayoutError(where, `layout ${run.digest.slice(0, 12)}`, `layout ${model.digest.slice(0, 12)}`);
}

function describe({ shape, layerType, role, trainable }: Parameter): string {
  return `[${shape.join(",")}] (${trainable ? "" : "non-trainable "}${role} of ${layerType})`;
}

function hasShape(parameter: Parameter | undefined, shape: readonly number[]): boolean {
  return (
    parameter !== undefined &&
    parameter.shape.length === shape.length &&
    shape.every((length, axis) => length === parameter.shape[axis])
  );
}

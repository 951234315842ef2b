import { LayoutError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";

/** What a weight does in its layer, decided by the layer's type and never by the tensor's rank. */
export type ParameterRole = "kernel" | "bias" | "scale" | "offset" | "state" | "other";

/** One weight tensor's place in θ. */
export interface Parameter {
  /** Name of the weight in the model, e.g. "conv2d_Conv2D1/kernel". */
  readonly name: string;
  /**
   * The weight's place in the architecture, "<ordinal of its layer>/<layer type>/<name within the
   * layer>", e.g. "2/Dense/kernel". Unlike `name` it does not depend on TF.js's counters, nor on which
   * layers are trainable. Absent in layouts made by hand.
   */
  readonly key?: string;
  /** Shape of the weight tensor. */
  readonly shape: readonly number[];
  /** Index of its first element in θ. */
  readonly offset: number;
  /** Number of elements. */
  readonly size: number;
  readonly role: ParameterRole;
  readonly trainable: boolean;
  /** Class name of the layer that owns the weight ("Conv2D", …), or "Variable" for custom loops. */
  readonly layerType: string;
  /**
   * Axes of `shape` that number the filters: [3] for Conv2D, [1] for Dense, [2, 3] for
   * DepthwiseConv2D, [2] for Conv2DTranspose, [0] for Embedding. null where the weight has no
   * filters (bias, scale, offset, state, and weights of layers that are not known).
   */
  readonly filterAxes: readonly number[] | null;
}

/**
 * The order and meaning of the entries of θ: trainable weights first, then the others, each in the
 * model's own order, frozen when the layout is made.
 */
export interface ParameterLayout {
  readonly parameters: readonly Parameter[];
  /** Length D of θ, trainable and not. */
  readonly parameterCount: number;
  /** Number of entries of θ that are trainable: the leading ones, but where flags changed within a run. */
  readonly trainableCount: number;
  /**
   * sha-256 (hex) over each weight's name within its layer, the layer's ordinal and type, shape, role
   * and trainability. Layer names do not enter: TF.js numbers them by a counter of the process, so
   * that the same architecture built twice has other names but the same digest.
   */
  readonly digest: string;
}

/** What a caller knows better than the layer's type says. */
export interface ParameterDescription {
  /** Role of the weight. Default: by the layer's type. */
  readonly role?: ParameterRole;
  /** Axes that number the filters, or null. Default: by the layer's type. */
  readonly filterAxes?: readonly number[] | null;
}

/** Options of every function that makes a layout. */
export interface LayoutOptions {
  /** Keeps the weights for which it returns true. Default: all of them. */
  readonly select?: (parameter: Parameter) => boolean;
  /**
   * Role and filter axes of weights whose layer's type does not tell (custom layers, variables).
   * Called with the parameter as it would be; what is returned replaces its fields. Default none.
   */
  readonly describe?: (parameter: Parameter) => ParameterDescription | undefined;
}

/** A weight before it has a place in θ. */
export type UnplacedParameter = Omit<Parameter, "offset" | "size"> & { readonly key: string };

/**
 * Puts weights into the order of θ (trainable first, otherwise as given) and gives them offsets.
 *
 * @param where - what the layout is of, for error messages.
 * @throws {@link LayoutError} if names repeat, or if no weight (or no element) is left.
 */
export function buildLayout(
  weights: readonly UnplacedParameter[],
  where: string,
  options: LayoutOptions = {},
): ParameterLayout {
  const described = weights.map((weight) => describeParameter(weight, where, options));
  const kept = described.filter((parameter) => options.select?.(parameter) ?? true);
  const ordered = [...kept.filter((p) => p.trainable), ...kept.filter((p) => !p.trainable)];
  checkNames(ordered, where);
  const parameters: Parameter[] = [];
  let offset = 0;
  let trainableCount = 0;
  for (const parameter of ordered) {
    parameters.push({ ...parameter, offset });
    offset += parameter.size;
    if (parameter.trainable) trainableCount = offset;
  }
  if (offset === 0) {
    const got = weights.length === 0 ? "no weights" : `none of ${weights.length} weights selected`;
    throw new LayoutError(where, "at least one weight with at least one element", got);
  }
  return { parameters, parameterCount: offset, trainableCount, digest: digestOf(parameters) };
}

/**
 * Returns a layout with other flags: the same weights in the same order, trainable where `trained` says so.
 *
 * Only in layouts that `buildLayout` makes do the trainable weights come first.
 */
export function withTrainable(layout: ParameterLayout, trained: readonly boolean[]): ParameterLayout {
  if (layout.parameters.every(({ trainable }, i) => trainable === trained[i])) return layout;
  const parameters = layout.parameters.map((parameter, i) => ({
    ...parameter,
    trainable: trained[i] === true,
  }));
  const trainableCount = parameters.reduce((sum, { trainable, size }) => sum + (trainable ? size : 0), 0);
  return { ...layout, parameters, trainableCount, digest: digestOf(parameters) };
}

function describeParameter(weight: UnplacedParameter, where: string, options: LayoutOptions): Parameter {
  const size = weight.shape.reduce((product, length) => product * length, 1);
  const parameter: Parameter = { ...weight, offset: 0, size };
  const described = { ...parameter, ...options.describe?.(parameter) };
  const axes = described.filterAxes;
  const rank = weight.shape.length;
  const valid =
    axes === null ||
    (axes.length > 0 &&
      new Set(axes).size === axes.length &&
      axes.every((a) => Number.isInteger(a) && a >= 0 && a < rank));
  if (!valid) {
    const place = `${where}: filterAxes of ${weight.name}`;
    throw new LayoutError(place, `distinct axes below ${rank}, or null`, JSON.stringify(axes));
  }
  return described;
}

function checkNames(parameters: readonly Parameter[], where: string): void {
  const seen = new Set<string>();
  for (const { name } of parameters) {
    if (seen.has(name)) {
      throw new LayoutError(where, "a different name for every weight", `two weights named "${name}"`);
    }
    seen.add(name);
  }
}

function digestOf(parameters: readonly Parameter[]): string {
  const facts = parameters.map((p) => [p.key, p.shape, p.role, p.trainable]);
  return sha256(JSON.stringify(facts));
}

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

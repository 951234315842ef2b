import { sha256 } from "../base/digest.js";
import { LayoutError } from "../base/errors.js";

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

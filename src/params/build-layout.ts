import { createHash } from "node:crypto";
import { LayoutError } from "../errors.js";
import type { Parameter, ParameterLayout, ParameterRole } from "./layout.js";

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
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

import type { NormalizeOptions } from "../directions/normalize.js";
import { randomDirections } from "../directions/random.js";
import { InvalidOptionError } from "../errors.js";
import { checkSeed } from "../math/random.js";
import type { ParameterLayout } from "../params/layout.js";
import { type AxisRange, axisFromRange } from "../surface/axis.js";
import { evaluateLines, type LineOptions } from "./evaluate-lines.js";
import { checkSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineSlice } from "./line-slice.js";

/** Options of {@link randomLines}: by default α from −1 to 1 with 51 points, and moving statistics that are kept. */
export interface RandomLinesOptions extends LineOptions, NormalizeOptions {
  /** One seed, or several, each a direction of its own. Default [0]. */
  readonly seeds?: readonly number[];
  /** What the model is called. Default "model". */
  readonly name?: string;
}

/** α of a random line where none is given. */
export const DEFAULT_RANDOM_RANGE: AxisRange = { from: -1, to: 1, points: 51 };

/**
 * Evaluates loss and metrics along random directions through θ*, filter-normalized by default, one line for
 * each seed.
 *
 * With filter normalization α = 1 is a step as long as each filter, so that widths of different networks can
 * be compared.
 *
 * @param theta - θ* (parameterCount).
 * @throws {@link InvalidOptionError} for seeds that are none or given twice, a range upside down or unknown
 * options; {@link InvalidDataError} for weights that are not finite.
 * @see Li et al. 2018, section 4 and figure 14 (ten seeds).
 */
export async function randomLines(
  sets: readonly EvaluationSet[],
  layout: ParameterLayout,
  theta: Float32Array,
  options: RandomLinesOptions = {},
): Promise<LineSlice> {
  const { seeds = [0], batchNorm = "keep", name = "model" } = options;
  checkSets(sets);
  checkSeeds(seeds);
  const alpha = axisFromRange("range", options.range ?? DEFAULT_RANDOM_RANGE);
  const lines = seeds.map((seed) => ({
    seed,
    points: () => randomDirections(layout, theta, { ...options, seed, count: 1 }),
  }));
  // Random directions never move statistics.
  const parts = { layout, center: theta, vectors: [], batchNorm };
  return {
    kind: "random",
    axis: `α along ${seeds.length === 1 ? "a random direction" : `${seeds.length} random directions`} (${options.normalize ?? "filter"} normalization)`,
    alpha,
    ...(await evaluateLines(sets, lines, alpha, parts, options)),
    marks: [{ alpha: 0, name }],
    batchNorm,
  };
}

function checkSeeds(seeds: readonly number[]): void {
  if (seeds.length === 0) throw new InvalidOptionError("seeds", "at least one seed", "none");
  seeds.forEach((seed, i) => {
    checkSeed(seed);
    if (seeds.indexOf(seed) < i) throw new InvalidOptionError("seeds", "each seed once", `${seed} twice`);
  });
}

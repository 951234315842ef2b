import type { NormalizeOptions } from "../directions/normalize.js";
import { randomDirections } from "../directions/random.js";
import { InvalidOptionError } from "../errors.js";
import { checkSeed } from "../math/random.js";
import type { ParameterLayout } from "../params/layout.js";
import { type AxisRange, axisFromRange } from "../surface/axis.js";
import {
  type BatchNormPolicyName,
  createBatchNormPolicy,
  type Recalibrator,
} from "../surface/batch-norm-policy.js";
import { checkSets, evaluateOnSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineCurve, LineSlice } from "./line-slice.js";

/** Options of {@link randomLines}. */
export interface RandomLinesOptions extends NormalizeOptions {
  /** One seed, or several, each a direction of its own. Default [0]. */
  readonly seeds?: readonly number[];
  /** α from, to (both included) and the number of points. Default −1 to 1 with 51 points. */
  readonly range?: AxisRange;
  /** What becomes of batch norm's moving statistics. Default "keep". */
  readonly batchNorm?: BatchNormPolicyName;
  /** Needed by "recalibrate". */
  readonly recalibrator?: Recalibrator;
  /** What the model is called. Default "model". */
  readonly name?: string;
  readonly signal?: AbortSignal;
  /** Called after each point with the points done and all to do. */
  readonly onProgress?: (done: number, total: number) => void;
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
  const { seeds = [0], batchNorm = "keep", recalibrator, name = "model", signal, onProgress } = options;
  checkSets(sets);
  checkSeeds(seeds);
  const alpha = axisFromRange("range", options.range ?? DEFAULT_RANDOM_RANGE);
  const policy = createBatchNormPolicy(batchNorm, {
    layout,
    center: theta,
    vectors: [], // Random directions never move statistics.
    ...(recalibrator === undefined ? {} : { recalibrator }),
  });
  const bySeed: { curves: LineCurve[]; warnings: LineSlice["warnings"] }[] = [];
  for (const [i, seed] of seeds.entries()) {
    const directions = randomDirections(layout, theta, { ...options, seed, count: 1 });
    const surfaces = await evaluateOnSets(
      sets,
      directions,
      { alpha, beta: Float64Array.of(0) },
      {
        policy,
        ...(signal === undefined ? {} : { signal }),
        onProgress: (done, total) => onProgress?.(i * total + done, seeds.length * total),
      },
    );
    const curves = surfaces.map(({ set, surface }) => ({ set, seed, surface }));
    bySeed.push({
      curves,
      warnings: [...directions.warnings, ...surfaces.flatMap((s) => s.surface.warnings)],
    });
  }
  return {
    kind: "random",
    axis: `α along ${seeds.length === 1 ? "a random direction" : `${seeds.length} random directions`} (${options.normalize ?? "filter"} normalization)`,
    alpha,
    curves: sets.flatMap((_, s) => bySeed.map(({ curves }) => curves[s])),
    marks: [{ alpha: 0, name }],
    batchNorm,
    warnings: bySeed.flatMap(({ warnings }) => warnings),
  };
}

function checkSeeds(seeds: readonly number[]): void {
  if (seeds.length === 0) throw new InvalidOptionError("seeds", "at least one seed", "none");
  seeds.forEach((seed, i) => {
    checkSeed(seed);
    if (seeds.indexOf(seed) < i) throw new InvalidOptionError("seeds", "each seed once", `${seed} twice`);
  });
}

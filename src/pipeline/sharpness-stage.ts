import { join } from "node:path";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import { randomDirections } from "../directions/random.js";
import { type EpsilonSharpness, epsilonSharpness } from "../slices/epsilon-sharpness.js";
import type { EvaluationSet } from "../slices/line-slice.js";
import { readSharpness, writeSharpness } from "../store/sharpness-file.js";
import type { ModelPoint } from "./model-point.js";
import { sliceProvenance } from "./slice-options.js";

/** Options of {@link sharpnessStage}. */
export interface SharpnessOptions extends NormalizeOptions {
  readonly directory: string;
  /** ε, the size of the box. */
  readonly epsilon: number;
  /** Seed of the plane. */
  readonly seed: number;
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Points along each side of the box. */
const POINTS = 11;

/**
 * Evaluates, or reads where it is up to date, the ε-sharpness of a model in a random plane through it, on one
 * evaluation set; stored as `sharpness/….arrow`.
 */
export async function sharpnessStage(
  point: ModelPoint,
  set: EvaluationSet,
  options: SharpnessOptions,
): Promise<EpsilonSharpness> {
  const { directory, epsilon, seed, signal } = options;
  const normalization = resolveNormalizeOptions(options);
  const given = { ...normalization, ignore: [...normalization.ignore], epsilon, points: POINTS };
  const provenance = sliceProvenance("epsilon-sharpness", given, seed, [point], [set]);
  const file = join(directory, "sharpness", `epsilon-${point.digest.slice(0, 8)}.arrow`);
  const known = options.force ? null : await readSharpness(file, provenance);
  if (known !== null) return known;
  const directions = randomDirections(point.run.layout, point.theta, { ...normalization, seed });
  const found = await epsilonSharpness(set.evaluator, directions, {
    epsilon,
    points: POINTS,
    ...(signal === undefined ? {} : { signal }),
  });
  await writeSharpness(file, found, provenance);
  return found;
}

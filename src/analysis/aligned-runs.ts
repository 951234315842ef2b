import type * as tf from "@tensorflow/tfjs";
import isEqual from "lodash/isEqual.js";
import { InvalidOptionError } from "../base/errors.js";
import { type JsonValue, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import { type AlignMethod, alignModels } from "../between/align-models.js";
import { barriersOf } from "../between/barrier.js";
import { evaluatePath, linePath } from "../between/path-losses.js";
import { type Permutation, permuteWeights } from "../between/permutation.js";
import type { PermutationGroups } from "../between/permutation-groups.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { hasStatistics } from "../loss/slice-loss.js";
import { anonymousTopology, mapJson } from "../model/model-from-manifest.js";
import { type Run, runDigest } from "../store/run/run.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { alignLayouts, modelOf, namesOfModels } from "./model-point.js";

/** Options of {@link alignedRuns}. */
export interface AlignedRunsOptions extends Stoppable {
  /** How units are matched. Default "weights". */
  readonly method?: AlignMethod | undefined;
  /** Starts of matching by weights. Default 5. */
  readonly tries?: number | undefined;
  /** Seed of matching by weights. Default 0. */
  readonly seed?: number | undefined;
  /** The set on which barriers are evaluated, before and after. Default none. */
  readonly set?: EvaluationSet | undefined;
}

/** Runs in the frame of the first one. */
export interface AlignedRuns {
  /** The first run as it is; the others with their units permuted, one permutation for all snapshots of a run. */
  readonly runs: readonly Run[];
  /** What was done with each of the others, a sentence each. */
  readonly sentences: readonly string[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns runs whose units are in the order of the first one's: each run is matched once, on its final weights, and all
 * its snapshots are permuted alike, so that its path keeps its shape. Losses stay as they are.
 *
 * Runs that share their first weights begin apart afterwards; a sentence says so.
 *
 * @param model - the architecture of all, compiled.
 * @param data - inputs that units are matched and checked on.
 * @throws as `alignModels`; {@link LayoutError} if the runs differ in their parameters; {@link InvalidOptionError} naming two
 * runs of which it is known that their models differ.
 * @see Ainsworth et al. 2023.
 * @example
 * const { runs } = await alignedRuns([first, second], model, { xs, ys });
 * const embedding = await embedRuns(runs, { directory: "runs/aligned" });
 */
export async function alignedRuns(
  given: readonly Run[],
  model: tf.LayersModel,
  data: EvaluationData,
  options: AlignedRunsOptions = {},
): Promise<AlignedRuns> {
  const { method = "weights", tries, seed, set, signal } = options;
  const points = await alignLayouts(await Promise.all(given.map(modelOf)));
  const names = namesOfModels(points);
  const [first, ...others] = points;
  assertOneArchitecture(given);
  const { layout } = first.run;
  const start = await first.run.readTheta(0);
  const runs: Run[] = [first.run];
  const sentences: string[] = [];
  const warnings: LandscapeWarning[] = [];
  for (const [i, point] of others.entries()) {
    const how = { method, tries, seed, layout, signal };
    const found = await alignModels(model, data, first.theta, point.theta, how);
    const { theta, moved, units, distance } = found;
    const own = await point.run.readTheta(0);
    const isShared = start.every((value, k) => value === own[k]);
    const heights =
      set === undefined ? null : await barriers(first.theta, [point.theta, theta], set, point.run, signal);
    const apart = `distance from ${distance.before.toPrecision(4)} to ${distance.after.toPrecision(4)}`;
    sentences.push(
      `Units of ${names[i + 1]} matched to those of ${names[0]} by ${method} on the final weights, and all its snapshots permuted alike: ${moved} of ${units} moved, ${apart}${heights ?? ""}.${isShared ? ` Both runs began at the same weights, which are drawn apart.` : ""}`,
    );
    warnings.push(...found.warnings);
    runs.push(permutedRun(point.run, found.groups, found.permutation));
  }
  return { runs, sentences, warnings };
}

/** What may differ between models whose units change places alike. */
const OF_TRAINING = /(_regularizer|_constraint|^trainable|^rate|dropout|^seed|^momentum)$/;

/**
 * Checks that runs are of one architecture, as far as it was recorded: layers of equal weights may be joined otherwise.
 *
 * @throws {@link InvalidOptionError} naming the runs.
 */
export function assertOneArchitecture(runs: readonly Run[]): void {
  const recorded = runs.filter(({ manifest }) => manifest.model != null);
  const [first, ...others] = recorded.map(({ manifest: { model } }) =>
    mapJson(anonymousTopology(model as JsonValue), (value, key) => (OF_TRAINING.test(key) ? null : value)),
  );
  const at = others.findIndex((other) => !isEqual(other, first));
  if (at < 0) return;
  const [one, other] = [recorded[0], recorded[at + 1]].map(
    (run) => `"${run?.manifest.name}" (${run?.directory})`,
  );
  throw new InvalidOptionError(
    "align",
    `runs of one architecture, that of ${one}`,
    `another one in ${other}`,
  );
}

/** What the matching does to the barrier, in words. */
async function barriers(
  a: Float32Array,
  ends: readonly [Float32Array, Float32Array],
  set: EvaluationSet,
  { layout }: Run,
  signal: AbortSignal | undefined,
): Promise<string> {
  const isCalibrated = set.evaluator.facts.calibration != null;
  const policy = !hasStatistics(layout) ? "none" : isCalibrated ? "recalibrate" : "interpolate";
  const heights: string[] = [];
  for (const end of ends) {
    const path = await evaluatePath("line", linePath(a, end), [set], policy, { points: 11, signal });
    heights.push(barriersOf(path)[0].loss.aboveLine.toPrecision(3));
  }
  return `, barrier of the ${set.name} loss from ${heights[0]} to ${heights[1]} (11 points)`;
}

/** θ that a permuted run keeps in memory, at most. */
const CACHE_BYTES = 2 ** 28;

/**
 * Returns a view of a run with the units of all its snapshots permuted alike. Its digests follow from those of the run and
 * the permutation.
 */
export function permutedRun(run: Run, groups: PermutationGroups, permutation: Permutation): Run {
  const key = sha256(...permutation.map((from) => Uint8Array.from(new Uint8Array(from.buffer))));
  const cache = new Map<number, Promise<Float32Array>>();
  const most = Math.max(1, Math.floor(CACHE_BYTES / (4 * run.layout.parameterCount)));
  const read = (index: number): Promise<Float32Array> => {
    const known = cache.get(index);
    if (known !== undefined) return known;
    const theta = run.readTheta(index).then((own) => permuteWeights(own, groups, permutation));
    theta.catch(() => cache.delete(index));
    if (cache.size >= most) cache.delete(cache.keys().next().value as number);
    cache.set(index, theta);
    return theta;
  };
  const thetaDigest = (index: number) => sha256(`${key}\n${run.thetaDigest(index)}`);
  return {
    ...run,
    readTheta: async (index) => Float32Array.from(await read(index)),
    async readThetaInto(index, start, out) {
      const end = start + out.length;
      // Out of bounds: the run's own words for it.
      if (!(start >= 0 && end <= run.layout.parameterCount)) return run.readThetaInto(index, start, out);
      out.set((await read(index)).subarray(start, end));
    },
    thetaDigest,
    digest: async () =>
      runDigest(
        run.layout.digest,
        run.snapshots.map((_, index) => thetaDigest(index)),
      ),
  };
}

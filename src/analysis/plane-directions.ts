import { join } from "node:path";
import { checkOneOf } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import { type JsonValue, type Provenance, provenanceDigest, sha256 } from "../base/provenance.js";
import { namedWarnings } from "../base/warning.js";
import { readOptimizerState } from "../capture/optimizer-state-file.js";
import { momentDirections } from "../curvature/optimizer-step.js";
import { norm, orthogonalizeInto } from "../curvature/vectors.js";
import { embedDirections, restrictDirections } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import { pcaDirections } from "../directions/pca.js";
import { projectTrajectory, type Trajectory } from "../directions/project.js";
import { randomDirections } from "../directions/random.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { checkSeed } from "../math/random.js";
import { readDirections, writeDirections } from "../store/kinds/directions-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { readTrajectory, writeTrajectory } from "../store/kinds/trajectory-file.js";
import { memo } from "../store/results/memo.js";
import { alignRuns } from "../store/run/align-runs.js";
import type { Run } from "../store/run/run.js";
import { atLeastOneRun, type ModelPoint } from "./model-point.js";
import type { ProgressOptions, ResultOptions } from "./options.js";
import type { OpenedPlane } from "./plane-spec.js";
import { rowSourceOfRuns } from "./row-source.js";

/** Settings of the plane of principal components. */
export interface PcaPlaneOptions {
  /** The two components, counted from 0. Default [0, 1]. */
  readonly components?: readonly [number, number] | undefined;
  /**
   * What the snapshots are centred about: "mean" (default, the published reference code) or "final" (the final
   * weights; the paper's text).
   */
  readonly centering?: "mean" | "final" | undefined;
  /** Weights that count: "trainable" (default) or "all", moving statistics included. */
  readonly weights?: "trainable" | "all" | undefined;
  /**
   * The second direction: "component" is an error where the path has no second one (it is straight, or of two
   * snapshots); "random" is a random direction at a right angle to the first component, named as such. Default
   * "auto": random only where there is no second component.
   */
  readonly second?: "auto" | "component" | "random" | undefined;
  /** Seed of a random second direction. Default 0. */
  readonly seed?: number | undefined;
}

/** @throws {@link InvalidOptionError} naming the setting that cannot be used. */
export function checkPcaPlane(spec: PcaPlaneOptions): void {
  refuseRenamed(spec, "pca");
  const { components = [0, 1], centering = "mean", weights = "trainable", second = "auto" } = spec;
  checkOneOf("centering", centering, ["mean", "final"]);
  checkOneOf("weights", weights, ["trainable", "all"]);
  checkOneOf("second", second, ["auto", "component", "random"]);
  checkSeed(spec.seed ?? 0);
  if (
    components.length === 2 &&
    components.every((index) => Number.isInteger(index) && index >= 0) &&
    components[0] !== components[1]
  ) {
    return;
  }
  throw new InvalidOptionError("components", "two different integers from 0 on", JSON.stringify(components));
}

type StageOptions = ResultOptions &
  ProgressOptions<"directions"> & { readonly elsewhere?: readonly string[] | undefined };

/**
 * Computes, or reads if they are current, the plane of the principal components of one or more runs and their paths
 * on it. The plane passes through the final weights of the first run.
 *
 * @throws {@link InvalidOptionError} if several runs have no directory for what they share.
 */
export async function pcaPlane(
  given: readonly Run[],
  linearAlgebra: LinearAlgebra,
  spec: PcaPlaneOptions,
  options: StageOptions,
): Promise<OpenedPlane> {
  const runs = atLeastOneRun(alignRuns(given));
  const [first] = runs;
  const { directory = first.directory, elsewhere = [], force } = options;
  if (options.directory === undefined && runs.length > 1) {
    throw new InvalidOptionError("directory", "a folder for results of several runs", "none");
  }
  const weights = spec.weights ?? "trainable";
  const provenance = await pcaProvenance(runs, linearAlgebra, spec);
  const file = join("directions", keyedName(["pca"], provenance));
  const folders = [directory, ...elsewhere];
  const directions = await memo(
    {
      file: join(directory, file),
      elsewhere: folders.flatMap((folder) => [join(folder, file), join(folder, "directions", "pca.arrow")]),
      provenance,
      read: readDirections,
      write: writeDirections,
      force,
    },
    () => computePca(runs, linearAlgebra, spec, options),
  );
  const paths: Trajectory[] = [];
  for (const [index, run] of runs.entries()) {
    const name = runs.length === 1 ? "pca" : `pca-${index}`;
    paths.push(
      await storedPath(run, directions, provenanceDigest(provenance), weights, {
        ...options,
        directory,
        name,
      }),
    );
  }
  const last = await first.readTheta(first.snapshots.length - 1);
  return {
    kind: "pca",
    points: directions,
    slice: sha256(directions.center, ...directions.vectors),
    directions,
    file,
    labels: directions.labels,
    marks: [{ alpha: 0, beta: 0, label: first.manifest.name }],
    models: [sha256(last)],
    run: first,
    runs,
    paths,
    weights,
    warnings: runs.flatMap(({ manifest, warnings }) =>
      runs.length === 1 ? warnings : namedWarnings(manifest.name, warnings),
    ),
  };
}

async function pcaProvenance(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  spec: PcaPlaneOptions,
): Promise<Provenance> {
  const {
    components = [0, 1],
    centering: center = "mean",
    weights = "trainable",
    second = "auto",
    seed = 0,
  } = spec;
  const digests = await Promise.all(runs.map((run) => run.digest()));
  const isUsual = second !== "random" && seed === 0;
  return {
    kind: "pca-directions",
    version: 1,
    options: {
      center,
      components,
      weights,
      linearAlgebra: linearAlgebra.name,
      ...(isUsual ? {} : { second, seed }),
    },
    seed: null,
    inputs: Object.fromEntries(digests.map((digest, index) => [`run${index}`, digest])),
  };
}

async function computePca(
  runs: readonly [Run, ...Run[]],
  linearAlgebra: LinearAlgebra,
  spec: PcaPlaneOptions,
  { signal, onProgress }: StageOptions,
): Promise<Directions> {
  const { components = [0, 1], centering = "mean", weights = "trainable", second = "auto", seed = 0 } = spec;
  const source = rowSourceOfRuns(runs, weights);
  const compute = (chosen: readonly number[]) =>
    pcaDirections(source, {
      centering,
      components: chosen,
      linearAlgebra,
      signal,
      onProgress: (done, total) => onProgress?.("directions", done, total),
    });
  const final = await runs[0].readTheta(runs[0].snapshots.length - 1);
  const whole = (found: Directions) => embedDirections<Directions>(found, source.ranges, final);
  const [one] = components;
  if (second === "random") return withRandom(whole(await compute([one])), runs[0], { seed, weights });
  const isUsual = components[0] === 0 && components[1] === 1;
  if (source.rows === 2 && second === "auto" && isUsual) {
    return withRandom(whole(await compute([0])), runs[0], { seed, weights });
  }
  try {
    checkComponents(source.rows, components);
    return whole(await compute(components));
  } catch (error) {
    const isRank = error instanceof InvalidOptionError && error.where === "components";
    if (!isRank || second === "component" || !isUsual) throw error;
    return withRandom(whole(await compute([0])), runs[0], { seed, weights });
  }
}

/** N snapshots have N − 1 components. */
function checkComponents(rows: number, components: readonly [number, number]): void {
  const largest = Math.max(...components) + 1;
  if (largest < rows) return;
  const expected = `numbers up to ${rows - 1}, one less than snapshots`;
  throw new InvalidOptionError("components", expected, String(largest));
}

/** Less of a direction than this share is left of it by others: it is one of them. */
const SAME = 1e-3;

/**
 * Returns what of a direction stands at a right angle to others of length 1, of length 1.
 *
 * @throws {@link InvalidOptionError} if nothing does.
 */
export function atRightAngle(
  given: Float32Array,
  others: readonly Float32Array[],
  name: string,
): Float32Array {
  const own = Float64Array.from(given);
  const before = norm(own);
  orthogonalizeInto(
    own,
    others.map((one) => Float64Array.from(one)),
  );
  const length = norm(own);
  if (!(length > SAME * before)) {
    const got = before > 0 ? "the first one" : "zero";
    throw new InvalidOptionError(name, "a direction of its own", got);
  }
  return Float32Array.from(own, (value) => value / length);
}

/**
 * Returns the plane of an optimizer's memory at a model: Adam's m and m/√v, at right angles and of length 1; of momentum
 * alone, and a random direction.
 *
 * @throws {@link InvalidOptionError} if the run has not recorded the state, or there is none before the first update.
 */
export async function momentsPlane({ run, index, theta }: ModelPoint, seed: number): Promise<Directions> {
  const state = await readOptimizerState(run, index);
  if (state === null) {
    const wanted = "a run that was recorded with optimizerState: true";
    throw new InvalidOptionError('plane "moments"', wanted, `no state of ${run.manifest.name}`);
  }
  const found = momentDirections(theta, state);
  const vectors: Float32Array[] = [];
  for (const [i, vector] of found.vectors.entries()) {
    vectors.push(atRightAngle(vector, vectors, found.labels[i] as string));
  }
  const [first, second] = found.labels as readonly [string, string?];
  const labels = second === undefined ? [first] : [first, `${second}, at a right angle`];
  const plane = { ...found, vectors, labels };
  if (second !== undefined) return plane;
  const reason = "the optimizer remembers one direction (momentum)";
  return withRandom(plane, run, { seed, weights: "trainable", reason });
}

interface RandomAxis {
  readonly seed: number;
  readonly weights: "trainable" | "all";
  /** Why there is one axis. */
  readonly reason?: string;
}

/** Adds a random direction at a right angle to the only component, of length 1 like it. */
function withRandom(
  found: Directions,
  run: Run,
  { seed, weights, reason = `the path has one principal component (${weights} weights)` }: RandomAxis,
): Directions {
  const [first] = found.vectors as readonly [Float32Array];
  const random = randomDirections(run.layout, found.center, {
    seed,
    count: 1,
    normalize: "layer",
    ignore: [],
  });
  const vector = Float64Array.from(random.vectors[0] as Float32Array);
  const along = vector.reduce((sum, value, i) => sum + value * (first[i] as number), 0);
  const rest = vector.map((value, i) => value - along * (first[i] as number));
  const length = Math.sqrt(rest.reduce((sum, value) => sum + value * value, 0));
  if (!(length > 0)) {
    throw new InvalidDataError("second direction", "weights beside the path's direction", "none");
  }
  const label = `random direction (seed ${seed})`;
  const message = `${reason}: the second axis is a random direction at a right angle to it (seed ${seed})`;
  return {
    ...found,
    vectors: [first, Float32Array.from(rest, (value) => value / length)],
    labels: [found.labels[0] as string, label],
    explainedVarianceRatio: withZero(found.explainedVarianceRatio),
    randomWalkBaseline: withZero(found.randomWalkBaseline),
    warnings: [...found.warnings, { code: "random-second-direction", message }],
  };
}

function withZero(shares: Float64Array | null): Float64Array | null {
  return shares === null ? null : Float64Array.of(shares[0] as number, 0);
}

async function storedPath(
  run: Run,
  directions: Directions,
  digest: string,
  weights: "trainable" | "all",
  options: StageOptions & { readonly directory: string; readonly name: string },
): Promise<Trajectory> {
  const { directory, elsewhere = [], name, signal, force } = options;
  const inputs = { run: await run.digest(), directions: digest };
  const provenance: Provenance = { kind: "trajectory", version: 1, options: { weights }, seed: null, inputs };
  const file = join("trajectories", keyedName([name], provenance));
  return memo(
    {
      file: join(directory, file),
      elsewhere: [directory, ...elsewhere].flatMap((folder) => [
        join(folder, file),
        join(folder, "trajectories", `${name}.arrow`),
      ]),
      provenance,
      read: readTrajectory,
      write: writeTrajectory,
      force,
    },
    () => {
      const source = rowSourceOfRuns([run], weights);
      const plane = restrictDirections(directions, source.ranges);
      return projectTrajectory(source, plane, { signal });
    },
  );
}

/** Projects the path of a run on directions of the whole θ, or reads where that is stored. */
export async function pathOn(
  run: Run,
  directions: Directions,
  file: string,
  weights: "trainable" | "all",
  options: StageOptions,
): Promise<Trajectory> {
  const digest = sha256(directions.center, ...directions.vectors);
  const name = file.replace(/^directions\/(.+)-[0-9a-f]{8}\.arrow$/, "$1");
  const { directory = run.directory } = options;
  return storedPath(run, directions, digest, weights, { ...options, directory, name });
}

/** What directions were made from. */
export interface DirectionFacts {
  readonly plane: string;
  readonly options: { readonly [key: string]: JsonValue };
  readonly seed: number | null;
  /** sha-256 (hex) of θ*. */
  readonly model: string;
}

/**
 * Stores directions that are cheap to make, for other programs and for pictures.
 *
 * @returns their file, beside `surfaces/`.
 */
export async function storedDirections(
  directions: Directions,
  { plane, options, seed, model }: DirectionFacts,
  { directory }: { readonly directory: string },
): Promise<string> {
  const provenance: Provenance = {
    kind: "slice-directions",
    version: 1,
    options: { plane, ...options },
    seed,
    inputs: { model0: model, slice: sha256(directions.center, ...directions.vectors) },
  };
  const file = join("directions", keyedName([plane], provenance));
  await memo(
    { file: join(directory, file), provenance, read: readDirections, write: writeDirections },
    () => directions,
  );
  return file;
}

import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import type { Followed } from "../base/work.js";
import { createUniform } from "../math/random.js";
import type { DistanceSource } from "./distance-source.js";
import { flatten } from "./mds/embed-distances.js";
import { nearestNeighbours } from "./quality/trustworthiness.js";

/** Options of {@link umapEmbedding}, under umap-js's own names; progress counts sweeps. */
export interface UmapOptions extends Followed {
  /** Dimensions of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Size of a neighbourhood, the point itself included. Default 15, or all points where there are fewer. */
  readonly nNeighbors?: number;
  /** Least distance of points in the embedding. Default 0.1. */
  readonly minDist?: number;
  /** How widely the embedding spreads. Default 1. */
  readonly spread?: number;
  /** Sweeps of the optimization. Default 500. */
  readonly nEpochs?: number;
  /** Seed of start and sampling. Default 0. */
  readonly seed?: number;
  /**
   * Where points start (N, dimensions), such as principal components; scaled to a largest coordinate of 10, with a
   * little noise so that equal points come apart. Default random places.
   */
  readonly start?: Float64Array;
}

/** Options of {@link umapEmbedding} with defaults filled in. */
export type ResolvedUmapOptions = Required<Omit<UmapOptions, "start" | "signal" | "onProgress">>;

/** Sweeps between two looks at the signal. */
const STRIDE = 20;

/**
 * Returns the options with defaults filled in, checked against the number of points.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function resolveUmapOptions(options: UmapOptions, count: number): ResolvedUmapOptions {
  refuseRenamed(options, "embedding");
  const {
    dimensions = 2,
    nNeighbors = Math.min(15, count - 1),
    minDist = 0.1,
    spread = 1,
    nEpochs = 500,
    seed = 0,
  } = options;
  const check = (name: string, ok: boolean, expected: string, got: number): void => {
    if (!ok) throw new InvalidOptionError(name, expected, String(got));
  };
  const isCount = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  check("dimensions", isCount(dimensions, 1), "an integer ≥ 1", dimensions);
  const range = `an integer from 2 to ${count - 1}`;
  check("nNeighbors", isCount(nNeighbors, 2) && nNeighbors <= count - 1, range, nNeighbors);
  check("spread", spread > 0 && Number.isFinite(spread), "a number > 0", spread);
  check("minDist", minDist >= 0 && minDist <= spread, `a number from 0 to spread (${spread})`, minDist);
  check("nEpochs", isCount(nEpochs, 1), "an integer ≥ 1", nEpochs);
  return { dimensions, nNeighbors, minDist, spread, nEpochs, seed };
}

/**
 * Embeds N points by UMAP, uniform manifold approximation and projection, from their distances.
 *
 * The layout is umap-js's; neighbours are exact and come from the distances given, so that points of any
 * dimension and any metric can be embedded. From random places, where separate groups lie to each other depends on
 * the seed; a start of principal components keeps them as they are. The same seed gives the same embedding.
 *
 * @param source - distances of N points to themselves.
 * @returns coordinates (N, dimensions), row-major.
 * @throws {@link InvalidOptionError} if an option is out of range; {@link InvalidDataError} if the start is no
 * (N, dimensions) finite numbers.
 * @see McInnes, Healy & Melville 2018; umap-js.
 * @example const coordinates = await umapEmbedding(source, { nNeighbors: 10, seed: 1 });
 */
export async function umapEmbedding(
  source: DistanceSource,
  options: UmapOptions = {},
): Promise<Float64Array> {
  const { start, signal, onProgress } = options;
  const resolved = resolveUmapOptions(options, source.rows);
  const random = createUniform(resolved.seed, "umap");
  const { dimensions, nNeighbors, minDist, spread, nEpochs } = resolved;
  if (start !== undefined) checkStart(start, source.rows, dimensions);
  const { UMAP } = await import("umap-js");
  const umap = new UMAP({ nComponents: dimensions, nNeighbors, minDist, spread, nEpochs, random });
  const { indices, distances } = neighbourLists(source, nNeighbors);
  umap.setPrecomputedKNN(indices, distances);
  // The rows themselves are asked for their number only, once the neighbours are known.
  umap.initializeFit(indices);
  // The rows that are handed out are those that its steps move.
  if (start !== undefined) placeInto(umap.getEmbedding(), start, random);
  for (let epoch = 0; epoch < nEpochs; epoch++) {
    if (epoch % STRIDE === 0) {
      signal?.throwIfAborted();
      onProgress?.(epoch, nEpochs);
    }
    umap.step();
  }
  return flatten(umap.getEmbedding(), dimensions);
}

function checkStart(start: Float64Array, n: number, k: number): void {
  if (start.length !== n * k) throw new InvalidDataError("start", `${n} × ${k} numbers`, `${start.length}`);
  const bad = start.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InvalidDataError(`start[${bad}]`, "a finite number", `${start[bad]}`);
}

/** Largest coordinate of a start, and the noise on top of it: those of the Python package. */
const REACH = 10;
const NOISE = 1e-4;

/** Moves points to their start; where all of them start at 0, leaves them where they are. */
function placeInto(places: readonly number[][], start: Float64Array, random: () => number): void {
  const largest = start.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return;
  places.forEach((place, i) => {
    for (let c = 0; c < place.length; c++) {
      const value = start[i * place.length + c] as number;
      place[c] = (REACH * value) / largest + NOISE * (2 * random() - 1);
    }
  });
}

/** Each point and its k − 1 nearest others, as UMAP counts neighbours. */
function neighbourLists(source: DistanceSource, k: number) {
  const n = source.rows;
  const others = nearestNeighbours(source, k - 1);
  const row = new Float64Array(n);
  const indices: number[][] = [];
  const distances: number[][] = [];
  for (let i = 0; i < n; i++) {
    source.readRowInto(row, i);
    const near = [i, ...others.subarray(i * (k - 1), (i + 1) * (k - 1))];
    indices.push(near);
    distances.push(near.map((j) => (j === i ? 0 : (row[j] as number))));
  }
  return { indices, distances };
}

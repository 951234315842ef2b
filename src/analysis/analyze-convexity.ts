import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import { type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { convexityTiles, readConvexityMap, writeConvexityMap } from "../curvature/convexity-file.js";
import {
  type ConvexityMap,
  type ConvexityPoint,
  type EndsOptions,
  mapConvexity,
  spectrumEnds,
} from "../curvature/convexity-map.js";
import {
  type CurvatureOptions,
  checkGaussNewton,
  createCurvature,
  refuseDifferences,
} from "../curvature/create-curvature.js";
import type { CurvatureFacts } from "../curvature/curvature-file.js";
import { type CurvatureWorkerOptions, openCurvatureWorkers } from "../curvature/curvature-workers.js";
import type { Directions } from "../directions/directions.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { sliceWriters } from "../loss/slice-loss.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memoResumably } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import type { ProgressOptions, ResultOptions } from "./options.js";

/** Options of {@link convexityOnPlane}. */
export interface ConvexityOptions
  extends CurvatureWorkerOptions,
    Pick<ResultOptions, "directory" | "force" | "resume">,
    ProgressOptions<"map"> {
  readonly matrix?: "hessian" | "gauss-newton" | undefined;
  /** Residual, relative to the largest |λ|, that is small enough. Default 0.01. */
  readonly tolerance?: number | undefined;
  /** Products at most at each point. Default 60. */
  readonly products?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** How the loss is computed. */
  readonly evaluation?: Omit<CurvatureOptions, "layout" | "signal"> | undefined;
  readonly dataName?: string | undefined;
}

/** A stored convexity map and what the reader should know of it. */
export interface StoredConvexity {
  readonly facts: CurvatureFacts;
  readonly map: ConvexityMap;
  readonly warnings: readonly LandscapeWarning[];
}

/** Names the file of a plane's map before its digits. */
export function convexityName(slice: string): string {
  return `map-${slice.slice(0, 8)}`;
}

/**
 * Finds smallest and largest Hessian eigenvalue at every point of a grid on a plane, or reads them where they are stored:
 * `curvature/map-….arrow`. A map that was interrupted goes on with its points. Moving statistics of batch norm stay those of
 * the centre.
 *
 * @param run - whose layout the plane has.
 * @param grid - coordinates (W), (H), such as those of a surface.
 * @throws {@link InvalidOptionError} for an option that cannot be used.
 * @see Li et al. 2018 (NeurIPS), section 6.
 */
export async function convexityOnPlane(
  run: Run,
  directions: Directions,
  grid: { readonly alpha: Float64Array; readonly beta: Float64Array },
  model: tf.LayersModel,
  data: EvaluationData,
  options: ConvexityOptions = {},
): Promise<StoredConvexity> {
  const { matrix = "hessian", tolerance = 0.01, products = 60, seed = 0, signal } = options;
  if (!(tolerance > 0)) throw new InvalidOptionError("tolerance", "a number above 0", String(tolerance));
  wholeNumber("products", products, 4);
  refuseDifferences("convexity map", options.evaluation);
  if (matrix === "gauss-newton") checkGaussNewton(model, options.evaluation);
  const ends: EndsOptions = { matrix, tolerance, products, seed };
  const { layout } = run;
  const { directory = run.directory, evaluation, workers, runner, onProgress } = options;
  const how = { ...evaluation, layout };
  const curvature = await createCurvature(model, data, { ...how, signal });
  const { alpha, beta } = grid;
  const slice = sha256(directions.center, ...directions.vectors);
  const provenance: Provenance = {
    kind: "curvature-map",
    version: 2,
    options: {
      ...ends,
      loss: curvature.lossMode,
      samples: curvature.samples,
      alpha: [...alpha],
      beta: [...beta],
    },
    seed,
    inputs: { slice, data: curvature.dataDigest, network: curvature.modelDigest },
    chosen: { backend: currentBackend().name },
  };
  const facts = ({ points }: ConvexityMap): CurvatureFacts => {
    // The point nearest to the centre stands for it.
    const at = (axis: Float64Array, index: number) => Math.abs(axis[index] as number);
    const away = ({ index }: ConvexityPoint) =>
      at(alpha, index % alpha.length) + at(beta, Math.floor(index / alpha.length));
    const nearest = points.reduce((a, b) => (away(b) < away(a) ? b : a));
    return {
      name: run.manifest.name,
      dataName: options.dataName ?? null,
      matrix,
      size: layout.trainableCount,
      ignore: [],
      samples: curvature.samples,
      lossMode: curvature.lossMode,
      loss: Number.isFinite(nearest.loss) ? nearest.loss : 0,
      gradientNorm: Number.isFinite(nearest.gradientNorm) ? nearest.gradientNorm : 0,
    };
  };
  let found: CurvatureFacts | undefined;
  try {
    const map = await memoResumably<ConvexityPoint, ConvexityMap>(
      {
        what: "convexity map",
        file: join(directory, "curvature", keyedName([convexityName(slice)], provenance)),
        provenance,
        async read(file, expected) {
          const stored = await readConvexityMap(file, expected);
          found = stored?.facts;
          return stored?.found ?? null;
        },
        write(file, made, written) {
          found = facts(made);
          return writeConvexityMap(file, { facts: found, found: made }, written);
        },
        engines: [{ name: "curvature", backend: currentBackend().name, batchSize: 0, threads: 0 }],
        metrics: [],
        tiles: convexityTiles,
        isPartial: () => false,
        force: options.force,
        resume: options.resume,
      },
      async ({ known, onPoint }) => {
        const pool =
          workers === undefined && runner === undefined
            ? null
            : await openCurvatureWorkers(curvature, model, data, how, ends, options);
        try {
          const writer = sliceWriters(directions, layout, "keep").create();
          return await mapConvexity(alpha, beta, {
            thetaAt(a, b) {
              writer.moveTo(a, b);
              return writer.theta.slice();
            },
            endsAt: (theta, start) =>
              pool === null
                ? spectrumEnds(curvature, theta, start, ends, signal)
                : pool.ends(theta, start, signal),
            get concurrency() {
              return pool?.concurrency ?? 1;
            },
            known,
            onPoint,
            onProgress: (done, total) => onProgress?.("map", done, total),
            signal,
          });
        } finally {
          pool?.dispose();
        }
      },
    );
    return { facts: found ?? facts(map), map, warnings: [...curvature.warnings, ...map.warnings] };
  } finally {
    curvature.dispose();
  }
}

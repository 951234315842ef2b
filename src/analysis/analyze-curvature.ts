import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { currentBackend } from "../backend/current-backend.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { checkGaussNewton, createCurvature, refuseDifferences } from "../curvature/create-curvature.js";
import { type CurvatureFacts, type CurvatureSummary, planeHessianFile } from "../curvature/curvature-file.js";
import { type ProjectedHessian, projectedHessian } from "../curvature/plane-curvature.js";
import { norm } from "../curvature/vectors.js";
import { customDirections } from "../directions/between-models.js";
import { countColumns, selectColumns } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import type { Figure } from "../figure/figure.js";
import { createCurvatureFigure } from "../figure/make/create-curvature-figure.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import {
  type AnalyzeCurvatureOptions,
  openOnce,
  resolveCurvatureSettings,
  startWork,
} from "./curvature-parts.js";
import { isModelPoint, modelOf, type Subject } from "./model-point.js";
import { atRightAngle } from "./plane-directions.js";

/** The curvature at a model, and its figure. */
export interface CurvatureAnalysis {
  readonly summary: CurvatureSummary;
  /** Eigenvectors as directions through the model, in the order of the eigenvalues; null without eigenpairs. */
  readonly directions: Directions | null;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Computes the curvature of the loss at a model: top eigenpairs, trace, spectral density, and the same by layer, or reads
 * what of it is stored, and draws it. Each part is a file in `curvature/`; an analysis that was interrupted goes on with
 * the parts, and the layers, that it has. Eigenvectors are stored as directions.
 *
 * @param subject - a run (its last snapshot), or a snapshot.
 * @param model - the architecture, compiled.
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is computed;
 * {@link EvaluationError} naming a kernel without a second derivative, or a loss that is not finite.
 * @example const { summary, figure } = await analyzeCurvature(run, model, { xs, ys }, { top: 5, trace: true });
 */
export async function analyzeCurvature(
  subject: Subject,
  model: tf.LayersModel,
  data: EvaluationData,
  options: AnalyzeCurvatureOptions = {},
): Promise<CurvatureAnalysis> {
  const settings = resolveCurvatureSettings(options);
  const point = isModelPoint(subject) ? subject : await modelOf(subject);
  const { layout } = point.run;
  const most = countColumns(selectColumns(layout, { ignore: settings.ignore }));
  if (settings.top > most) {
    throw new InvalidOptionError("top", `at most the number of weights, ${most}`, String(settings.top));
  }
  if (settings.matrix === "gauss-newton") checkGaussNewton(model, options.evaluation);
  const curvature = await createCurvature(model, data, {
    ...options.evaluation,
    layout,
    signal: options.signal,
  });
  const opened = openOnce(curvature, point, options.signal);
  try {
    const work = startWork(point, curvature, opened.at, settings, options);
    const pairs = settings.top === 0 ? null : await work.eigenpairs();
    const trace = settings.trace ? await work.trace() : null;
    const density = settings.density ? await work.density() : null;
    const layers = settings.perLayer ? await work.layers() : null;
    const summary: CurvatureSummary = {
      facts: await work.facts([pairs, trace, density, layers]),
      eigenvalues: pairs?.found ?? null,
      trace: trace?.found ?? null,
      density: density?.found ?? null,
      layers: layers?.found.layers ?? null,
    };
    return {
      summary,
      directions: pairs?.found.directions ?? null,
      figure: createCurvatureFigure(summary, pick(options.figure, ["title"])),
      warnings: [...point.run.warnings, ...curvature.warnings, ...convergenceWarnings(summary)],
    };
  } finally {
    opened.dispose();
    curvature.dispose();
  }
}

/** A direction that curvature gives: the eigenvectors in turn, that of the smallest eigenvalue, or the gradient. */
export type CurvatureAxis = "eigenvector" | "smallest" | "gradient";

/** Every {@link CurvatureAxis}. */
export const CURVATURE_AXES: readonly CurvatureAxis[] = ["eigenvector", "smallest", "gradient"];

/**
 * Returns one direction or two through a model that its curvature gives, of length 1 and at right angles. Eigenpairs are
 * read where they are stored, and stored where not.
 *
 * @param axes - what each is; the second "eigenvector" is that of the second eigenvalue by magnitude.
 * @throws as `analyzeCurvature`; {@link InvalidOptionError} if two directions are one.
 */
export async function curvatureDirections(
  subject: Subject,
  model: tf.LayersModel,
  data: EvaluationData,
  axes: readonly CurvatureAxis[],
  options: AnalyzeCurvatureOptions = {},
): Promise<Directions> {
  const settings = resolveCurvatureSettings(options);
  const point = isModelPoint(subject) ? subject : await modelOf(subject);
  const { layout } = point.run;
  const { signal, evaluation } = options;
  const curvature = await createCurvature(model, data, { ...evaluation, layout, signal });
  const opened = openOnce(curvature, point, signal);
  try {
    const work = startWork(point, curvature, opened.at, settings, options);
    const count = axes.filter((axis) => axis === "eigenvector").length;
    const pairs = count === 0 ? null : (await work.eigenpairs(count)).found.directions;
    const ends = axes.includes("smallest") ? (await work.eigenpairs(2, "ends")).found.directions : null;
    let next = 0;
    const vectors: Float32Array[] = [];
    const labels: string[] = [];
    for (const axis of axes) {
      const found: readonly [Float32Array | undefined, string] =
        axis === "gradient"
          ? [Float32Array.from((await opened.at()).gradient), "gradient"]
          : axis === "smallest"
            ? [
                ends?.vectors[1],
                `eigenvector of the smallest eigenvalue ${(ends?.labels[1] ?? "").replace(/^.*\((.*)\)$/, "($1)")}`,
              ]
            : [pairs?.vectors[next], pairs?.labels[next++] ?? ""];
      vectors.push(atRightAngle(found[0] ?? new Float32Array(layout.parameterCount), vectors, found[1]));
      labels.push(vectors.length > 1 && axis === "gradient" ? "gradient, at a right angle" : found[1]);
    }
    return customDirections(point.theta, vectors, { layout, labels });
  } finally {
    opened.dispose();
    curvature.dispose();
  }
}

/** The Hessian within a plane, at its centre: what {@link analyzePlane} asks for where it is to be drawn. */
export type PlaneHessian = (plane: {
  readonly directions: Directions;
  /** sha-256 (hex) of the centre and all vectors. */
  readonly slice: string;
}) => Promise<ProjectedHessian>;

/**
 * Returns what computes the Hessian within a plane from two products, or reads it where it is stored:
 * `curvature/plane-….arrow`.
 *
 * @param run - whose layout the plane has.
 */
export function planeHessian(
  run: Run,
  model: tf.LayersModel,
  data: EvaluationData,
  options: Pick<AnalyzeCurvatureOptions, "evaluation" | "directory" | "force" | "signal"> = {},
): PlaneHessian {
  const { layout } = run;
  const { directory = run.directory, force, signal, evaluation } = options;
  refuseDifferences("Hessian within a plane", evaluation);
  return async ({ directions, slice }) => {
    const curvature = await createCurvature(model, data, { ...evaluation, layout, signal });
    try {
      const provenance: Provenance = {
        kind: "curvature-plane",
        version: 1,
        options: { loss: curvature.lossMode, samples: curvature.samples },
        seed: null,
        inputs: { slice, data: curvature.dataDigest, network: curvature.modelDigest },
        chosen: { backend: currentBackend().name },
      };
      const file = join(directory, "curvature", keyedName(["plane", slice.slice(0, 8)], provenance));
      const { read, write } = planeHessianFile;
      const { found } = await memo({ file, provenance, read, write, force }, async () => {
        const point = await curvature.at(directions.center, signal);
        try {
          const facts: CurvatureFacts = {
            name: run.manifest.name,
            dataName: null,
            matrix: "hessian",
            size: layout.trainableCount,
            ignore: [],
            samples: curvature.samples,
            lossMode: curvature.lossMode,
            loss: point.loss,
            gradientNorm: norm(point.gradient),
          };
          return { facts, found: await projectedHessian(point, directions.vectors.slice(0, 2), signal) };
        } finally {
          point.dispose();
        }
      });
      return found;
    } finally {
      curvature.dispose();
    }
  };
}

/** Says by how much eigenvalues may be off where their residuals are not small enough. */
function convergenceWarnings({ eigenvalues, layers }: CurvatureSummary): LandscapeWarning[] {
  const largest = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((a, b) => Math.max(a, b), 0);
  const own =
    eigenvalues === null || eigenvalues.isConverged
      ? []
      : [
          `eigenvalues have not converged in ${eigenvalues.products} products: they are off by at most ${largest(eigenvalues.residuals).toPrecision(2)}`,
        ];
  const ofLayers = (layers ?? [])
    .filter(({ isConverged }) => !isConverged)
    .map(({ layer, residual }) => `the eigenvalue of ${layer} is off by at most ${residual.toPrecision(2)}`);
  return [...own, ...ofLayers].map((message) => ({ code: "not-converged", message }));
}

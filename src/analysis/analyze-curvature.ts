import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { currentBackend } from "../backend/current-backend.js";
import { InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import {
  type Curvature,
  type CurvatureOptions,
  type CurvaturePoint,
  checkGaussNewton,
  createCurvature,
  refuseDifferences,
} from "../curvature/create-curvature.js";
import {
  type CurvatureFacts,
  type CurvatureSummary,
  densityFile,
  type Eigenvalues,
  eigenvaluesFile,
  type LayerCurvature,
  type LayerCurvatures,
  layersFile,
  layerTiles,
  type PartFile,
  planeHessianFile,
  type StoredDensity,
  traceFile,
} from "../curvature/curvature-file.js";
import { type Eigenpairs, topEigenpairs } from "../curvature/lanczos.js";
import { type ProjectedHessian, projectedHessian } from "../curvature/plane-curvature.js";
import { spectralDensity } from "../curvature/spectral-density.js";
import { hessianOperator, weightBlocks } from "../curvature/symmetric-operator.js";
import { estimateTrace } from "../curvature/trace.js";
import { norm } from "../curvature/vectors.js";
import { customDirections } from "../directions/between-models.js";
import {
  type ColumnRange,
  countColumns,
  embedVector,
  selectColumns,
} from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import type { Figure } from "../figure/figure.js";
import { createCurvatureFigure } from "../figure/make/create-curvature-figure.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import type { ParameterRole } from "../model/layout.js";
import { readDirections, writeDirections } from "../store/kinds/directions-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo, memoResumably, type StoredResult } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import { isModelPoint, type ModelPoint, modelOf, type Subject } from "./model-point.js";
import type { FigureOptions, ProgressOptions, ResultOptions } from "./options.js";
import { atRightAngle } from "./plane-directions.js";

/** The parts of a curvature that take time. */
export type CurvatureStep = "eigenpairs" | "trace" | "density" | "layers";

/** What is computed at a model. */
export interface CurvatureSettings {
  /** Eigenpairs of largest magnitude; 0 for none. Default 5. */
  readonly top?: number | undefined;
  /** The trace, with its standard error. Default false. */
  readonly trace?: boolean | undefined;
  /** The spectral density. Default false. */
  readonly density?: boolean | undefined;
  /** Largest eigenvalue and trace of each layer's own block. Default false. */
  readonly perLayer?: boolean | undefined;
  /** "hessian" (default), or "gauss-newton", which leaves the network's own curvature out. */
  readonly matrix?: "hessian" | "gauss-newton" | undefined;
  /** Roles of weights that do not count. Default none: all trained weights count. */
  readonly ignore?: readonly ParameterRole[] | undefined;
  /** Products at most for each trace. Default 100. */
  readonly products?: number | undefined;
  /** Lanczos steps for each random vector of the density. Default 96. */
  readonly steps?: number | undefined;
  /** Random vectors of the density. Default 4. */
  readonly probes?: number | undefined;
  /** Residual of eigenpairs, relative to the largest |λ|, that is small enough. Default 1e-4. */
  readonly tolerance?: number | undefined;
  /** Seed of random vectors. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of {@link analyzeCurvature}. */
export interface AnalyzeCurvatureOptions
  extends CurvatureSettings,
    Pick<ResultOptions, "directory" | "force" | "resume">,
    ProgressOptions<CurvatureStep> {
  /** How the loss is computed. */
  readonly evaluation?: Omit<CurvatureOptions, "layout" | "signal"> | undefined;
  readonly figure?: Pick<FigureOptions, "title" | "names"> | undefined;
}

/** The curvature at a model, and its figure. */
export interface CurvatureAnalysis {
  readonly summary: CurvatureSummary;
  /** Eigenvectors as directions through the model, in the order of the eigenvalues; null without eigenpairs. */
  readonly directions: Directions | null;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/** {@link CurvatureSettings} with the defaults filled in. */
type Settings = { readonly [Key in keyof CurvatureSettings]-?: Exclude<CurvatureSettings[Key], undefined> };

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function resolveCurvatureSettings(options: CurvatureSettings): Settings {
  const whole = (name: string, value: number, least: number): number => {
    if (Number.isInteger(value) && value >= least) return value;
    throw new InvalidOptionError(name, `a whole number of at least ${least}`, String(value));
  };
  const { matrix = "hessian", tolerance = 1e-4, ignore = [] } = options;
  if (matrix !== "hessian" && matrix !== "gauss-newton") {
    throw new InvalidOptionError("matrix", '"hessian" or "gauss-newton"', JSON.stringify(matrix));
  }
  if (!(tolerance > 0)) throw new InvalidOptionError("tolerance", "a number above 0", String(tolerance));
  return {
    top: whole("top", options.top ?? 5, 0),
    trace: options.trace ?? false,
    density: options.density ?? false,
    perLayer: options.perLayer ?? false,
    matrix,
    ignore,
    tolerance,
    products: whole("products", options.products ?? 100, 4),
    steps: whole("steps", options.steps ?? 96, 2),
    probes: whole("probes", options.probes ?? 4, 1),
    seed: whole("seed", options.seed ?? 0, 0),
  };
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

/** Opens the point when the first part asks for it: where all is stored, nothing is computed. */
function openOnce(curvature: Curvature, { theta }: ModelPoint, signal: AbortSignal | undefined) {
  let point: Promise<CurvaturePoint> | undefined;
  return {
    at(): Promise<CurvaturePoint> {
      point ??= curvature.at(theta, signal);
      return point;
    },
    dispose(): void {
      void point?.then((one) => one.dispose()).catch(() => undefined);
    },
  };
}

type Found<T> = { readonly facts: CurvatureFacts; readonly found: T };

/** The parts, each computed or read. */
function startWork(
  model: ModelPoint,
  curvature: Curvature,
  open: () => Promise<CurvaturePoint>,
  settings: Settings,
  options: AnalyzeCurvatureOptions,
) {
  const { matrix, ignore, seed, tolerance, products, top } = settings;
  const { layout } = model.run;
  const { directory = model.run.directory, force, resume, signal, onProgress } = options;
  const ranges = selectColumns(layout, { ignore });
  const factsOf = async (): Promise<CurvatureFacts> => {
    const { loss, gradient, differenceError } = await open();
    return {
      name: model.name,
      dataName: options.figure?.names?.data ?? null,
      matrix,
      size: countColumns(ranges),
      ignore,
      samples: curvature.samples,
      lossMode: curvature.lossMode,
      loss,
      gradientNorm: norm(gradient),
      ...defined({ differenceError }),
    };
  };
  const provenanceOf = (kind: string, own: { readonly [key: string]: JsonValue }): Provenance => ({
    kind: `curvature-${kind}`,
    version: 1,
    options: { matrix, ignore: [...ignore], loss: curvature.lossMode, samples: curvature.samples, ...own },
    seed,
    inputs: { model0: model.digest, data: curvature.dataDigest, network: curvature.modelDigest },
    chosen: { backend: currentBackend().name },
  });
  const stored = <T>(
    kind: string,
    own: { readonly [key: string]: JsonValue },
    file: PartFile<T>,
  ): StoredResult<Found<T>> => {
    const provenance = provenanceOf(kind, own);
    return {
      file: join(directory, "curvature", keyedName([kind, model.digest.slice(0, 8)], provenance)),
      provenance,
      read: file.read,
      write: file.write,
      force,
    };
  };
  const operator = async () => hessianOperator(await open(), layout, { matrix, ignore });
  const following = (step: CurvatureStep, total: number) => ({
    seed,
    signal,
    onProgress: (done: number) => onProgress?.(step, Math.min(done, total), total),
  });
  return {
    /** The facts of the first part that there is; without any, those of the point. */
    facts: async (parts: readonly (Found<unknown> | null)[]): Promise<CurvatureFacts> =>
      parts.find((part) => part !== null)?.facts ?? factsOf(),
    async eigenpairs(
      asked = top,
      which: "magnitude" | "ends" = "magnitude",
    ): Promise<Found<Eigenvalues & { readonly directions: Directions }>> {
      const count = Math.min(asked, countColumns(ranges));
      const own = { count, tolerance, ...(which === "magnitude" ? {} : { which }) };
      const kind = which === "magnitude" ? "eigenpairs" : "ends";
      const base = stored(kind, own, eigenvaluesFile);
      const vectorFile = join(
        directory,
        "directions",
        keyedName(["eigenvectors", model.digest.slice(0, 8)], base.provenance),
      );
      type Pairs = Found<Eigenvalues & { readonly directions: Directions }>;
      return memo<Pairs>(
        {
          ...base,
          async read(file, expected) {
            const [part, directions] = [
              await eigenvaluesFile.read(file, expected),
              await readDirections(vectorFile, expected),
            ];
            if (part === null || directions === null) return null;
            return { ...part, found: { ...part.found, directions } };
          },
          // The values come last: where they are, the vectors are.
          async write(file, part, provenance) {
            await writeDirections(vectorFile, part.found.directions, provenance);
            await eigenvaluesFile.write(file, part, provenance);
          },
        },
        async () => {
          const limit = 100 + 2 * count;
          const pairs = await topEigenpairs(await operator(), {
            count,
            which,
            tolerance,
            products: limit,
            ...following("eigenpairs", limit),
          });
          const { vectors, ...values } = pairs;
          return {
            facts: await factsOf(),
            found: { ...values, directions: asDirections(model, ranges, pairs) },
          };
        },
      );
    },
    trace: () =>
      memo(stored("trace", { products }, traceFile), async () => ({
        found: await estimateTrace(await operator(), { products, ...following("trace", products) }),
        facts: await factsOf(),
      })),
    density: () => {
      const { steps, probes } = settings;
      return memo(stored("density", { steps, probes }, densityFile), async () => {
        const own = await operator();
        const { outliers, ...rest } = await spectralDensity(own, {
          steps,
          probes,
          outliers: Math.min(Math.max(10, top), own.size - 2),
          ...following("density", steps * probes + 60),
        });
        const { vectors: _, ...values } = outliers ?? { vectors: [] };
        const found: StoredDensity = {
          ...rest,
          outliers: outliers === null ? null : (values as Eigenvalues),
        };
        return { found, facts: await factsOf() };
      });
    },
    async layers(): Promise<Found<LayerCurvatures>> {
      const base = stored("layers", { products, tolerance }, layersFile);
      const blocks = weightBlocks(layout, "layer").filter(({ select }) =>
        layout.parameters.some((one) => select(one) && one.trainable && !ignore.includes(one.role)),
      );
      const { name: backend } = currentBackend();
      let facts: CurvatureFacts | undefined;
      const layers = await memoResumably<LayerCurvature, LayerCurvatures>(
        {
          ...base,
          async read(file, expected) {
            const part = await layersFile.read(file, expected);
            facts = part?.facts;
            return part?.found ?? null;
          },
          async write(file, found, provenance) {
            facts = await factsOf();
            await layersFile.write(file, { facts, found }, provenance);
          },
          what: "curvature",
          engines: [{ name: "curvature", backend, batchSize: 0, threads: 0 }],
          metrics: [],
          tiles: layerTiles,
          isPartial: () => false,
          resume,
        },
        async ({ known, onPoint }) => {
          const found: LayerCurvature[] = [];
          for (const [i, { name, select }] of blocks.entries()) {
            const before = known.find(({ layer }) => layer === name);
            const one =
              before ??
              (await layerCurvature(name, hessianOperator(await open(), layout, { matrix, ignore, select }), {
                products,
                tolerance,
                seed,
                signal,
              }));
            if (before === undefined) await onPoint(one);
            found.push(one);
            onProgress?.("layers", i + 1, blocks.length);
          }
          return { layers: found, warnings: [] };
        },
      );
      return { found: layers, facts: facts ?? (await factsOf()) };
    },
  };
}

async function layerCurvature(
  layer: string,
  block: ReturnType<typeof hessianOperator>,
  how: Pick<Settings, "products" | "tolerance" | "seed"> & { readonly signal: AbortSignal | undefined },
): Promise<LayerCurvature> {
  const { tolerance, seed, signal } = how;
  const pairs = await topEigenpairs(block, { count: 1, tolerance, seed, signal });
  const {
    value: trace,
    standardError,
    products,
  } = await estimateTrace(block, pick(how, ["products", "seed", "signal"]));
  return {
    layer,
    size: block.size,
    eigenvalue: pairs.values[0] as number,
    residual: pairs.residuals[0] as number,
    isConverged: pairs.isConverged,
    trace,
    standardError,
    products: pairs.products + products,
  };
}

/** All eigenvectors as vectors over θ, of length 1. */
function asDirections(
  { theta }: ModelPoint,
  ranges: readonly ColumnRange[],
  { values, vectors }: Eigenpairs,
): Directions {
  return {
    kind: "hessian",
    center: theta,
    vectors: vectors.map((vector) => Float32Array.from(embedVector(vector, ranges, theta.length))),
    labels: Array.from(values, (value, k) => `eigenvector ${k + 1} (λ = ${value.toPrecision(3)})`),
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
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

import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { distancesFromMatrix, distancesFromRows } from "../embedding/distance-source.js";
import { intensivePca, intensivePcaTransform } from "../embedding/intensive-pca.js";
import { phate, phateTransform } from "../embedding/phate/phate.js";
import { type PhateOptions, resolvePhateOptions } from "../embedding/phate/phate-options.js";
import {
  geodesicPoint,
  ignorance,
  predictionDistances,
  type RootProbabilities,
  rootsOfLogs,
  truth,
} from "../embedding/prediction-distance.js";
import { pathContinuity } from "../embedding/quality/path-continuity.js";
import { trustworthiness } from "../embedding/quality/trustworthiness.js";
import type { EmbeddingQuality, EmbeddingValue, RunsEmbedding } from "../embedding/runs-embedding.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { fittedTo, openPredictionProbe, type Predictions } from "../loss/predictions.js";
import { createRecalibrator } from "../loss/recalibrator.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import { readEmbedding, writeEmbedding } from "../store/kinds/embedding-file.js";
import { readPredictions, writePredictions } from "../store/kinds/predictions-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo } from "../store/results/memo.js";
import { finitePart, partOfRun, type Run, type StepOptions } from "../store/run/run.js";
import { PHATE_PARAMETERS } from "./embed-options.js";
import { atLeastOneRun, distinctNames } from "./model-point.js";
import type { ProgressOptions, ResultOptions } from "./options.js";

/** Ways to embed predictions. */
export const PREDICTION_METHODS = ["inpca", "phate"] as const;

/** Options of {@link embedPredictions}. */
export interface EmbedPredictionsOptions
  extends Pick<ResultOptions, "directory" | "force">,
    StepOptions,
    ProgressOptions<"predictions" | "distances" | "embedding">,
    Pick<
      PhateOptions,
      "knn" | "decay" | "t" | "gamma" | "knnMax" | "mds" | "mdsSolver" | "mdsDist" | "tMax"
    > {
  /** Intensive PCA (default) or PHATE. */
  readonly method?: (typeof PREDICTION_METHODS)[number] | undefined;
  /** 2 (default) or 3. */
  readonly dimensions?: 2 | 3 | undefined;
  /** Samples of the data on which predictions are compared, from the first on. Default 1000. */
  readonly probe?: number | undefined;
  /** Name of the probe set, for files. Default "train". */
  readonly set?: string | undefined;
  /**
   * Training data from which batch norm's statistics are computed anew at each snapshot. Default none: predictions are
   * those with the statistics that training left, which lag behind early in training.
   */
  readonly calibration?: EvaluationData | undefined;
  /** Gives the model of a run. Default it is rebuilt from the run. */
  readonly modelOf?: ((run: Run) => Promise<tf.LayersModel>) | undefined;
  /** Seed of what is random in PHATE. Default 0. */
  readonly seed?: number | undefined;
  /** Products and eigenvectors. Default those of the active backend. */
  readonly linearAlgebra?: LinearAlgebra | undefined;
}

/** Points between ignorance and truth at which the geodesic is drawn, both included. */
const GEODESIC = 41;
/** Eigenvalues that are kept. */
const EIGENVALUES = 10;
/** Name of the geodesic among the runs of the picture. */
const GEODESIC_NAME = "ignorance to truth";

/**
 * Embeds the snapshots of runs by what they predict on a probe set, so that networks of different shape come into one
 * picture. The distance of two snapshots is the mean over samples of −ln Σ_c √(p_c q_c).
 *
 * Two landmarks are embedded with the snapshots: ignorance (every class as likely) and truth (the labels). The geodesic
 * between them is placed afterwards, as one more path, so that its points do not shape the picture. Predictions of each
 * run are stored in its folder as `predictions/SET-….arrow`, the result as `embeddings/predictions-….arrow`; they need
 * the stored weights only.
 * Cost: a forward pass for each snapshot; O(N²·samples·C) for the distances.
 *
 * @param data - inputs and labels; inputs in another shape of the same size are reshaped for each network.
 * @throws {@link InvalidOptionError} for an option that cannot be used; {@link InvalidDataError} for runs without a model,
 * or with other numbers of classes; {@link EvaluationError} for a model that is no classifier.
 * @see Mao et al., PNAS 2024, The training process of many deep networks explores the same low-dimensional manifold.
 * @example const embedding = await embedPredictions([run], { xs, ys });
 */
export async function embedPredictions(
  opened: readonly Run[],
  data: EvaluationData,
  options: EmbedPredictionsOptions = {},
): Promise<RunsEmbedding> {
  const { method = "inpca", dimensions = 2, seed = 0, force, onProgress } = options;
  checkOptions(options);
  const runs: Run[] = [];
  for (const run of atLeastOneRun(opened)) runs.push(await finitePart(partOfRun(run, options)));
  const [first] = runs as [Run];
  const total = runs.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
  if (total < 4) throw new InvalidDataError("runs", "at least 4 snapshots to embed", String(total));
  const linearAlgebra = options.linearAlgebra ?? createLinearAlgebra();
  const predictions: Predictions[] = [];
  let done = 0;
  for (const run of runs) {
    const before = done;
    const report = (count: number) => onProgress?.("predictions", before + count, total);
    predictions.push(await predictionsOf(run, data, options, report));
    done += run.snapshots.length;
  }
  checkAlike(runs, predictions);
  const { samples, classes } = predictions[0];
  const phateOptions = phateOptionsOf(options);
  const parameters: Readonly<Record<string, EmbeddingValue>> =
    method === "inpca"
      ? { components: dimensions, probe: samples }
      : {
          components: dimensions,
          probe: samples,
          knnDist: "root Bhattacharyya",
          seed,
          ...pick(resolvePhateOptions({ ...phateOptions, dimensions, seed }, total + 2), PHATE_PARAMETERS),
        };
  const batchNorm = batchNormOf(runs, options);
  const provenance: Provenance = {
    kind: "prediction-embedding",
    version: 1,
    options: {
      ...parameters,
      method,
      classes,
      batchNorm,
      linearAlgebra: linearAlgebra.name,
      names: runs.map(nameOf),
    },
    seed,
    inputs: {
      labels: sha256(predictions[0].labels),
      predictions: sha256(...predictions.flatMap(({ logProbabilities }) => logProbabilities)),
      ...Object.fromEntries(predictions.map(({ dataDigest }, i) => [`data${i}`, dataDigest])),
      ...Object.fromEntries(await Promise.all(runs.map(async (run, i) => [`run${i}`, await run.digest()]))),
    },
  };
  const folder = options.directory ?? first.directory;
  const name = ["predictions", method, `${dimensions}d`];
  return memo(
    {
      file: join(folder, "embeddings", keyedName(name, provenance)),
      provenance,
      read: readEmbedding,
      write: writeEmbedding,
      force,
    },
    () => placed(runs, predictions, parameters, linearAlgebra, options),
  );
}

function checkOptions({
  method = "inpca",
  dimensions = 2,
  probe = 1000,
  ...options
}: EmbedPredictionsOptions): void {
  if (!PREDICTION_METHODS.includes(method)) {
    throw new InvalidOptionError(
      "method",
      `one of ${PREDICTION_METHODS.join(", ")} for predictions`,
      String(method),
    );
  }
  if (dimensions !== 2 && dimensions !== 3) {
    throw new InvalidOptionError("dimensions", "2 or 3", String(dimensions));
  }
  wholeNumber("probe", probe);
  const stray = PHATE_PARAMETERS.find((name) => (options as Record<string, unknown>)[name] !== undefined);
  if (method !== "phate" && stray !== undefined) {
    throw new InvalidOptionError(stray, 'method "phate", which takes it', `method "${method}"`);
  }
}

/** What predictions of networks with batch norm are made with. */
function batchNormOf(runs: readonly Run[], { calibration }: EmbedPredictionsOptions): string {
  if (!runs.some(({ layout }) => hasStatistics(layout))) return "none";
  return calibration === undefined ? "as-trained" : "recalibrate";
}

const phateOptionsOf = (options: EmbedPredictionsOptions): PhateOptions =>
  pick(options as PhateOptions, PHATE_PARAMETERS);
const nameOf = ({ manifest }: Run): string => manifest.name;

async function predictionsOf(
  run: Run,
  data: EvaluationData,
  { probe, set = "train", modelOf, calibration, force, signal }: EmbedPredictionsOptions,
  report: (done: number) => void,
): Promise<Predictions> {
  if (modelOf === undefined && run.manifest.model === null) {
    throw new InvalidDataError(
      run.directory,
      "a run of a model, whose predictions can be computed",
      "one of variables",
    );
  }
  const model = await (modelOf ?? (() => modelFromManifest(run.manifest)))(run);
  const opened = await openPredictionProbe(model, data, { layout: run.layout, probe, signal });
  const { layout } = run;
  const fitted = calibration === undefined || !hasStatistics(layout) ? null : fittedTo(model, calibration);
  const recalibrator =
    fitted === null
      ? null
      : await createRecalibrator(model, fitted.data, { layout }).finally(() => fitted.dispose());
  const thetaOf = async (i: number): Promise<Float32Array> => {
    const theta = await run.readTheta(i);
    await recalibrator?.recalibrateInto(theta, signal);
    return theta;
  };
  try {
    const { samples, classes, labels, dataDigest } = opened;
    const provenance: Provenance = {
      kind: "predictions",
      version: 1,
      options: { samples, classes, batchNorm: recalibrator === null ? "as-trained" : "recalibrate" },
      seed: null,
      inputs: {
        run: await run.digest(),
        data: dataDigest,
        ...(recalibrator === null
          ? {}
          : { calibration: `${recalibrator.dataDigest}/${recalibrator.samples}` }),
      },
    };
    return await memo(
      {
        file: join(run.directory, "predictions", keyedName([set], provenance)),
        provenance,
        read: readPredictions,
        write: (file: string, found: Predictions, from: Provenance) =>
          writePredictions(file, found, run.snapshots, from),
        force,
      },
      async () => {
        const { length } = run.snapshots;
        const logProbabilities = await opened.predict(length, thetaOf, report);
        return { samples, classes, labels, dataDigest, logProbabilities };
      },
    );
  } finally {
    opened.dispose();
    recalibrator?.dispose();
    // A model that was rebuilt here is nobody else's.
    if (modelOf === undefined) model.dispose();
  }
}

function checkAlike(runs: readonly Run[], predictions: readonly Predictions[]): void {
  const [first] = predictions;
  predictions.forEach(({ samples, classes, labels }, i) => {
    const isAlike =
      samples === first.samples &&
      classes === first.classes &&
      labels.every((label, s) => label === first.labels[s]);
    if (isAlike) return;
    const expected = `${first.classes} classes on ${first.samples} samples, as ${nameOf(runs[0])}`;
    throw new InvalidDataError(nameOf(runs[i]), expected, `${classes} classes on ${samples} samples`);
  });
}

async function placed(
  runs: readonly Run[],
  predictions: readonly Predictions[],
  parameters: Readonly<Record<string, EmbeddingValue>>,
  linearAlgebra: LinearAlgebra,
  options: EmbedPredictionsOptions,
): Promise<RunsEmbedding> {
  const { method = "inpca", dimensions = 2, seed = 0, signal, onProgress } = options;
  const [{ samples, classes, labels }] = predictions;
  const snapshots = predictions.flatMap(({ logProbabilities }) =>
    logProbabilities.map((logs) => rootsOfLogs(logs, classes)),
  );
  const ends = [ignorance(samples, classes), truth(labels, classes)];
  const points = [...snapshots, ...ends];
  const n = points.length;
  onProgress?.("distances", 0, 1);
  const distances = predictionDistances(points, points, classes);
  const between = Array.from({ length: GEODESIC - 2 }, (_, i) =>
    geodesicPoint(ends[0], ends[1], classes, (i + 1) / (GEODESIC - 1)),
  );
  const toPoints = predictionDistances(between, points, classes);
  onProgress?.("distances", 1, 1);
  signal?.throwIfAborted();
  onProgress?.("embedding", 0, 1);
  const found =
    method === "inpca"
      ? await byIntensivePca(distances, toPoints, n, dimensions, linearAlgebra)
      : await byPhate(distances, toPoints, n, linearAlgebra, {
          ...phateOptionsOf(options),
          dimensions,
          seed,
        });
  const count = snapshots.length;
  const row = (values: Float64Array, i: number) => values.subarray(i * dimensions, (i + 1) * dimensions);
  const coordinates = Float64Array.from([
    ...found.own.subarray(0, count * dimensions),
    ...row(found.own, count),
    ...found.between,
    ...row(found.own, count + 1),
  ]);
  const facts = runs.flatMap((run, r) => run.snapshots.map((snapshot) => ({ r, snapshot })));
  const line = Array.from({ length: GEODESIC }, (_, i) => i);
  const positions = (key: "step" | "epoch" | "iteration") =>
    Int32Array.from([...facts.map(({ snapshot }) => snapshot[key]), ...line]);
  const run = Int32Array.from(facts, ({ r }) => r);
  return {
    method,
    dimensions,
    coordinates,
    runs: [...distinctNames(runs.map(nameOf)), GEODESIC_NAME].map((name) => ({ name })),
    run: Int32Array.from([...run, ...line.map(() => runs.length)]),
    step: positions("step"),
    epoch: positions("epoch"),
    iteration: positions("iteration"),
    loss: Float64Array.from([...snapshots, ends[0], ...between, ends[1]], (roots) =>
      crossEntropy(roots, labels, classes),
    ),
    lossName: "cross-entropy on the probe set",
    stepSize: Float64Array.from([
      ...facts.map(({ r }, i) => (i > 0 && facts[i - 1].r === r ? distances[i * n + i - 1] : Number.NaN)),
      ...line.map(() => Number.NaN),
    ]),
    parameters,
    facts: { space: "predictions", samples, classes, batchNorm: batchNormOf(runs, options), ...found.facts },
    quality: qualityOf(distances, n, count, coordinates, dimensions, run),
    stability: null,
    topology: null,
    warnings: [...runs.flatMap(({ warnings }) => warnings), ...found.warnings],
  };
}

/** Coordinates of the points and of the geodesic, and what the method found. */
interface Placed {
  readonly own: Float64Array;
  readonly between: Float64Array;
  readonly facts: Readonly<Record<string, EmbeddingValue>>;
  readonly warnings: readonly LandscapeWarning[];
}

async function byIntensivePca(
  distances: Float64Array,
  toPoints: Float64Array,
  n: number,
  dimensions: 2 | 3,
  linearAlgebra: LinearAlgebra,
): Promise<Placed> {
  const found = await intensivePca(distances, n, dimensions, linearAlgebra);
  const squares = found.eigenvalues.map((value) => value * value);
  const all = squares.reduce((sum, square) => sum + square, 0);
  return {
    own: found.embedding,
    between: intensivePcaTransform(found, toPoints),
    facts: {
      explainedStress: found.explainedStress,
      eigenvalues: Array.from(found.eigenvalues.subarray(0, EIGENVALUES)),
      axisShares: Array.from(squares.subarray(0, dimensions), (square) => (all > 0 ? square / all : 0)),
    },
    warnings: [],
  };
}

/** Square roots of the distances, which grow as squares of small ones. */
async function byPhate(
  distances: Float64Array,
  toPoints: Float64Array,
  n: number,
  linearAlgebra: LinearAlgebra,
  options: PhateOptions,
): Promise<Placed> {
  const result = await phate({ distances: distances.map(Math.sqrt), count: n }, linearAlgebra, options);
  const { t, normalizedStress, components } = result;
  return {
    own: result.embedding,
    between: phateTransform(result, { distances: toPoints.map(Math.sqrt), count: toPoints.length / n }),
    facts: { t, normalizedStress, pieces: components.count },
    warnings: result.warnings,
  };
}

function crossEntropy(roots: RootProbabilities, labels: Int32Array, classes: number): number {
  let sum = 0;
  for (const [s, label] of labels.entries()) sum -= 2 * Math.log(roots[s * classes + label]);
  // −0 of certain predictions is 0.
  return sum / labels.length + 0;
}

function qualityOf(
  distances: Float64Array,
  n: number,
  count: number,
  coordinates: Float64Array,
  dimension: number,
  run: Int32Array,
): EmbeddingQuality {
  const own = new Float64Array(count * count);
  for (let i = 0; i < count; i++) own.set(distances.subarray(i * n, i * n + count), i * count);
  const rows = coordinates.slice(0, count * dimension);
  const embedded = distancesFromRows({ rows, count, dimension }, "euclidean");
  const nNeighbors = Math.max(1, Math.min(5, Math.ceil(count / 2) - 1));
  const continuity = pathContinuity(embedded, run, { nNeighbors });
  return {
    trustworthiness: trustworthiness(distancesFromMatrix(own, count, count), embedded, { nNeighbors }),
    pathContinuity: continuity.mean,
    pathContinuityPerRun: continuity.perPath,
    nNeighbors,
  };
}

import { join } from "node:path";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type DistanceSource, distancesFromGram, distancesFromRows } from "../embedding/distance-source.js";
import { centeredGram } from "../embedding/point-gram.js";
import { pathContinuity } from "../embedding/quality/path-continuity.js";
import { trustworthiness } from "../embedding/quality/trustworthiness.js";
import type { EmbeddingMethod, EmbeddingQuality, RunsEmbedding } from "../embedding/runs-embedding.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { readEmbedding, writeEmbedding } from "../store/kinds/embedding-file.js";
import { openLosses, type SnapshotLosses } from "../store/kinds/losses-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo } from "../store/results/memo.js";
import { alignAlike } from "../store/run/align-runs.js";
import { partOfRun, type Run } from "../store/run/run.js";
import { runLanes } from "../surface/evaluate-points.js";
import { embedCoordinates, embeddingStability, embeddingTopology, inputOf } from "./embed-coordinates.js";
import { type EmbeddingParameters, type EmbedOptions, embeddingParameters } from "./embed-options.js";
import { alignmentProvenance, checkAlignment, embedPoints } from "./embed-points.js";
import { atLeastOneRun } from "./model-point.js";
import type { RunPoints } from "./run-points.js";
import { isStillLoss } from "./stored-values.js";

/** Losses of snapshots and what they are. */
export interface EmbeddedLosses {
  /** (N); NaN where it is not known. */
  readonly loss: Float64Array;
  readonly lossName: string;
}

/**
 * Returns the loss of each snapshot: true where there is an evaluator, otherwise as logged.
 *
 * @throws {@link InvalidOptionError} if a log was asked for by name and no snapshot has it.
 */
export async function embedLosses(
  runs: readonly Run[],
  points: RunPoints,
  options: EmbedOptions,
): Promise<EmbeddedLosses> {
  const { evaluator, lossLog = "loss" } = options;
  if (evaluator !== undefined) return evaluated(runs, points, evaluator, options);
  const loss = new Float64Array(points.count).map((_, row) => {
    const snapshot = runs[points.run[row] as number]?.snapshots[points.index[row] as number];
    const { logs = {} } = snapshot ?? {};
    return Object.hasOwn(logs, lossLog) ? (logs[lossLog] as number) : Number.NaN;
  });
  if (options.lossLog !== undefined && loss.every(Number.isNaN)) {
    const names = runs.flatMap(({ snapshots }) => snapshots.flatMap(({ logs }) => Object.keys(logs)));
    const known = [...new Set(names)].join(", ") || "none";
    throw new InvalidOptionError("lossLog", `a log of the runs (${known})`, JSON.stringify(lossLog));
  }
  return { loss, lossName: lossLog === "loss" ? "training loss as logged" : `${lossLog} as logged` };
}

/** True losses of points that several methods share: computed once. */
const known = new WeakMap<RunPoints, { readonly evaluator: LossEvaluator; readonly loss: Float64Array }>();

async function evaluated(
  runs: readonly Run[],
  points: RunPoints,
  evaluator: LossEvaluator,
  options: EmbedOptions,
): Promise<EmbeddedLosses> {
  const { signal, onProgress } = options;
  const earlier = known.get(points);
  if (earlier?.evaluator === evaluator) return { loss: earlier.loss.slice(), lossName: "true loss" };
  const wrong = runs.find(({ layout }) => layout.parameterCount !== evaluator.facts.parameterCount);
  if (wrong !== undefined) {
    const got = `${wrong.layout.parameterCount} in ${wrong.directory}`;
    throw new InvalidDataError("evaluator", `${evaluator.facts.parameterCount} parameters, its own`, got);
  }
  const stored = await storedLosses(runs, points, evaluator, options);
  const loss = new Float64Array(points.count);
  const before = Array.from(loss, (_, row) => stored.get(snapshotOf(runs, points, row).digest));
  let next = 0;
  let done = 0;
  const work = { width: () => evaluator.concurrency ?? 1, left: () => points.count - next };
  try {
    await runLanes(work, signal, async (stop, goesOn) => {
      while (next < points.count) {
        stop?.throwIfAborted();
        const row = next++;
        const { name, digest, readTheta } = snapshotOf(runs, points, row);
        const value =
          before[row] ?? (await evaluator.evaluate(await readTheta(), { signal: stop, name })).loss;
        stored.put(digest, value);
        loss[row] = value;
        onProgress?.("losses", ++done, points.count);
        if (!goesOn()) return;
      }
    });
  } finally {
    // What was computed is kept, whatever ended it.
    await stored.save(options.directory ?? (runs[0] as Run).directory);
  }
  known.set(points, { evaluator, loss: loss.slice() });
  return { loss, lossName: "true loss" };
}

/** The losses that planes and other embeddings have stored, if they are still true. */
async function storedLosses(
  runs: readonly Run[],
  points: RunPoints,
  evaluator: LossEvaluator,
  { directory, signal, force = false }: EmbedOptions,
): Promise<SnapshotLosses> {
  const places = [directory ?? (runs[0] as Run).directory, ...runs.map((run) => run.directory)];
  const set = { name: "train", evaluator };
  const stored = await openLosses(force ? [] : places, set, "as-trained");
  for (let row = points.count - 1; row >= 0; row--) {
    const { digest, readTheta } = snapshotOf(runs, points, row);
    const value = stored.get(digest);
    if (value === undefined) continue;
    const isTrue = await isStillLoss(evaluator, await readTheta(), undefined, value, signal);
    return isTrue ? stored : openLosses([], set, "as-trained");
  }
  return stored;
}

function snapshotOf(runs: readonly Run[], points: RunPoints, row: number) {
  const [run, index] = [runs[points.run[row] as number] as Run, points.index[row] as number];
  return {
    name: `snapshot ${index} of ${run.directory}`,
    digest: run.thetaDigest(index),
    readTheta: () => run.readTheta(index),
  };
}

/** Returns the quality of an embedding against the distances between the weights themselves. */
export function embeddingQuality(
  coordinates: Float64Array,
  points: RunPoints,
  options: EmbedOptions,
): EmbeddingQuality {
  const { count, run } = points;
  const { dimensions = 2 } = options;
  const embedded = distancesFromRows({ rows: coordinates, count, dimension: dimensions }, "euclidean");
  const nNeighbors = Math.max(1, Math.min(5, Math.ceil(count / 2) - 1));
  const continuity = pathContinuity(embedded, run, { nNeighbors });
  return {
    trustworthiness: trustworthiness(exactDistances(points, options), embedded, { nNeighbors }),
    pathContinuity: continuity.mean,
    pathContinuityPerRun: continuity.perPath,
    nNeighbors,
  };
}

/** Distances without the loss of a principal component stage, centred where the embedding was. */
function exactDistances(points: RunPoints, options: EmbedOptions): DistanceSource {
  const { input, knnDist } = inputOf(points, options);
  const { gram } = input as { readonly gram: Float64Array };
  const isCentred = knnDist === "cosine" && gram === points.gram;
  return distancesFromGram(isCentred ? centeredGram(gram, points.count) : gram, points.count, knnDist);
}

/**
 * Embeds the snapshots of one run, or of several of one layout together, in two or three dimensions by PHATE, PCA,
 * UMAP or t-SNE, and says how good the picture is.
 *
 * The runs are read once, block by block, for the inner products of their snapshots; every method sees the same
 * distances. The result is stored as `embeddings/METHOD-2d.arrow` (`-3d`; of parts of runs with 8 hex digits behind) and
 * read where it is up to date. With `align`, the units of all runs are brought into the order of the first one's, and the
 * result is stored as `METHOD-2d-aligned.arrow`.
 * Cost: O(N²·D) for the products, and the method's own.
 *
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is read.
 * @throws {@link LayoutError} naming both layouts if the runs differ in their parameters.
 * @throws {@link InvalidDataError} naming run and step of weights that are not finite (see `nonFinite`).
 * @see Horoi et al. 2022, Exploring the geometry and topology of neural network loss landscapes.
 * @example const { coordinates, quality } = await embedRuns([sgd, adam], { method: "phate", knnDist: "cosine" });
 */
export async function embedRuns(opened: readonly Run[], options: EmbedOptions = {}): Promise<RunsEmbedding> {
  const runs = alignAlike(opened.map((run) => partOfRun(run, options)));
  const [first] = atLeastOneRun(runs);
  const { dimensions = 2 } = options;
  const total = runs.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
  assertEnough(total, dimensions);
  const { align } = options;
  if (align !== undefined) checkAlignment(runs, align);
  const given = embeddingParameters(options, total);
  const linearAlgebra = options.linearAlgebra ?? createLinearAlgebra();
  const provenance = await provenanceOf(runs, given, linearAlgebra, options);
  const folder = options.directory ?? first.directory;
  // What is made of parts of runs replaces nothing of the whole.
  const file = runs.some(({ isPart }) => isPart === true)
    ? join(folder, "embeddings", keyedName([embeddingName(options)], provenance))
    : join(folder, "embeddings", `${embeddingName(options)}.arrow`);
  const result = { file, provenance, read: readEmbedding, write: writeEmbedding, force: options.force };
  return memo(result, () => computeEmbedding(runs, given, linearAlgebra, options));
}

async function computeEmbedding(
  runs: readonly Run[],
  given: EmbeddingParameters,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<RunsEmbedding> {
  const { method = "phate", dimensions = 2, seed = 0, signal, onProgress } = options;
  const total = runs.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
  const points = await embedPoints(runs, linearAlgebra, options);
  assertEnough(points.count, dimensions, points.count === total ? "" : " without NaN or infinity");
  const parameters = points.count === total ? given : embeddingParameters(options, points.count);
  const found = await embedCoordinates(method, points, linearAlgebra, options);
  const losses = await embedLosses(runs, points, options);
  const stability =
    options.stability === true ? await embeddingStability(points, linearAlgebra, options) : null;
  if (options.topology === true) onProgress?.("topology", 0, 1);
  const topology =
    options.topology === true && found.phate !== null
      ? embeddingTopology(found.phate, losses.loss, seed, signal)
      : null;
  return {
    method,
    dimensions,
    coordinates: found.coordinates,
    runs: runs.map(({ manifest }) => ({ name: manifest.name })),
    run: points.run,
    ...positionsOf(runs, points),
    ...losses,
    stepSize: points.stepSize,
    parameters,
    facts: {
      weights: points.columns,
      ...found.facts,
      ...defined({ alignment: points.alignment?.join(" ") }),
    },
    quality: embeddingQuality(found.coordinates, points, options),
    stability,
    topology,
    warnings: warningsOf(runs, points, method, found.warnings),
  };
}

/** Name of the file that holds the result of a method; that of aligned runs stands beside the other. */
export function embeddingName({ method = "phate", dimensions = 2, align }: EmbedOptions): string {
  return `${method}-${dimensions}d${align === undefined ? "" : "-aligned"}`;
}

function assertEnough(count: number, dimensions: number, which = ""): void {
  const least = Math.max(4, dimensions + 1);
  if (count >= least) return;
  throw new InvalidDataError("runs", `at least ${least} snapshots to embed`, `${count}${which}`, {
    hint: "train longer, record more often or take more runs",
  });
}

function positionsOf(runs: readonly Run[], { run, index }: RunPoints) {
  const of = (key: "step" | "epoch" | "iteration"): Int32Array =>
    run.map((r, row) => runs[r]?.snapshots[index[row] as number]?.[key] ?? 0);
  return { step: of("step"), epoch: of("epoch"), iteration: of("iteration") };
}

async function provenanceOf(
  runs: readonly Run[],
  parameters: EmbeddingParameters,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<Provenance> {
  const { method = "phate", weights = "trainable", nonFinite = "error", lossLog = "loss" } = options;
  const { evaluator, stability = false, topology = false, seed = 0 } = options;
  const digests = await Promise.all(runs.map((run) => run.digest()));
  const alignment = options.align === undefined ? null : await alignmentProvenance(runs, options.align);
  // A run's digest is over its weights: names, positions and logs are inputs of their own.
  const facts = runs.map(({ manifest, snapshots }) => [
    manifest.name,
    ...snapshots.map(({ step, epoch, iteration, logs }) => [
      step,
      epoch,
      iteration,
      evaluator === undefined && Object.hasOwn(logs, lossLog) ? String(logs[lossLog]) : null,
    ]),
  ]);
  return {
    kind: "embedding",
    version: 1,
    options: {
      ...parameters,
      method,
      weights,
      nonFinite,
      stability,
      topology,
      loss: evaluator === undefined ? `log:${lossLog}` : `true:${evaluator.facts.lossMode}`,
      samples: evaluator?.facts.samples ?? null,
      linearAlgebra: linearAlgebra.name,
      ...(alignment === null ? {} : { align: alignment.options }),
    },
    seed,
    inputs: {
      ...Object.fromEntries(digests.map((digest, index) => [`run${index}`, digest])),
      snapshots: sha256(JSON.stringify(facts)),
      ...(evaluator === undefined
        ? {}
        : { data: evaluator.facts.dataDigest, model: evaluator.facts.modelDigest }),
      ...alignment?.inputs,
    },
  };
}

function warningsOf(
  runs: readonly Run[],
  points: RunPoints,
  method: EmbeddingMethod,
  own: readonly LandscapeWarning[],
): LandscapeWarning[] {
  const few: LandscapeWarning[] =
    method !== "phate" && points.count < 30
      ? [
          {
            code: "too-few-points",
            message: `${points.count} snapshots: below 30 positions say little; record more of them.`,
          },
        ]
      : [];
  return [...points.warnings, ...few, ...own, ...duplicateWarning(runs, points)];
}

function duplicateWarning(runs: readonly Run[], points: RunPoints): LandscapeWarning[] {
  const { duplicates, run, index } = points;
  if (duplicates.length === 0) return [];
  const nameOf = (row: number): string => {
    const owner = runs[run[row] as number];
    return `step ${owner?.snapshots[index[row] as number]?.step} of run "${owner?.manifest.name}"`;
  };
  const named = duplicates
    .slice(0, 3)
    .map((rows) => rows.slice(0, 4).map(nameOf).join(" and ") + (rows.length > 4 ? " and others" : ""));
  return [
    {
      code: "duplicate-points",
      message: `Equal weights: ${named.join("; ")}${duplicates.length > 3 ? "; …" : ""}. Runs from one initialization share their start; many copies of a point crowd out its neighbours.`,
    },
  ];
}

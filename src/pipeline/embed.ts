import { createHash } from "node:crypto";
import { join } from "node:path";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import type { EmbeddingMethod, RunsEmbedding } from "../embedding/runs-embedding.js";
import { InvalidDataError } from "../errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { readEmbedding, writeEmbedding } from "../store/embedding-file.js";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import { atLeastOneRun } from "./at-least-one-run.js";
import { embedCoordinates } from "./embed-coordinates.js";
import { embedLosses } from "./embed-losses.js";
import { type EmbeddingParameters, type EmbedOptions, embeddingParameters } from "./embed-options.js";
import { embeddingQuality } from "./embed-quality.js";
import { embeddingStability } from "./embed-stability.js";
import { embeddingTopology } from "./embed-topology.js";
import { type RunPoints, readRunPoints } from "./run-points.js";

/**
 * Embeds the snapshots of one run, or of several of one layout together, in two or three dimensions by PHATE, PCA,
 * UMAP or t-SNE, and says how good the picture is.
 *
 * The runs are read once, block by block, for the inner products of their snapshots; every method sees the same
 * distances. The result is stored as `embeddings/METHOD-2d.arrow` (`-3d`) and read where it is up to date.
 * Cost: O(N²·D) for the products, and the method's own.
 *
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is read.
 * @throws {@link LayoutError} naming both layouts if the runs differ in their parameters.
 * @throws {@link InvalidDataError} naming run and step of weights that are not finite (see `nonFinite`).
 * @see Horoi et al. 2022, Exploring the geometry and topology of neural network loss landscapes.
 * @example const { coordinates, quality } = await embed([sgd, adam], { method: "phate", knnDist: "cosine" });
 */
export async function embed(runs: readonly Run[], options: EmbedOptions = {}): Promise<RunsEmbedding> {
  const [first] = atLeastOneRun(runs);
  const { method = "phate", components = 2, seed = 0, signal, onProgress } = options;
  const total = runs.reduce((sum, { snapshots }) => sum + snapshots.length, 0);
  assertEnough(total, components);
  const given = embeddingParameters(options, total);
  const linearAlgebra = options.linearAlgebra ?? createLinearAlgebra();
  const file = embeddingFile(options.directory ?? first.directory, method, components);
  const provenance = await provenanceOf(runs, given, linearAlgebra, options);
  const stored = options.force === true ? null : await readEmbedding(file, provenance);
  if (stored !== null) return stored;
  const points = await pointsOf(runs, linearAlgebra, options);
  assertEnough(points.count, components);
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
  const result: RunsEmbedding = {
    method,
    components,
    coordinates: found.coordinates,
    runs: runs.map(({ manifest }) => ({ name: manifest.name })),
    run: points.run,
    ...positionsOf(runs, points),
    ...losses,
    stepSize: points.stepSize,
    parameters,
    facts: { weights: points.columns, ...found.facts },
    quality: embeddingQuality(found.coordinates, points, options),
    stability,
    topology,
    warnings: warningsOf(runs, points, method, found.warnings),
  };
  await writeEmbedding(file, result, provenance);
  return result;
}

/** Where the result of a method is stored. */
export function embeddingFile(directory: string, method: EmbeddingMethod, components: 2 | 3): string {
  return join(directory, "embeddings", `${method}-${components}d.arrow`);
}

function assertEnough(count: number, components: number): void {
  const least = Math.max(4, components + 1);
  if (count >= least) return;
  throw new InvalidDataError("runs", `at least ${least} snapshots to embed`, String(count), {
    hint: "train longer, record more often or take more runs",
  });
}

async function pointsOf(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  { points, weights = "trainable", nonFinite = "error", signal, onProgress }: EmbedOptions,
): Promise<RunPoints> {
  if (points !== undefined) return points();
  return readRunPoints(runs, linearAlgebra, {
    weights,
    nonFinite,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done, all) => onProgress?.("rows", done, all),
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
      loss: evaluator === undefined ? `log:${lossLog}` : `true:${evaluator.lossMode}`,
      samples: evaluator?.samples ?? null,
      linearAlgebra: linearAlgebra.name,
    },
    seed,
    inputs: {
      ...Object.fromEntries(digests.map((digest, index) => [`run${index}`, digest])),
      snapshots: createHash("sha256").update(JSON.stringify(facts)).digest("hex"),
      ...(evaluator === undefined ? {} : { data: evaluator.dataDigest, model: evaluator.modelDigest }),
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

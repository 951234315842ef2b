import omit from "lodash/omit.js";
import pick from "lodash/pick.js";
import { checkOneOf } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import type { Stoppable } from "../base/work.js";
import { type PhateOptions, resolvePhateOptions } from "../embedding/phate/phate-options.js";
import { EMBEDDING_METHODS, type EmbeddingMethod, type EmbeddingValue } from "../embedding/runs-embedding.js";
import { resolveTsneOptions, type TsneOptions } from "../embedding/tsne-embedding.js";
import { resolveUmapOptions, type UmapOptions } from "../embedding/umap-embedding.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { checkSeed } from "../math/random.js";
import type { StepOptions } from "../store/run/run.js";
import type { EmbedAlignment } from "./embed-points.js";
import type { RunPoints } from "./run-points.js";

/** The steps of an embedding that take time. */
export type EmbedStep = "rows" | "losses" | "embedding" | "stability" | "topology";

/** Options of PHATE. */
type PhateOwn = Omit<
  PhateOptions,
  "dimensions" | "signal" | "onProgress" | "seed" | "nJobs" | "knnDist" | "centered" | "nPca"
>;
/** Options of UMAP. */
type UmapOwn = Omit<UmapOptions, "dimensions" | "signal" | "onProgress" | "seed" | "start"> & {
  /** Where UMAP starts: "pca" (default), the principal components of the snapshots, or "random". */
  readonly init?: "pca" | "random";
};
/** Options of t-SNE. */
type TsneOwn = Omit<TsneOptions, "dimensions" | "signal" | "onProgress" | "seed">;

/** Options of {@link embedRuns}: what every method takes, and each method's own under their own names. */
export interface EmbedOptions extends PhateOwn, UmapOwn, TsneOwn, StepOptions, Stoppable {
  /** How to embed. Default "phate". */
  readonly method?: EmbeddingMethod;
  /** Dimensions. Default 2. */
  readonly dimensions?: 2 | 3;
  /** Weights that count: "trainable" (default) or "all", moving statistics included. */
  readonly weights?: "trainable" | "all";
  /**
   * Distance between snapshots, for every method but PCA, and for the quality of all. Default "euclidean"; Horoi
   * et al. take "cosine", with `mdsDist: "cosine"`.
   */
  readonly knnDist?: PhateOptions["knnDist"] & string;
  /** Principal components kept before distances if fewer than N; null: never. Default 100, as in PHATE. */
  readonly nPca?: number | null;
  /** Whether the mean snapshot is subtracted before cosine distances; null (default): with `nPca` only. */
  readonly centered?: boolean | null;
  /** Seed of what is random Default 0. */
  readonly seed?: number;
  /** The log that snapshots are coloured by: "loss" (default), "val_loss", …; `evaluator` goes before it. */
  readonly lossLog?: string;
  /** Computes the true loss of every snapshot. Default none: the logged loss. */
  readonly evaluator?: LossEvaluator;
  /** Snapshots with weights that are not finite: "error" (default) or "drop", with a warning that names them. */
  readonly nonFinite?: "error" | "drop";
  /**
   * Brings the units of each run into the order of the first one's before anything is measured: see `alignedRuns`. Losses
   * stay as they are. Default not.
   */
  readonly align?: EmbedAlignment;
  /** Embeds with several settings and compares the shapes; true: the usual ones. Default false. */
  readonly stability?: boolean;
  /** Persistence of the loss on the graph of the diffusion potential (PHATE only). Default false. */
  readonly topology?: boolean;
  /** Folder for results. Default the first run's directory. */
  readonly directory?: string;
  /** Computes everything again, also where a stored result is up to date. Default false. */
  readonly force?: boolean;
  /** Products and eigenvectors. Default those of the active backend. */
  readonly linearAlgebra?: LinearAlgebra;
  /** Gives the products of snapshots, so that several methods read the runs once: see `readRunPoints`. */
  readonly points?: () => Promise<RunPoints>;
  /** Called with what is done of each step. */
  readonly onProgress?: (step: EmbedStep, done: number, total: number) => void;
}

/** Parameters by name, as files record them: `components` is the number of dimensions, `center` whether points are centred. */
export type EmbeddingParameters = Readonly<Record<string, EmbeddingValue>>;

/** Names of the parameters that belong to one method alone. */
export const PHATE_PARAMETERS = [
  "knn",
  "decay",
  "nLandmark",
  "t",
  "gamma",
  "knnMax",
  "mdsDist",
  "mds",
  "mdsSolver",
  "tMax",
  "thresh",
] as const satisfies readonly (keyof PhateOwn)[];
export const UMAP_PARAMETERS = [
  "nNeighbors",
  "minDist",
  "spread",
  "nEpochs",
  "init",
] as const satisfies readonly (keyof UmapOwn)[];
export const TSNE_PARAMETERS = [
  "perplexity",
  "epsilon",
  "iterations",
] as const satisfies readonly (keyof TsneOwn)[];

/** An option that only one method takes. */
export type MethodOption =
  | (typeof PHATE_PARAMETERS)[number]
  | (typeof UMAP_PARAMETERS)[number]
  | (typeof TSNE_PARAMETERS)[number]
  | "topology";

/** The options that only one method takes, by method. */
export const METHOD_OPTIONS: Readonly<Record<EmbeddingMethod, readonly MethodOption[]>> = {
  phate: [...PHATE_PARAMETERS, "topology"],
  pca: [],
  umap: UMAP_PARAMETERS,
  tsne: TSNE_PARAMETERS,
};

/**
 * Checks every option against the number of snapshots and returns the parameters as used, by name.
 *
 * @throws {InvalidOptionError} naming the option that cannot be used, or that another method takes.
 */
export function embeddingParameters(options: EmbedOptions, count: number): EmbeddingParameters {
  refuseRenamed(options, "embedding");
  const { method = "phate", dimensions = 2, seed = 0, knnDist = "euclidean", centered = null } = options;
  checkOneOf("method", method, EMBEDDING_METHODS);
  checkOneOf("weights", options.weights ?? "trainable", ["trainable", "all"]);
  checkOneOf("nonFinite", options.nonFinite ?? "error", ["error", "drop"]);
  if (dimensions !== 2 && dimensions !== 3) {
    throw new InvalidOptionError("dimensions", "2 or 3", String(dimensions));
  }
  checkSeed(seed);
  for (const other of EMBEDDING_METHODS) {
    if (other === method) continue;
    const stray = METHOD_OPTIONS[other].find((name) => options[name] !== undefined);
    if (stray === undefined) continue;
    throw new InvalidOptionError(stray, `method "${other}", which takes it`, `method "${method}"`);
  }
  if (method === "pca" && options.stability === true) {
    throw new InvalidOptionError("stability", "a method with settings to vary", `method "pca"`);
  }
  const { nPca = 100 } = options;
  // Distances and centring are checked as PHATE's own, whatever the method.
  const given = method === "phate" ? pick(options, PHATE_PARAMETERS) : { knn: 1 };
  const shared = { knnDist, nPca, centered };
  const phate = resolvePhateOptions({ ...given, ...shared, dimensions, seed }, count);
  // Recorded as the files of today have it: other names would make stored embeddings stale.
  const common = { components: dimensions, knnDist, nPca, center: centered, seed };
  switch (method) {
    case "phate":
      return { ...common, ...pick(phate, PHATE_PARAMETERS) };
    case "pca":
      return { components: dimensions };
    case "umap": {
      const { init = "pca", ...own } = pick(options, UMAP_PARAMETERS);
      checkOneOf("init", init, ["pca", "random"]);
      const umap = resolveUmapOptions({ ...own, dimensions, seed }, count);
      return { ...common, ...omit(umap, "dimensions"), init };
    }
    case "tsne": {
      const tsne = resolveTsneOptions({ ...pick(options, TSNE_PARAMETERS), dimensions, seed }, count);
      return { ...common, ...pick(tsne, TSNE_PARAMETERS) };
    }
  }
}

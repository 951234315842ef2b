import type { LandscapeWarning } from "../base/warning.js";
import type { PersistencePair } from "./quality/persistence.js";

/** Ways to embed snapshots. */
export type EmbeddingMethod = "phate" | "pca" | "umap" | "tsne";

/** The methods, for choices and messages. */
export const EMBEDDING_METHODS: readonly EmbeddingMethod[] = ["phate", "pca", "umap", "tsne"];

/** A value of a parameter or a fact. */
export type EmbeddingValue = number | string | boolean | null | readonly number[];

/** How well an embedding keeps the data, by numbers that compare methods. */
export interface EmbeddingQuality {
  /** How far neighbours in the embedding are neighbours in weight space, in [0, 1]. */
  readonly trustworthiness: number;
  /** Share of neighbours in time that are neighbours in the embedding, in [0, 1]; NaN if no run has two. */
  readonly pathContinuity: number;
  /** The same for each run (R); NaN for a run of one snapshot. */
  readonly pathContinuityPerRun: Float64Array;
  /** How many nearest points count as neighbours. */
  readonly nNeighbors: number;
}

/** How much an embedding changes with its settings. */
export interface EmbeddingStability {
  /** The settings compared, by their own names. */
  readonly settings: readonly Readonly<Record<string, number>>[];
  /** Procrustes disparity of each pair, row-major: 0 same shape, 1 nothing in common. */
  readonly disparities: Float64Array;
  /** Mean over pairs. */
  readonly meanDisparity: number;
  /** Largest over pairs. */
  readonly maxDisparity: number;
}

/** Sublevel-set persistence of the loss on the neighbour graph of the diffusion potential. */
export interface EmbeddingTopology {
  /** Neighbours that each snapshot is joined to. */
  readonly neighbours: number;
  /** Snapshots in the graph; those without a finite loss are left out. */
  readonly vertexCount: number;
  readonly edgeCount: number;
  /** Basins (dimension 0) and cycles (1); vertices are rows of the embedding. */
  readonly pairs: readonly PersistencePair[];
  /** Loss levels of the Betti curves (m), increasing. */
  readonly levels: Float64Array;
  /** Basins and cycles alive at each level (m). */
  readonly betti0: Int32Array;
  readonly betti1: Int32Array;
  /** Total persistence of basins against that of the same losses at random vertices. */
  readonly null: {
    readonly observed: number;
    /** Of each permutation, increasing. */
    readonly permuted: Float64Array;
    /** Small if the landscape is smoother than chance. */
    readonly pLower: number;
    /** Small if it is rougher. */
    readonly pUpper: number;
  };
}

/** Snapshots of one or more runs in two or three dimensions. */
export interface RunsEmbedding {
  readonly method: EmbeddingMethod | "inpca";
  /** k, the dimensions. */
  readonly dimensions: 2 | 3;
  /** Coordinates (N, k), row-major. */
  readonly coordinates: Float64Array;
  /** The runs in order. */
  readonly runs: readonly { readonly name: string }[];
  /** Number of the run of each row (N), from 0. */
  readonly run: Int32Array;
  /** Ordinal, completed epochs and optimizer updates of each row's snapshot (N). */
  readonly step: Int32Array;
  readonly epoch: Int32Array;
  readonly iteration: Int32Array;
  /** Loss of each row's snapshot (N); NaN where it is not known. */
  readonly loss: Float64Array;
  /** What that loss is: "loss as logged", "true loss". */
  readonly lossName: string;
  /** ‖θ_i − θ_{i−1}‖ (N); NaN at the first snapshot of a run. */
  readonly stepSize: Float64Array;
  /** Every parameter as used, by the name that files record. */
  readonly parameters: Readonly<Record<string, EmbeddingValue>>;
  /** What the method found beside coordinates: t, stress, explained variance. */
  readonly facts: Readonly<Record<string, EmbeddingValue>>;
  readonly quality: EmbeddingQuality;
  /** null where it was not asked for. */
  readonly stability: EmbeddingStability | null;
  /** null where it was not asked for. */
  readonly topology: EmbeddingTopology | null;
  readonly warnings: readonly LandscapeWarning[];
}

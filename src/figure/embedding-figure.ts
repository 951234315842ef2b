import type { JsonNumber } from "../base/json.js";
import type { EmbeddingMethod } from "../embedding/runs-embedding.js";
import type { Progress } from "./figure.js";

/** What the points of an embedding are coloured by: loss, run, or length of the step that led there. */
export type EmbeddingColor = "loss" | "run" | "step";

/** The colours, for choices and messages. */
export const EMBEDDING_COLORS: readonly EmbeddingColor[] = ["loss", "run", "step"];

/** One snapshot in the embedding. */
export interface EmbeddingPoint {
  readonly step: number;
  readonly epoch: number;
  readonly iteration: number;
  /** Coordinates (2 or 3). */
  readonly at: readonly JsonNumber[];
  /** Loss, "NaN" where it is not known. */
  readonly loss: JsonNumber;
  /** ‖θ_i − θ_{i−1}‖, "NaN" at a start. */
  readonly stepSize: JsonNumber;
}

/** The path of one run. */
export interface EmbeddingPath {
  readonly name: string;
  readonly points: readonly EmbeddingPoint[];
}

/** Scale of the colours of points. */
export interface ColorScale {
  readonly title: string;
  readonly kind: "linear" | "log";
  readonly min: number;
  readonly max: number;
  /** Levels with a label, increasing, inside [min, max]. */
  readonly ticks: readonly number[];
}

/**
 * Snapshots of one or more runs in two or three dimensions, as plain JSON data.
 *
 * Non-finite numbers are spelled out. Every text is cleaned of control characters, but not escaped.
 */
export interface EmbeddingFigure {
  readonly kind: "embedding";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  readonly method: EmbeddingMethod;
  readonly dimensions: 2 | 3;
  /** Names of the axes: "PHATE 1". */
  readonly axes: readonly string[];
  readonly color: EmbeddingColor;
  /** What the loss is: "true loss". */
  readonly lossName: string;
  /** null where points have the colours of their runs. */
  readonly scale: ColorScale | null;
  readonly progress: Progress;
  readonly paths: readonly EmbeddingPath[];
  /** What is drawn and how good it is, in sentences. */
  readonly caption: string;
  /** Parameters in one line. */
  readonly provenance: string;
  /** Warnings of the result. */
  readonly notes: readonly string[];
  /** The picture in words, for those who do not see it. */
  readonly description: string;
}

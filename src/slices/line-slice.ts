import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Surface } from "../surface/surface.js";
import type { LandscapeWarning } from "../warning.js";

/** An evaluation set by name: "train", "test". */
export interface EvaluationSet {
  readonly name: string;
  readonly evaluator: LossEvaluator;
}

/** Losses and metrics along one line, on one evaluation set. */
export interface LineCurve {
  /** Name of the evaluation set. */
  readonly set: string;
  /** Seed of the direction, or null where it is not random. */
  readonly seed: number | null;
  /** Values along α: a surface with beta = [0]. */
  readonly surface: Surface;
}

/** A place on the line that has a name: a model. */
export interface LineMark {
  readonly alpha: number;
  readonly name: string;
}

/** A one-dimensional slice: one line or several through the same point, on one evaluation set or several. */
export interface LineSlice {
  /** "models": between two models; "random": along random directions. */
  readonly kind: string;
  /** What α is, for the axis: "from A (0) to B (1)". */
  readonly axis: string;
  /** Coordinates (W), increasing, the same for every curve. */
  readonly alpha: Float64Array;
  /** Set by set, and within a set seed by seed. */
  readonly curves: readonly LineCurve[];
  readonly marks: readonly LineMark[];
  /** What was done with batch norm's moving statistics at each point. */
  readonly batchNorm: string;
  readonly warnings: readonly LandscapeWarning[];
}

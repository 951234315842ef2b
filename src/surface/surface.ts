import type { EngineInfo, LossMode, LossValue } from "../model/loss-evaluator.js";
import type { LandscapeWarning } from "../warning.js";
import type { Approximation } from "./approximation.js";

/**
 * Uniform grid: alpha[i] = (i − i₀)·h with alpha[i₀] = 0 exactly, covering the path and a margin.
 * A one-dimensional slice has beta = [0].
 */
export interface Grid {
  /** Coordinates along the first direction (W), increasing. */
  readonly alpha: Float64Array;
  /** Coordinates along the second direction (H), increasing; [0] for a line. */
  readonly beta: Float64Array;
}

/** What a surface that was stopped early has; the values of the other points are NaN until they are evaluated. */
export interface PartialSurface {
  /** (H, W): 1 where the values were computed, 0 where nothing is known yet. */
  readonly evaluated: Uint8Array;
  /** What was used up: "60 seconds". */
  readonly budget: string;
}

/** Loss and metrics over a grid: H rows over beta, W columns over alpha, row-major. */
export interface Surface extends Grid {
  /** Loss (H, W): value at (alpha[i], beta[j]) is loss[j * W + i]. Non-finite values are kept. */
  readonly loss: Float64Array;
  /** Metrics by name, each (H, W). */
  readonly metrics: Readonly<Record<string, Float64Array>>;
  /** The value at θ* itself, also where a range given by the user leaves (0, 0) off the grid. */
  readonly center: LossValue;
  /** Number of evaluated grid points whose loss is not finite. */
  readonly nonFinite: number;
  /** Largest share of clipped samples over the grid, or null where the loss does not clip. */
  readonly clippedShare: number | null;
  readonly lossMode: LossMode;
  /** Number of samples behind every value. */
  readonly samples: number;
  readonly engine: EngineInfo;
  /** Of an approximate surface: how far its values may be off. Absent where every value is exact. */
  readonly approximation?: Approximation;
  /** Absent where every grid point was evaluated. */
  readonly partial?: PartialSurface;
  readonly warnings: readonly LandscapeWarning[];
}

import { checkOneOf } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import { BATCH_NORM_POLICIES, type BatchNormPolicyName } from "../loss/slice-loss.js";
import {
  type ApproximateOptions,
  checkApproximateOptions,
} from "../surface/approximate/approximate-surface.js";
import { checkShard, type SurfaceBudget, type SurfaceShard } from "../surface/evaluate-points.js";
import { DEFAULT_MARGIN, DEFAULT_SIZE, type GridAxes, parseGrid } from "../surface/grid.js";
import { checkSets } from "../surface/lines/evaluate-sets.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";

/** What is evaluated, and how. */
export interface EvaluationOptions {
  /** Evaluation sets, the training set first. Default none: nothing is evaluated. */
  readonly sets?: readonly EvaluationSet[] | undefined;
  /** What becomes of batch norm's moving statistics at each point. The default depends on the slice. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
  /** Ends early, with the coarse picture that there is then. Default no limit. */
  readonly budget?: SurfaceBudget | undefined;
  /**
   * Evaluates a part of the points only, into a folder of its own; another call whose `elsewhere` names these folders
   * joins them. Losses along paths are left to that call. Default all points.
   */
  readonly shard?: SurfaceShard | undefined;
  /**
   * Approximates surfaces instead of evaluating every point ({} for the defaults). An exact surface that is stored
   * and current is taken instead; no `budget` may stand beside it. Default none: exact.
   */
  readonly approximate?: ApproximateOptions | undefined;
}

/** Snapshots of which all are evaluated without asking. */
const PATH_LOSSES = 200;

/** How many losses along a path are evaluated. */
export interface PathLossesOptions {
  /**
   * How many snapshots of a path have their loss evaluated, at least 2, evenly spaced with the first and the last
   * among them; "all" for every one. A warning says so where some are left out. Default 200.
   */
  readonly pathLosses?: number | "all" | undefined;
}

/**
 * Checks `pathLosses`; returns the most snapshots that are evaluated, infinity for all.
 *
 * @throws {@link InvalidOptionError} if it is neither "all" nor a whole number of at least 2.
 */
export function resolvePathLosses({ pathLosses = PATH_LOSSES }: PathLossesOptions): number {
  if (pathLosses === "all") return Number.POSITIVE_INFINITY;
  if (Number.isInteger(pathLosses) && pathLosses >= 2) return pathLosses;
  throw new InvalidOptionError("pathLosses", '"all" or a whole number of at least 2', String(pathLosses));
}

/** Which points a surface has. */
export interface GridOptions {
  /** Points along each axis, one number or [first axis, second axis]. Default 21, of an approximate surface 41. */
  readonly size?: number | readonly [number, number] | undefined;
  /** Margin around the path on each side as a share of its extent along the axis. Default 0.2. */
  readonly margin?: number | undefined;
  /** Coordinates taken literally, "x0:x1:nx,y0:y1:ny". Default those that cover the path. */
  readonly grid?: string | undefined;
}

/** Where results are stored, and which are used again. */
export interface ResultOptions {
  /** Folder for results. Default the run's own directory; needed where several runs are analysed together. */
  readonly directory?: string | undefined;
  /** Computes everything again, also where stored results are current. Default false. */
  readonly force?: boolean | undefined;
  /**
   * Whether a result that was interrupted, or stopped by its budget, goes on with the points it has: `true` (if
   * there is none of what is asked, an error says what there is), `false` (it starts anew). Default: it goes on if
   * there is one.
   */
  readonly resume?: boolean | undefined;
}

/** How work is followed and stopped. */
export interface ProgressOptions<Step extends string> extends Stoppable {
  /** Called with what is done of each step, and the seconds left where they are known. Default none. */
  readonly onProgress?: ((step: Step, done: number, total: number, etaSeconds?: number) => void) | undefined;
}

/** What a figure says and shows. */
export interface FigureOptions {
  /** Default what the figure is of. */
  readonly title?: string | undefined;
  /** Metric that is shown instead of the loss. Default none. */
  readonly metric?: string | undefined;
  /** Whether an accuracy is shown as such or as the error. The default depends on the figure. */
  readonly accuracyAs?: AccuracyForm | undefined;
  /** Names for the caption: of the evaluation set ("2,000 training images of MNIST"), and of the loss. */
  readonly names?: { readonly data?: string | undefined; readonly loss?: string | undefined } | undefined;
}

/** {@link FigureOptions} of curves: a metric has a panel or an axis of its own, the first one there is; null: none. */
export interface ChartFigureOptions extends Omit<FigureOptions, "metric"> {
  readonly metric?: string | null | undefined;
}

/** Points along each axis where a tenth of the evaluations is enough: a surface in 3-D shows every cell. */
const APPROXIMATE_SIZE = 41;

/** The numbers of a grid, checked. */
export interface ResolvedGrid {
  readonly size: readonly [number, number];
  readonly margin: number;
  /** The literal coordinates that were asked for. */
  readonly grid: GridAxes | null;
}

/**
 * Checks grid options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function resolveGrid({
  size,
  margin,
  grid,
  approximate,
}: GridOptions & Pick<EvaluationOptions, "approximate">): ResolvedGrid {
  const count = approximate === undefined ? DEFAULT_SIZE : APPROXIMATE_SIZE;
  const counts = typeof size === "object" ? size : ([size ?? count, size ?? count] as const);
  if (!counts.every((count) => Number.isInteger(count) && count >= 3)) {
    throw new InvalidOptionError("size", "integers of at least 3", JSON.stringify(size));
  }
  if (margin !== undefined && !(Number.isFinite(margin) && margin >= 0)) {
    throw new InvalidOptionError("margin", "a finite number of at least 0", String(margin));
  }
  if (grid !== undefined && (size !== undefined || margin !== undefined)) {
    const other = size !== undefined ? "size" : "margin";
    throw new InvalidOptionError("grid", `no ${other} beside it: it says both itself`, "both");
  }
  const axes = grid === undefined ? null : parseGrid(grid);
  if (axes !== null && axes.beta === null) {
    throw new InvalidOptionError("grid", 'two axes, "x0:x1:nx,y0:y1:ny"', JSON.stringify(grid));
  }
  return { size: [counts[0] as number, counts[1] as number], margin: margin ?? DEFAULT_MARGIN, grid: axes };
}

/** Checks options of planes and lines before the first expensive step. */
export function checkEvaluation(options: EvaluationOptions & FigureOptions): void {
  const { sets = [], batchNorm, approximate, budget, shard, metric } = options;
  if (sets.length > 0) checkSets(sets);
  if (batchNorm !== undefined) checkOneOf("batchNorm", batchNorm, BATCH_NORM_POLICIES);
  if (approximate !== undefined) checkApproximateOptions(approximate, budget);
  if (shard !== undefined) checkShard(shard);
  if (shard !== undefined && approximate !== undefined) {
    throw new InvalidOptionError(
      "shard",
      "an exact surface",
      "an approximate one, whose points depend on each other",
    );
  }
  const names = sets[0]?.evaluator.facts.metricNames ?? [];
  if (metric === undefined || sets.length === 0 || names.includes(metric)) return;
  throw new InvalidOptionError("metric", `one of ${names.join(", ") || "none"}`, JSON.stringify(metric));
}

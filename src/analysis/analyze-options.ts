import { InvalidOptionError } from "../base/errors.js";
import {
  type ApproximateOptions,
  checkApproximateOptions,
} from "../surface/approximate/approximate-surface.js";
import type { SurfaceBudget } from "../surface/evaluate-points.js";
import { parseRange } from "../surface/grid.js";

/** Options of {@link analyzeRuns}. */
export interface AnalyzeOptions {
  /**
   * What the snapshots are centred on before PCA: "mean" (default, the published reference code) or
   * "final" (the final weights; the paper's text).
   */
  readonly center?: "mean" | "final";
  /** The two principal components that span the plane, counted from 0; default [0, 1]. */
  readonly components?: readonly [number, number];
  /** Weights that count: "trainable" (default) or "all", moving statistics included. */
  readonly weights?: "trainable" | "all";
  /** Grid points along each axis, one number or [first axis, second axis]; default 21. */
  readonly points?: number | readonly [number, number];
  /** Margin around the path on each side as a share of its extent along the axis; default 0.2. */
  readonly margin?: number;
  /** A range taken literally, "x0:x1:nx,y0:y1:ny"; default none: the range that covers the path. */
  readonly range?: string;
  /**
   * Folder for results and report. Default the run's own directory; required where several runs are
   * analysed together.
   */
  readonly directory?: string;
  /** Computes everything again, also where stored results are up to date; default false. */
  readonly force?: boolean;
  /**
   * Whether a surface that was interrupted, or stopped by its budget, goes on with the points it has: `true`
   * (if it is of something else now, an error says of what), `false` (it starts anew). Default: it goes on if it
   * is of the same model, data, directions, grid, loss and engine, and starts anew, with a warning, if not.
   */
  readonly resume?: boolean;
  /** Ends the surface early, with the coarse picture that there is then. Default no limit. */
  readonly budget?: SurfaceBudget;
  /**
   * Approximates the surface instead of evaluating every point ({} for the defaults). An exact surface that is
   * stored and up to date is taken instead; no `budget` may stand beside it. Default none: exact.
   */
  readonly approximate?: ApproximateOptions;
  /** Title of the figure; default the names of the runs. */
  readonly title?: string;
  /** What the surface shows, for the colour bar, e.g. "training loss"; default "loss". */
  readonly lossName?: string;
  /** Name of the evaluation set for the caption, e.g. "2,000 training images of MNIST". */
  readonly dataName?: string;
  /** Stops the work at the next batch. */
  readonly signal?: AbortSignal;
  /** Called with what is done of each step: "directions" (blocks), "surface" and "fidelity" (points). */
  readonly onProgress?: (step: AnalysisStep, done: number, total: number, etaSeconds?: number) => void;
}

/** The steps of an analysis that take time. */
export type AnalysisStep = "directions" | "surface" | "fidelity";

/** Options with defaults filled in and checked. */
export interface ResolvedAnalyzeOptions extends AnalyzeOptions {
  readonly center: "mean" | "final";
  readonly components: readonly [number, number];
  readonly weights: "trainable" | "all";
  readonly points: readonly [number, number];
  readonly margin: number;
  readonly force: boolean;
}

/**
 * Fills in the defaults and checks every option before the first expensive step.
 *
 * @throws {InvalidOptionError} naming the option that cannot be used.
 */
export function resolveAnalyzeOptions(options: AnalyzeOptions = {}): ResolvedAnalyzeOptions {
  const { center = "mean", weights = "trainable", margin = 0.2, force = false } = options;
  const components = options.components ?? [0, 1];
  const points = typeof options.points === "object" ? options.points : both(options.points ?? 21);
  checkOneOf("center", center, ["mean", "final"]);
  checkOneOf("weights", weights, ["trainable", "all"]);
  if (
    !components.every((index) => Number.isInteger(index) && index >= 0) ||
    components[0] === components[1]
  ) {
    throw new InvalidOptionError(
      "components",
      "two different integers from 0 on",
      JSON.stringify(components),
    );
  }
  if (!points.every((count) => Number.isInteger(count) && count >= 3)) {
    throw new InvalidOptionError("points", "integers of at least 3", JSON.stringify(options.points));
  }
  if (!(Number.isFinite(margin) && margin >= 0)) {
    throw new InvalidOptionError("margin", "a finite number of at least 0", String(margin));
  }
  if (options.range !== undefined && (options.points !== undefined || options.margin !== undefined)) {
    const other = options.points !== undefined ? "points" : "margin";
    throw new InvalidOptionError("range", `no ${other} beside it: it says both itself`, "both");
  }
  if (options.range !== undefined && parseRange(options.range).beta === null) {
    throw new InvalidOptionError("range", 'two axes, "x0:x1:nx,y0:y1:ny"', JSON.stringify(options.range));
  }
  if (options.approximate !== undefined) checkApproximateOptions(options.approximate, options.budget);
  return { ...options, center, components, weights, points, margin, force };
}

function both(count: number): readonly [number, number] {
  return [count, count];
}

function checkOneOf(where: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new InvalidOptionError(where, `one of ${allowed.join(", ")}`, value);
}

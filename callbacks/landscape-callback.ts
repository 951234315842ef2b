import { rm } from "node:fs/promises";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { type AnalyzeOptions, resolveAnalyzeOptions } from "../src/analysis/analyze-options.js";
import { analyzeRuns, type RunsAnalysis } from "../src/analysis/analyze-runs.js";
import { type WriteReportOptions, writeReport } from "../src/analysis/write-report.js";
import { createLinearAlgebra } from "../src/backend/linear-algebra/create-linear-algebra.js";
import { InvalidOptionError, RunStateError } from "../src/base/errors.js";
import { createLossEvaluator, type LossEvaluatorOptions } from "../src/loss/create-loss-evaluator.js";
import type { EvaluationData } from "../src/loss/evaluation-data.js";
import { openRun } from "../src/store/run/open-run.js";
import { TrajectoryCallback, type TrajectoryCallbackOptions } from "./trajectory-callback.js";

/** Options of {@link LandscapeCallback}: what to record, what to analyse it on, what to draw. */
export interface LandscapeCallbackOptions
  extends TrajectoryCallbackOptions,
    Omit<AnalyzeOptions, "directory" | "force" | "weights"> {
  /**
   * Evaluation set on which the surface is computed: `{ xs, ys }` or a `tf.data.Dataset`. Stays the
   * caller's and must live until training ends. Required.
   */
  readonly data: EvaluationData;
  /** How the loss is evaluated: mode, engine, batch size, a function of your own. */
  readonly evaluation?: Omit<LossEvaluatorOptions, "layout">;
  /** Pictures and page; default SVG, PNG and HTML in the run directory. */
  readonly report?: WriteReportOptions;
  /** Weights that span the plane: "trainable" (default) or "all". */
  readonly weights?: NonNullable<AnalyzeOptions["weights"]>;
  /**
   * Called if the analysis after training fails; `fit` succeeds all the same and the snapshots are kept.
   * Default: the error becomes a process warning (`process.emitWarning`) and stands in `error`.
   */
  readonly onError?: (error: unknown) => void;
}

const REPORT_FILES = ["plot.svg", "plot.png", "report.html"];

/**
 * Callback that records a training like {@link TrajectoryCallback} and draws it when it ends: PCA plane,
 * exact loss surface, path and fidelity, as `plot.svg`, `plot.png` and `report.html` in the run directory.
 *
 * An analysis that fails never costs the training: `fit` returns its history, the snapshots are complete
 * and can be analysed again (`tfjs-landscape surface RUN --data MODULE`).
 */
export class LandscapeCallback extends TrajectoryCallback {
  readonly #options: LandscapeCallbackOptions;
  #model: tf.LayersModel | null = null;
  #analysis: RunsAnalysis | null = null;
  #files: readonly string[] = [];
  #error: unknown = null;

  /** @throws `InvalidOptionError` if an option cannot be used; nothing is written yet. */
  constructor(options: LandscapeCallbackOptions) {
    super(options);
    if (typeof options.data !== "object" || options.data === null) {
      throw new InvalidOptionError("data", "{ xs, ys } or a tf.data.Dataset", String(options.data));
    }
    resolveAnalyzeOptions(options);
    this.#options = options;
  }

  /** What was computed after the last training; null before, or if it failed. */
  get analysis(): RunsAnalysis | null {
    return this.#analysis;
  }

  /** Paths of the pictures and the page written after the last training. */
  get files(): readonly string[] {
    return this.#files;
  }

  /** Why the analysis of the last training failed; null if it did not. */
  get error(): unknown {
    return this.#error;
  }

  /** Called by TensorFlow.js. @internal */
  override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]): void {
    super.setModel(model);
    this.#model = model as tf.LayersModel;
  }

  /** Called by TensorFlow.js. @internal */
  override async onTrainBegin(logs?: tf.Logs): Promise<void> {
    this.#analysis = null;
    this.#files = [];
    this.#error = null;
    await super.onTrainBegin(logs);
    // A picture of other snapshots must not stand beside the new ones, also if this training fails.
    await Promise.all(REPORT_FILES.map((name) => rm(join(this.directory, name), { force: true })));
  }

  /** Called by TensorFlow.js. @internal */
  override async onTrainEnd(logs?: tf.Logs): Promise<void> {
    await super.onTrainEnd(logs);
    try {
      await this.#analyze();
    } catch (error) {
      this.#error = error;
      this.#reportError(error);
    }
  }

  async #analyze(): Promise<void> {
    if (this.#model === null)
      throw new RunStateError("LandscapeCallback", "setModel before training", "none");
    const { data, evaluation, report, directory: _directory, ...options } = this.#options;
    const run = await openRun(this.directory);
    const evaluator = await createLossEvaluator(this.#model, data, { ...evaluation, layout: run.layout });
    try {
      const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
      this.#analysis = await analyzeRuns([run], tools, options);
    } finally {
      evaluator.dispose();
      await run.close();
    }
    this.#files = await writeReport(run.directory, [{ name: "plot", figure: this.#analysis.figure }], report);
  }

  #reportError(error: unknown): void {
    if (this.#options.onError !== undefined) {
      this.#options.onError(error);
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(`${this.directory}: training is recorded, but its landscape is not: ${reason}`, {
      type: "LandscapeWarning",
      code: "analysis-failed",
    });
  }
}

/**
 * Returns a callback that records a training and draws its trajectory on the loss surface when it ends.
 *
 * @throws `InvalidOptionError` if an option cannot be used.
 * @example
 * await model.fit(xs, ys, {
 *   epochs: 20,
 *   callbacks: [landscapeCallback({ directory: "runs/adam", data: { xs, ys } })],
 * });
 */
export function landscapeCallback(options: LandscapeCallbackOptions): LandscapeCallback {
  return new LandscapeCallback(options);
}

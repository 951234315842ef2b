import type * as tf from "@tensorflow/tfjs";
import {
  type AnalyzePlaneOptions,
  analyzePlane,
  checkPlaneOptions,
  type PlaneAnalysis,
  type PlaneStep,
} from "../src/analysis/analyze-plane.js";
import type { LiveStabilityOptions } from "../src/analysis/live-stability.js";
import type {
  EvaluationOptions,
  FigureOptions,
  GridOptions,
  PathLossesOptions,
  ProgressOptions,
} from "../src/analysis/options.js";
import { checkPcaPlane, type PcaPlaneOptions } from "../src/analysis/plane-directions.js";
import {
  checkReportOptions,
  removeReport,
  type WriteReportOptions,
  writeReport,
} from "../src/analysis/write-report.js";
import { InvalidOptionError, messageOf, RunStateError } from "../src/base/errors.js";
import { type OptionNames, refuseRenamed, refuseUnknown } from "../src/base/option-names.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { EvaluationData } from "../src/loss/evaluation-data.js";
import { type LossEvaluatorOptions, resolveEvaluation } from "../src/loss/loss-options.js";
import { portsOf } from "../src/loss/model-ports.js";
import { checkSamples } from "../src/loss/model-samples.js";
import { readWeightsSync } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { openRun } from "../src/store/run/open-run.js";
import {
  TRAJECTORY_OPTION_NAMES,
  TrajectoryCallback,
  type TrajectoryCallbackOptions,
} from "./trajectory-callback.js";

/** Options of {@link LandscapeCallback}: what to record, what to analyse it on, what to draw. */
export interface LandscapeCallbackOptions
  extends Omit<TrajectoryCallbackOptions, "stability">,
    Omit<PcaPlaneOptions, "seed">,
    GridOptions,
    PathLossesOptions,
    Pick<EvaluationOptions, "batchNorm" | "budget" | "approximate">,
    ProgressOptions<PlaneStep> {
  /**
   * Evaluation set on which the surface is computed: `{ xs, ys }` or a `tf.data.Dataset`. Stays the
   * caller's and must live until training ends. Required.
   */
  readonly data: EvaluationData;
  /** As for {@link TrajectoryCallbackOptions}; its data are the evaluation set unless it has its own. Default none. */
  readonly stability?:
    | (Omit<LiveStabilityOptions, "data"> & Partial<Pick<LiveStabilityOptions, "data">>)
    | undefined;
  /** How the loss is evaluated: mode, engine, batch size, a function of your own. */
  readonly evaluation?: Omit<LossEvaluatorOptions, "layout">;
  /** Pictures and page; default SVG, PNG and HTML in the run directory. */
  readonly report?: WriteReportOptions;
  /** Title of the figure, names of data and loss. Default the run's name, and none. */
  readonly figure?: FigureOptions;
  /**
   * Called if the analysis after training fails; `fit` succeeds all the same and the snapshots are kept.
   * Default: the error becomes a process warning (`process.emitWarning`) and stands in `error`.
   */
  readonly onError?: (error: unknown) => void;
}

/** Samples that are evaluated before training. */
const TRIED_SAMPLES = 8;

const EVALUATION_OPTION_NAMES: OptionNames<Omit<LossEvaluatorOptions, "layout">> = {
  loss: true,
  lossFunction: true,
  includeRegularization: true,
  classWeight: true,
  metrics: true,
  batchSize: true,
  sampleLimit: true,
  dataId: true,
  cacheBytes: true,
  signal: true,
  engine: true,
  device: true,
  threads: true,
  reuse: true,
  runner: true,
  workers: true,
  setup: true,
  dataExport: true,
  calibration: true,
  dataLimit: true,
  nonFiniteData: true,
};

const LANDSCAPE_OPTION_NAMES: OptionNames<LandscapeCallbackOptions> = {
  ...TRAJECTORY_OPTION_NAMES,
  data: true,
  evaluation: true,
  report: true,
  weights: true,
  onError: true,
  centering: true,
  components: true,
  second: true,
  size: true,
  margin: true,
  grid: true,
  pathLosses: true,
  batchNorm: true,
  budget: true,
  approximate: true,
  figure: true,
  signal: true,
  onProgress: true,
};

/** Name of the picture's files, without extension. */
const PICTURE = "plot";

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
  #analysis: PlaneAnalysis | null = null;
  #files: readonly string[] = [];
  #error: unknown = null;

  /** @throws `InvalidOptionError` if an option cannot be used; nothing is written yet. */
  constructor(options: LandscapeCallbackOptions) {
    super(withData(options));
    refuseRenamed(options, "plane");
    refuseUnknown(options, LANDSCAPE_OPTION_NAMES);
    const { data, evaluation = {}, report = {}, onError } = options;
    const isData =
      typeof data === "object" && data !== null && ("iterator" in data || ("xs" in data && "ys" in data));
    if (!isData) {
      const got =
        typeof data === "object" && data !== null ? `{ ${Object.keys(data).join(", ")} }` : String(data);
      throw new InvalidOptionError("data", "{ xs, ys } or a tf.data.Dataset", got);
    }
    if (onError !== undefined && typeof onError !== "function") {
      throw new InvalidOptionError("onError", "a function", String(onError));
    }
    refuseUnknown(evaluation, EVALUATION_OPTION_NAMES, "evaluation");
    resolveEvaluation(evaluation);
    checkReportOptions(report);
    checkPlaneOptions(analysisOptions(options));
    checkPcaPlane(options);
    this.#options = options;
  }

  /** What was computed after the last training; null before, or if it failed. */
  get analysis(): PlaneAnalysis | null {
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
    await this.#tryEvaluation();
    await super.onTrainBegin(logs);
    // A picture of other snapshots must not stand beside the new ones, also if this training fails.
    await removeReport(this.directory, [PICTURE], this.#options.report);
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

  /** Checks the data, and evaluates a few samples with the weights as they are, so that wrong data or losses cost no training. */
  async #tryEvaluation(): Promise<void> {
    if (this.#model === null)
      throw new RunStateError("LandscapeCallback", "setModel before training", "none");
    const { data, evaluation = {} } = this.#options;
    const { workers: _, setup: _setup, dataExport: _export, ...here } = evaluation;
    const { engine = "auto", sampleLimit = Number.POSITIVE_INFINITY } = here;
    const layout = layoutOfModel(this.#model);
    await checkSamples(portsOf(this.#model), data, { nonFiniteData: here.nonFiniteData, sampleLimit });
    const evaluator = await createLossEvaluator(this.#model, data, {
      ...here,
      layout,
      calibration: null,
      // Which engine is fastest is measured when it counts; the model's own ops know every model.
      engine: engine === "auto" ? "tfjs" : engine,
      sampleLimit: Math.min(sampleLimit, TRIED_SAMPLES),
    });
    try {
      await evaluator.evaluate(readWeightsSync(this.#model, layout));
    } finally {
      evaluator.dispose();
    }
  }

  async #analyze(): Promise<void> {
    if (this.#model === null)
      throw new RunStateError("LandscapeCallback", "setModel before training", "none");
    const { data, evaluation, report } = this.#options;
    const run = await openRun(this.directory);
    const evaluator = await createLossEvaluator(this.#model, data, { ...evaluation, layout: run.layout });
    try {
      const { components, centering, weights, second } = this.#options;
      const sets = [{ name: "train", evaluator }];
      this.#analysis = await analyzePlane(
        [run],
        { kind: "pca", components, centering, weights, second },
        { sets, ...analysisOptions(this.#options) },
      );
    } finally {
      evaluator.dispose();
      await run.close();
    }
    const drawn = this.#analysis.figure;
    if (drawn === null) return;
    this.#files = await writeReport(run.directory, [{ name: PICTURE, figure: drawn }], report);
  }

  #reportError(error: unknown): void {
    if (this.#options.onError !== undefined) {
      this.#options.onError(error);
      return;
    }
    const reason = messageOf(error);
    process.emitWarning(`${this.directory}: training is recorded, but its landscape is not: ${reason}`, {
      type: "LandscapeWarning",
      code: "analysis-failed",
    });
  }
}

/** The options of the recording: the stability is measured on the evaluation set, where nothing else is said. */
function withData({ stability, ...options }: LandscapeCallbackOptions): TrajectoryCallbackOptions {
  if (stability === undefined) return options;
  return { ...options, stability: { data: options.data, ...stability } };
}

/** What the analysis is told: `directory` and `resume` are the recording's. */
function analysisOptions(options: LandscapeCallbackOptions): AnalyzePlaneOptions {
  const { size, margin, grid, pathLosses, batchNorm, budget, approximate, figure, signal, onProgress } =
    options;
  return { size, margin, grid, pathLosses, batchNorm, budget, approximate, figure, signal, onProgress };
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

import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/option-names.js";
import { canonicalJson, type JsonValue } from "../../base/provenance.js";
import type { Stoppable } from "../../base/work.js";
import { type AlignMethod, checkAlignOptions } from "../../between/align-models.js";
import type { NormalizeOptions } from "../../directions/normalize.js";
import { createLossEvaluator } from "../../loss/create-loss-evaluator.js";
import type { ClassWeights, EvaluationData } from "../../loss/evaluation-data.js";
import type { LossEvaluator, LossMode } from "../../loss/loss-evaluator.js";
import type { EngineChoice } from "../../loss/loss-options.js";
import { createVariablesEvaluator, type VariablesLoss } from "../../loss/variables-evaluator.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { disposeOptimizer } from "../../model/describe-training.js";
import type { ParameterLayout } from "../../model/layout.js";
import { anonymousTopology } from "../../model/model-from-manifest.js";
import type { Run, StepOptions } from "../../store/run/run.js";
import { trainedModel } from "../../store/run/trained-model.js";
import { axisOfGrid } from "../../surface/grid.js";
import type { EvaluationSet } from "../../surface/lines/level-set-width.js";
import { lineGrid } from "../analyze-line.js";
import type { PlaneStep } from "../analyze-plane.js";
import { resolveStabilitySettings } from "../analyze-stability.js";
import type { ModelPoint } from "../model-point.js";
import type {
  EvaluationOptions,
  FigureOptions,
  GridOptions,
  PathLossesOptions,
  ResultOptions,
} from "../options.js";
import type { PcaPlaneOptions } from "../plane-directions.js";

/** The steps of a comparison that take time. */
export type CompareStep = PlaneStep | "planes" | "lines" | "sharpness" | "weights" | "stability";

/** Opens what computes the losses of a model, with weights in a run's layout, on the data of a set. */
export type OpenEvaluator = (
  model: tf.LayersModel,
  data: EvaluationData,
  layout: ParameterLayout,
  set: "train" | "test",
) => Promise<LossEvaluator>;

/** Options of {@link compareRuns}. */
export interface CompareRunsOptions
  extends Pick<PcaPlaneOptions, "centering" | "components" | "weights">,
    Pick<GridOptions, "size" | "margin">,
    PathLossesOptions,
    Pick<ResultOptions, "force">,
    Pick<EvaluationOptions, "batchNorm">,
    Pick<FigureOptions, "title" | "accuracyAs" | "names">,
    StepOptions,
    NormalizeOptions,
    Stoppable {
  /** The evaluation set, the same for every run. Needed. */
  readonly data: EvaluationData;
  /** A held-out set. Default none. */
  readonly testData?: EvaluationData | undefined;
  /**
   * Draws all paths a second time with the units of each run in the order of the first one's: see `alignedRuns`. Default
   * not.
   */
  readonly align?: AlignMethod | undefined;
  /** Starts of matching by weights, with `align`; the best counts. Default 5. */
  readonly alignTries?: number | undefined;
  /** Returns the compiled model of a run, which stays the caller's. Default it is rebuilt from the run's manifest. */
  readonly model?: ((run: Run) => tf.LayersModel | Promise<tf.LayersModel>) | undefined;
  /**
   * The loss of runs that were recorded from variables and have no model: see `createVariablesEvaluator`. Default none:
   * such runs are refused.
   */
  readonly variablesLoss?: VariablesLoss | undefined;
  /** Folder for results and figures. Needed. */
  readonly directory: string;
  /** Multiplies and decomposes matrices. Default that of the active backend. */
  readonly linearAlgebra?: LinearAlgebra | undefined;
  /** Compiled loss or exact logits form. Default "model". */
  readonly loss?: LossMode | undefined;
  /** Weights in the loss by class, as in `fit`. Default every class counts the same. */
  readonly classWeight?: ClassWeights | undefined;
  readonly batchSize?: number | undefined;
  readonly engine?: EngineChoice | undefined;
  /**
   * Opens what computes the losses of a model on a set, such as worker processes; the comparison disposes of it.
   * Default `createLossEvaluator` with `loss`, `batchSize` and `engine`.
   */
  readonly openEvaluator?: OpenEvaluator | undefined;
  /** Seeds of the random lines around each solution; the first one is also that of the ε-sharpness. Default 0 to 4. */
  readonly seeds?: readonly number[] | undefined;
  /** Coordinates of the lines, "x0:x1:n", with 0 among them. Default −1:1:41. */
  readonly grid?: string | undefined;
  /** Rise of the loss at which widths are read. Default one that suits all runs. */
  readonly rise?: number | undefined;
  /** Distance at which the mean rise is read. Default half of what the lines reach on their shorter side. */
  readonly radius?: number | undefined;
  /** Size of the box of the ε-sharpness. Default 0.05. */
  readonly epsilon?: number | undefined;
  /**
   * Also computes how sharp the loss is along each run, against its optimizer's own edge of stability, at so many
   * snapshots: see `analyzeStability`. `data` must then be what the runs were trained on. Default none.
   */
  readonly stability?: number | undefined;
  /** Called with what is done of each step. */
  readonly onProgress?: ((step: CompareStep, done: number, total: number) => void) | undefined;
}

/** Options with the defaults of the lines filled in. */
export interface ResolvedCompareOptions extends CompareRunsOptions {
  readonly seeds: readonly number[];
  readonly radius: number;
  readonly epsilon: number;
}

/**
 * Checks runs and options before the first expensive step, and fills in the defaults.
 *
 * @throws {@link InvalidDataError} for fewer than two runs, or one given twice; {@link InvalidOptionError} naming
 * an option that cannot be used.
 */
export function resolveCompareOptions(
  runs: readonly Run[],
  options: CompareRunsOptions,
): ResolvedCompareOptions {
  if (runs.length < 2) {
    throw new InvalidDataError("runs", "at least 2 to compare", runs.length === 0 ? "none" : "1");
  }
  const directories = runs.map(({ directory }) => directory);
  const twice = directories.find((directory, index) => directories.indexOf(directory) < index);
  if (twice !== undefined) throw new InvalidDataError("runs", "each run once", `${twice} twice`);
  for (const run of runs) {
    if (run.snapshots.length > 0) continue;
    throw new InvalidDataError(run.directory, "at least one snapshot", "none");
  }
  refuseRenamed(options, "compare");
  if (options.stability !== undefined) {
    resolveStabilitySettings({ snapshots: options.stability });
    const bare = runs.find(({ manifest }) => options.model === undefined && manifest.model === null);
    if (bare !== undefined) {
      throw new InvalidOptionError("stability", "runs of models", `${bare.directory}, which has none`);
    }
  }
  const { align, alignTries, seeds = [0, 1, 2, 3, 4], epsilon = 0.05 } = options;
  checkAlignOptions({ method: align, tries: alignTries }, "align");
  if (alignTries !== undefined && align !== "weights") {
    throw new InvalidOptionError("alignTries", "align: weights beside it", align ?? "no align");
  }
  const range = lineGrid(options.grid) ?? { from: -1, to: 1, size: 41 };
  if (!axisOfGrid("grid", range).includes(0)) {
    const got = `${range.from} to ${range.to} in ${range.size} points`;
    throw new InvalidOptionError("grid", "0 among the coordinates of the lines", got);
  }
  const reach = range.from < 0 && range.to > 0 ? Math.min(-range.from, range.to) : range.to - range.from;
  const { rise, radius = reach / 2 } = options;
  for (const [name, value] of Object.entries({ rise, radius, epsilon })) {
    if (value === undefined || (value > 0 && Number.isFinite(value))) continue;
    throw new InvalidOptionError(name, "a finite number above 0", String(value));
  }
  if (radius > Math.max(-range.from, range.to)) {
    throw new InvalidOptionError("radius", `a number within ${range.from} to ${range.to}`, String(radius));
  }
  return { ...options, seeds, radius, epsilon };
}

/** "train", and "test" where there is such a set. */
export type RunSets = readonly [EvaluationSet, ...EvaluationSet[]];

/** A run of a comparison, ready to be evaluated. */
export interface OpenedRun {
  readonly run: Run;
  /** Name that no other run has. */
  readonly name: string;
  /** The final weights. */
  readonly point: ModelPoint;
  /** What computes its losses; runs of one network share them. */
  readonly sets: RunSets;
  /** Its network; null for a run of variables. */
  readonly model: tf.LayersModel | null;
}

/** What computes the losses of each run, in the order of the runs. */
export interface RunEvaluators {
  readonly sets: readonly RunSets[];
  /** The network of each run; null for a run of variables. */
  readonly networks: readonly (tf.LayersModel | null)[];
  /** Puts weights back and frees what was opened. */
  dispose(): void;
}

/**
 * Opens an evaluator on each set for every network among the runs.
 *
 * @throws as `createLossEvaluator` and `trainedModel`; nothing is left open then.
 */
export async function openRunEvaluators(
  runs: readonly Run[],
  options: CompareRunsOptions,
): Promise<RunEvaluators> {
  const evaluators: LossEvaluator[] = [];
  const models: tf.LayersModel[] = [];
  const dispose = (): void => {
    for (const evaluator of evaluators) evaluator.dispose();
    for (const model of models) {
      disposeOptimizer(model.optimizer);
      model.dispose();
    }
  };
  const known = new Map<
    unknown,
    Map<string, { readonly sets: RunSets; readonly model: tf.LayersModel | null }>
  >();
  try {
    const sets: RunSets[] = [];
    const networks: (tf.LayersModel | null)[] = [];
    for (const run of runs) {
      const model = options.model === undefined ? null : await options.model(run);
      const network = model ?? networkOf(run);
      const byLayout = known.get(network) ?? new Map();
      known.set(network, byLayout);
      const opened = byLayout.get(run.layout.digest);
      if (opened !== undefined) {
        sets.push(opened.sets);
        networks.push(opened.model);
        continue;
      }
      const { variablesLoss, openEvaluator = here(options) } = options;
      const isOfVariables = variablesLoss !== undefined && model === null && run.manifest.model === null;
      const used = model ?? (isOfVariables ? null : await trainedModel(run));
      if (model === null && used !== null) models.push(used);
      const open = async (name: "train" | "test", data: EvaluationData): Promise<EvaluationSet> => {
        const evaluator =
          used === null
            ? await createVariablesEvaluator(
                run.layout,
                data,
                variablesLoss as VariablesLoss,
                variablesOptions(options),
              )
            : await openEvaluator(used, data, run.layout, name);
        evaluators.push(evaluator);
        return { name, evaluator };
      };
      const train = await open("train", options.data);
      const held = options.testData === undefined ? [] : [await open("test", options.testData)];
      byLayout.set(run.layout.digest, { sets: [train, ...held], model: used });
      sets.push([train, ...held]);
      networks.push(used);
    }
    return { sets, networks, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function variablesOptions({ batchSize, signal }: CompareRunsOptions) {
  return { batchSize, signal };
}

/** Evaluates in this process. */
function here(options: CompareRunsOptions): OpenEvaluator {
  const settings = pick(options, ["loss", "classWeight", "batchSize", "engine", "signal"]);
  return (model, data, layout) => createLossEvaluator(model, data, { ...settings, layout });
}

/** Architecture, loss and metrics of a run, by which networks are told apart. */
function networkOf({ manifest: { model, loss, metrics } }: Run): string {
  const parts: JsonValue = { model: anonymousTopology(model), loss, metrics };
  return canonicalJson(parts);
}

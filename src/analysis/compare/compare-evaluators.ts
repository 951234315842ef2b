import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { canonicalJson, type JsonValue } from "../../base/provenance.js";
import { createLossEvaluator } from "../../loss/create-loss-evaluator.js";
import type { EvaluationData } from "../../loss/evaluation-data.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import { anonymousTopology, modelFromManifest } from "../../model/model-from-manifest.js";
import { disposeOptimizer } from "../../model/optimizer.js";
import type { Run } from "../../store/run/run.js";
import type { EvaluationSet } from "../../surface/lines/level-set-width.js";
import type { ModelPoint } from "../model-point.js";
import type { CompareRunsOptions, OpenEvaluator } from "./compare-options.js";

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
}

/** What computes the losses of each run, in the order of the runs. */
export interface RunEvaluators {
  readonly sets: readonly RunSets[];
  /** Puts weights back and frees what was opened. */
  dispose(): void;
}

/**
 * Opens an evaluator on each set for every network among the runs.
 *
 * @throws as `createLossEvaluator` and `modelFromManifest`; nothing is left open then.
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
  const known = new Map<unknown, Map<string, RunSets>>();
  try {
    const sets: RunSets[] = [];
    for (const run of runs) {
      const model = options.model === undefined ? null : await options.model(run);
      const network = model ?? networkOf(run);
      const byLayout = known.get(network) ?? new Map<string, RunSets>();
      known.set(network, byLayout);
      const opened = byLayout.get(run.layout.digest);
      if (opened !== undefined) {
        sets.push(opened);
        continue;
      }
      const used = model ?? (await modelFromManifest(run.manifest));
      if (model === null) models.push(used);
      const { openEvaluator = here(options) } = options;
      const open = async (name: "train" | "test", data: EvaluationData): Promise<EvaluationSet> => {
        const evaluator = await openEvaluator(used, data, run.layout, name);
        evaluators.push(evaluator);
        return { name, evaluator };
      };
      const train = await open("train", options.data);
      const held = options.testData === undefined ? [] : [await open("test", options.testData)];
      byLayout.set(run.layout.digest, [train, ...held]);
      sets.push([train, ...held]);
    }
    return { sets, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Evaluates in this process. */
function here(options: CompareRunsOptions): OpenEvaluator {
  const settings = pick(options, ["loss", "batchSize", "engine", "signal"]);
  return (model, data, layout) => createLossEvaluator(model, data, { ...settings, layout });
}

/** Architecture, loss and metrics of a run, by which networks are told apart. */
function networkOf({ manifest: { model, loss, metrics } }: Run): string {
  const parts: JsonValue = { model: anonymousTopology(model), loss, metrics };
  return canonicalJson(parts);
}

import type { LossValue } from "../model/loss-evaluator.js";
import type { PlaneVectors } from "../model/plane-loss.js";
import type { ScorePlan } from "../model/scores.js";
import { takeRows } from "./data-columns.js";
import type { DataColumns, GraphEngine, ProgramBatches } from "./graph-program.js";
import { createGraphSamples, type GraphSamples } from "./graph-samples.js";
import type { ModelPlan } from "./plan/plan-model.js";
import { weightsAt } from "./plan/weights-at.js";
import { createPlaneEvaluation, type PlaneEvaluation } from "./plane-evaluation.js";
import { sumBatches } from "./run-batches.js";
import { valueOfTotals } from "./score-totals.js";

/** A model's plan compiled by an engine, with its data. */
export interface GraphEvaluator {
  readonly engine: GraphEngine;
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<LossValue>;
  /** Prepares for many points of one plane, or returns null where that would not help. */
  openPlane(plane: PlaneVectors, signal?: AbortSignal): Promise<PlaneEvaluation | null>;
  /** Opens some samples (all where `rows` is null), each to be evaluated by itself. */
  openRows(rows: Int32Array | null): Promise<GraphSamples>;
  /** Cuts the data into batches of another size, or takes other data. */
  load(data: DataColumns, batchSize: number): void;
  dispose(): void;
}

/** Compiles a plan; `load` comes before the first evaluation. */
export async function createGraphEvaluator(
  engine: GraphEngine,
  plan: ModelPlan,
  scores: ScorePlan,
): Promise<GraphEvaluator> {
  const program = await engine.compile(plan.graph);
  let loaded: { readonly data: DataColumns; readonly batches: ProgramBatches; readonly size: number };
  let isLoaded = false;
  return {
    engine,
    async evaluate(theta, signal) {
      await program.setWeights(weightsAt(plan.graph, plan.reader(theta)));
      const totals = await sumBatches(loaded.batches, plan.totals.length, undefined, signal);
      return valueOfTotals(scores, plan.totals, totals, loaded.data.samples);
    },
    openPlane: (plane, signal) =>
      createPlaneEvaluation(
        { engine, plan, scores, data: loaded.data, batchSize: loaded.size },
        plane,
        signal,
      ),
    openRows: (rows) => {
      const data = rows === null ? loaded.data : takeRows(loaded.data, rows);
      return createGraphSamples(engine, plan, scores, data, Math.min(loaded.size, data.samples));
    },
    load(data, batchSize) {
      if (isLoaded) loaded.batches.dispose();
      loaded = { data, batches: program.cut(data, batchSize), size: batchSize };
      isLoaded = true;
    },
    dispose() {
      if (isLoaded) loaded.batches.dispose();
      program.dispose();
    },
  };
}

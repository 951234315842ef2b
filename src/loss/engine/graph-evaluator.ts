import type { PlaneVectors } from "../engine-evaluator.js";
import type { LossValue, SampleValues } from "../loss-evaluator.js";
import type { ScorePlan } from "../scores.js";
import { type DataColumns, type GraphEngine, type ProgramBatches, takeRows } from "./graph-program.js";
import { type ModelPlan, sampleGraph, weightsAt } from "./plan/plan-model.js";
import {
  allOutputs,
  createPlaneEvaluation,
  type PlaneEvaluation,
  sumBatches,
  valueOfTotals,
} from "./plane-evaluation.js";

/** Samples on an engine, each evaluated by itself. */
export interface GraphSamples {
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<SampleValues>;
  dispose(): void;
}

/** Compiles the program that gives losses and metrics of single samples, and loads these samples. */
export async function createGraphSamples(
  engine: GraphEngine,
  plan: ModelPlan,
  scores: ScorePlan,
  data: DataColumns,
  batchSize: number,
): Promise<GraphSamples> {
  const graph = sampleGraph(plan);
  const program = await engine.compile(graph);
  const batches = program.cut(data, batchSize);
  return {
    async evaluate(theta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const rows = new Float32Array(data.samples * plan.totals.length);
      await allOutputs(batches, signal, (output, offset) => rows.set(output, offset));
      return valuesOfRows(scores, plan, rows, data.samples);
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}

/** Sorts the numbers of each sample by what they are; a prediction that is NaN leaves no loss and no metric. */
function valuesOfRows(
  scores: ScorePlan,
  { totals }: ModelPlan,
  rows: Float32Array,
  samples: number,
): SampleValues {
  const width = totals.length;
  const placeOf = (kind: string, index: number) =>
    totals.findIndex((total) => total.kind === kind && total.index === index);
  const losses = scores.losses.map((_, output) => {
    const [place, gap] = [placeOf("loss", output), placeOf("gap", output)];
    return Float64Array.from({ length: samples }, (_, i) =>
      gap !== -1 && rows[i * width + gap] !== 0 ? Number.NaN : rows[i * width + place],
    );
  });
  const metrics = scores.metrics.map(({ name, apply, output }, index) => {
    if (apply === null) return [name, losses[output]] as const;
    const place = placeOf("metric", index);
    const own = losses[output].map((loss, i) => (Number.isNaN(loss) ? loss : rows[i * width + place]));
    return [name, own] as const;
  });
  const loss = new Float64Array(samples);
  for (const values of losses) for (let i = 0; i < samples; i++) loss[i] += values[i];
  return { loss, metrics: Object.fromEntries(metrics) };
}

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

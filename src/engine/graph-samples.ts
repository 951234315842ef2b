import type { SampleValues } from "../model/sample-evaluator.js";
import type { ScorePlan } from "../model/scores.js";
import type { DataColumns, GraphEngine } from "./graph-program.js";
import type { ModelPlan } from "./plan/plan-model.js";
import { sampleGraph } from "./plan/sample-graph.js";
import { weightsAt } from "./plan/weights-at.js";
import { allOutputs } from "./run-batches.js";

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

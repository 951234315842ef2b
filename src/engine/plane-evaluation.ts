import type { LossValue } from "../model/loss-evaluator.js";
import type { PlaneVectors } from "../model/plane-loss.js";
import type { ScorePlan } from "../model/scores.js";
import type { DataColumn, DataColumns, GraphEngine } from "./graph-program.js";
import { cutFirstLinear, type FirstLinearCut } from "./plan/first-linear.js";
import { foldBatchNorm } from "./plan/fold-batch-norm.js";
import type { ModelPlan } from "./plan/plan-model.js";
import { weightsAt } from "./plan/weights-at.js";
import { allOutputs, sumBatches } from "./run-batches.js";
import { valueOfTotals } from "./score-totals.js";

/** Computes losses on one plane. */
export interface PlaneEvaluation {
  /** `theta` is θ* + alpha·dx + beta·dy, for the weights behind the first layer. */
  evaluate(theta: Float32Array, alpha: number, beta: number, signal?: AbortSignal): Promise<LossValue>;
  dispose(): void;
}

/** What a plane is evaluated with. */
export interface PlaneParts {
  readonly engine: GraphEngine;
  readonly plan: ModelPlan;
  readonly scores: ScorePlan;
  readonly data: DataColumns;
  readonly batchSize: number;
}

/** Most bytes of first-layer outputs that are kept (512 MiB). */
const LARGEST_CACHE = 2 ** 29;
/** The first layer must save so many multiplications for each number that is read back instead. */
const LEAST_GAIN = 64;

/**
 * Computes the first dense layer's outputs once, at θ*, dx and dy; points then combine them. Returns null if
 * the graph has no such layer, or would be read from memory more slowly than it is computed.
 */
export async function createPlaneEvaluation(
  parts: PlaneParts,
  plane: PlaneVectors,
  signal: AbortSignal | undefined,
): Promise<PlaneEvaluation | null> {
  const { engine, plan, scores, data, batchSize } = parts;
  const cut = cutFirstLinear(plan.raw);
  if (cut === null || !isWorthwhile(cut, data.samples)) return null;
  if (hasNaN(plane.center) || plane.vectors.some(hasNaN)) return null;
  const outputs = await firstOutputs(parts, cut, plane, signal);
  const rest: DataColumns = {
    samples: data.samples,
    columns: [...outputs, ...data.columns.filter(({ name }) => name.startsWith("y"))],
  };
  const graph = foldBatchNorm(cut.after);
  const program = await engine.compile(graph);
  const batches = program.cut(rest, largerBatch(batchSize, data.samples));
  return {
    async evaluate(theta, alpha, beta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const totals = await sumBatches(batches, plan.totals.length, { alpha, beta }, signal);
      return valueOfTotals(scores, plan.totals, totals, data.samples);
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}

/** What is left of such a network is small: larger batches spare calls and still stay in the cache. */
function largerBatch(batchSize: number, samples: number): number {
  return Math.min(batchSize * 8, samples);
}

function isWorthwhile({ shape, saved }: FirstLinearCut, samples: number): boolean {
  const numbers = 3 * shape.reduce((product, length) => product * length, 1);
  return saved >= LEAST_GAIN * numbers && numbers * samples * 4 <= LARGEST_CACHE;
}

function hasNaN(values: Float32Array): boolean {
  return values.some((value) => Number.isNaN(value));
}

async function firstOutputs(
  { engine, plan, data, batchSize }: PlaneParts,
  { before, shape }: FirstLinearCut,
  { center, vectors }: PlaneVectors,
  signal: AbortSignal | undefined,
): Promise<DataColumn[]> {
  const program = await engine.compile(before);
  const batches = program.cut(data, batchSize);
  const zero = new Float32Array(center.length);
  try {
    const columns: DataColumn[] = [];
    for (const [name, read] of [
      ["h0", plan.reader(center)],
      ["hx", plan.reader(vectors[0] ?? zero, "zero")],
      ["hy", plan.reader(vectors[1] ?? zero, "zero")],
    ] as const) {
      await program.setWeights(weightsAt(before, read));
      const size = shape.reduce((product, length) => product * length, 1);
      columns.push({ name, shape, values: await allOutputs(batches, data.samples, size, signal) });
    }
    return columns;
  } finally {
    batches.dispose();
    program.dispose();
  }
}

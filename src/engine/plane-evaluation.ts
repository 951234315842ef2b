import type { LossValue } from "../model/loss-evaluator.js";
import type { PlaneVectors } from "../model/plane-loss.js";
import type { ScorePlan } from "../model/scores.js";
import type { DataColumn, DataColumns, GraphEngine } from "./graph-program.js";
import { cutFirstLinear, type FirstLinearCut } from "./plan/first-linear.js";
import { foldBatchNorm } from "./plan/fold-batch-norm.js";
import { type Graph, sizeOf } from "./plan/graph.js";
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
/** Bytes of a core's second-level cache, 1 to 2 MiB in processors of today. */
const CORE_CACHE = 2 ** 20;
/** A batch's totals are summed in float32, of which more samples would cost digits. */
const LARGEST_BATCH = 4096;
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
  if (cut === null || !isWorthwhile(cut, data.samples, engine)) return null;
  if (hasNaN(plane.center) || plane.vectors.some(hasNaN)) return null;
  const graph = foldBatchNorm(cut.after);
  const rows = rowsInCache(graph, batchSize, data.samples);
  const first = await firstOutputs(parts, cut, plane, rows, signal);
  const targets = data.columns.filter(({ name }) => name.startsWith("y"));
  const program = await engine.compile(graph);
  const batches = program.cut({ samples: data.samples, columns: [first, ...targets] }, rows);
  return {
    async evaluate(theta, alpha, beta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const totals = await sumBatches(batches, plan.totals.length, { place: [1, alpha, beta] }, signal);
      return valueOfTotals(scores, plan.totals, totals, data.samples);
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}

/**
 * Samples in a batch of what is left of the network: as many as keep the largest value that lies between its
 * operations within a core's cache, in equal batches, for larger ones spare calls.
 */
function rowsInCache({ nodes }: Graph, batchSize: number, samples: number): number {
  const inner = nodes.flatMap(({ op, shape }) => (op === "input" ? [] : [sizeOf(shape)]));
  const most = Math.min(Math.floor(CORE_CACHE / (4 * Math.max(...inner))), LARGEST_BATCH);
  const batches = Math.ceil(samples / Math.max(most, batchSize));
  return Math.ceil(samples / batches);
}

function isWorthwhile({ shape, saved }: FirstLinearCut, samples: number, { name }: GraphEngine): boolean {
  const numbers = 3 * sizeOf(shape);
  // WebAssembly's products keep a copy of their matrix, in the order in which they read it.
  const bytes = 4 * numbers * samples * (name === "tfjs-fused" ? 2 : 1);
  return saved >= LEAST_GAIN * numbers && bytes <= LARGEST_CACHE;
}

function hasNaN(values: Float32Array): boolean {
  return values.some((value) => Number.isNaN(value));
}

/** The first layer's outputs at θ*, dx and dy, as the parts of one column that is to be cut into batches of `rows`. */
async function firstOutputs(
  { engine, plan, data, batchSize }: PlaneParts,
  { before, shape }: FirstLinearCut,
  { center, vectors }: PlaneVectors,
  rows: number,
  signal: AbortSignal | undefined,
): Promise<DataColumn> {
  const program = await engine.compile(before);
  const batches = program.cut(data, batchSize);
  const zero = new Float32Array(center.length);
  const size = sizeOf(shape);
  const values = new Float32Array(3 * size * data.samples);
  const readers = [
    plan.reader(center),
    plan.reader(vectors[0] ?? zero, "zero"),
    plan.reader(vectors[1] ?? zero, "zero"),
  ];
  try {
    for (const [part, read] of readers.entries()) {
      await program.setWeights(weightsAt(before, read));
      await allOutputs(batches, signal, (output, offset) => {
        for (let at = 0; at < output.length; at += size) {
          const place = placeInBatch(offset / size + at / size, part, data.samples, rows);
          values.set(output.subarray(at, at + size), place * size);
        }
      });
    }
    return { name: "h", shape: [3 * size], values };
  } finally {
    batches.dispose();
    program.dispose();
  }
}

/** Where a sample's part lies, in units of a part: the batches before, the parts before in its own, the samples before. */
function placeInBatch(sample: number, part: number, samples: number, rows: number): number {
  const start = sample - (sample % rows);
  return 3 * start + part * Math.min(rows, samples - start) + (sample - start);
}

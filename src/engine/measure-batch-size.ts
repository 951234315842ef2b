import { firstRows } from "./data-columns.js";
import type { GraphEvaluator } from "./graph-evaluator.js";
import type { DataColumns } from "./graph-program.js";

/** Batch sizes that are tried: activations of more samples leave the cache. */
const CANDIDATES = [64, 128, 256, 512];
/** Samples that each trial runs on. */
const TRIAL_SAMPLES = 512;
/** No new trial begins after so many milliseconds. */
const BUDGET = 2000;

/** The fastest batch size that was found, and its speed. */
export interface MeasuredSpeed {
  readonly batchSize: number;
  /** Seconds per sample. */
  readonly secondsPerSample: number;
}

/** Runs an evaluator on some samples with several batch sizes, twice each after a first run, best counts. */
export async function measureBatchSize(
  evaluator: GraphEvaluator,
  data: DataColumns,
  theta: Float32Array,
  wanted: number | undefined,
  signal?: AbortSignal,
): Promise<MeasuredSpeed> {
  const some = firstRows(data, TRIAL_SAMPLES);
  const sizes = candidateSizes(some.samples, wanted);
  const begin = performance.now();
  let best: MeasuredSpeed | undefined;
  for (const batchSize of sizes) {
    if (best !== undefined && performance.now() - begin > BUDGET) break;
    evaluator.load(some, batchSize);
    let fastest = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < 3; trial++) {
      const start = performance.now();
      await evaluator.evaluate(theta, signal);
      if (trial > 0) fastest = Math.min(fastest, performance.now() - start);
    }
    const secondsPerSample = fastest / 1000 / some.samples;
    // A larger batch has to be clearly faster: it holds more memory, and noise should not choose.
    if (best === undefined || secondsPerSample < 0.97 * best.secondsPerSample) {
      best = { batchSize, secondsPerSample };
    }
  }
  return best as MeasuredSpeed;
}

function candidateSizes(samples: number, wanted: number | undefined): readonly number[] {
  if (wanted !== undefined) return [Math.min(wanted, samples)];
  const fitting = CANDIDATES.filter((size) => size <= samples);
  return fitting.length === 0 ? [samples] : fitting;
}

import type { GraphEvaluator } from "./graph-evaluator.js";
import { type DataColumns, firstRows } from "./graph-program.js";
import type { PlaneEvaluation } from "./plane-evaluation.js";

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

/** An engine that agrees with the model, and its speed. */
export interface Candidate {
  readonly evaluator: GraphEvaluator;
  readonly batchSize: number;
  readonly secondsPerSample: number;
}

/** Seconds that one pass of the final comparison takes at most, by the speeds found before. */
const FINAL_SECONDS = 0.5;
/** Samples that it takes at least. */
const LEAST_FINAL_SAMPLES = 64;

/**
 * Compares engines on more samples, as they evaluate the points of a plane: what an engine does once a point, such
 * as opening a session, weighs too much on few samples, and what it keeps for a plane may change the order. Two
 * passes each, in turn; the faster counts.
 */
export async function measureFinal(
  candidates: readonly Candidate[],
  set: DataColumns,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  const slowest = Math.max(...candidates.map(({ secondsPerSample }) => secondsPerSample));
  const some = firstRows(set, Math.max(LEAST_FINAL_SAMPLES, Math.floor(FINAL_SECONDS / slowest)));
  const finals: { readonly candidate: Candidate; readonly plane: PlaneEvaluation | null; seconds: number }[] =
    [];
  try {
    for (const candidate of candidates) {
      const { evaluator, batchSize } = candidate;
      evaluator.load(some, Math.min(batchSize, some.samples));
      const plane = await evaluator.openPlane({ center: theta, vectors: [theta, theta] }, signal);
      finals.push({ candidate, plane, seconds: Number.POSITIVE_INFINITY });
    }
    for (let pass = 0; pass < 3; pass++) {
      for (const final of finals) {
        const { candidate, plane } = final;
        const begin = performance.now();
        await (plane === null
          ? candidate.evaluator.evaluate(theta, signal)
          : plane.evaluate(theta, 0, 0, signal));
        // The first pass warms up.
        if (pass > 0) final.seconds = Math.min(final.seconds, (performance.now() - begin) / 1000);
      }
    }
  } finally {
    for (const { plane } of finals) plane?.dispose();
  }
  return finals.map(({ candidate, seconds }) => ({ ...candidate, secondsPerSample: seconds / some.samples }));
}

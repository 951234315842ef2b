import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../errors.js";
import type { EvaluationData } from "../model/evaluation-data.js";
import { bindModel } from "../params/bound-weights.js";
import type { LandscapeWarning } from "../warning.js";
import { type DataSet, firstRows } from "./data-columns.js";
import type { ResolvedEngineOptions } from "./engine-options.js";
import { passedOver } from "./engine-warnings.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import type { GraphEvaluator } from "./graph-evaluator.js";
import type { GraphEngine } from "./graph-program.js";
import { createOnnxEngine } from "./onnx/onnx-engine.js";
import { loadOnnxRuntime, requireOnnxRuntime } from "./onnx/onnx-package.js";
import type { PlaneEvaluation } from "./plane-evaluation.js";
import { createTfEngine, isTensorFlowActive } from "./tensorflow/tf-engine.js";
import {
  type Candidate,
  CHECK_SAMPLES,
  type EngineTask,
  type OwnOps,
  runOwnOps,
  tryEngine,
} from "./try-engine.js";

/** The fastest engine, with the data loaded; null where the model's own ops are to be used. */
export interface EngineChoiceResult {
  readonly evaluator: GraphEvaluator | null;
  readonly batchSize: number;
  readonly measured: Readonly<Record<string, number>>;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Chooses between the engines that are installed by measuring each once, after comparing it with the model's
 * own ops.
 *
 * @throws {@link EvaluationError} if an engine that was asked for does not agree.
 */
export async function chooseEngine(
  model: tf.LayersModel,
  data: EvaluationData,
  task: EngineTask,
): Promise<EngineChoiceResult> {
  const { own } = task;
  const warnings: LandscapeWarning[] = [];
  const engines = availableEngines(own, warnings);
  const theta = bindModel(model, task.layout).readSync();
  const ownOps = engines.length === 0 ? null : await runOwnOps(model, data, task, theta);
  const candidates: Candidate[] = [];
  let finalists: readonly Candidate[] = candidates;
  try {
    for (const engine of engines) {
      const outcome = await tryEngine(engine, task, theta, (ownOps as OwnOps).value);
      if ("evaluator" in outcome) candidates.push(outcome);
      else if (own.engine === "auto") warnings.push(passedOver(engine.name, outcome.reason));
      else throw refusal(engine, outcome);
    }
    if (candidates.length > 1) finalists = await runFinal(candidates, task.set, theta, task.options.signal);
  } catch (error) {
    for (const { evaluator } of candidates) evaluator.dispose();
    throw error;
  }
  const [best, ...others] = [...finalists].sort((a, b) => a.secondsPerSample - b.secondsPerSample);
  const measured: Record<string, number> = Object.fromEntries(
    finalists.map(({ evaluator, secondsPerSample }) => [evaluator.engine.name, secondsPerSample]),
  );
  const ownSeconds = ownOps?.secondsPerSample ?? null;
  if (ownSeconds !== null) measured.tfjs = ownSeconds;
  for (const { evaluator } of others) evaluator.dispose();
  if (best === undefined) return { evaluator: null, batchSize: 0, measured, warnings };
  if (isOutrun(best, ownSeconds)) {
    best.evaluator.dispose();
    return { evaluator: null, batchSize: 0, measured, warnings };
  }
  best.evaluator.load(task.set, best.batchSize);
  return { evaluator: best.evaluator, batchSize: best.batchSize, measured, warnings };
}

/** Seconds that one pass of the final comparison takes at most, by the speeds found before. */
const FINAL_SECONDS = 0.5;

/**
 * Compares engines on more samples, as they evaluate the points of a plane: what an engine does once a point, such
 * as opening a session, weighs too much on few samples, and what it keeps for a plane may change the order. Two
 * passes each, in turn; the faster counts.
 */
async function runFinal(
  candidates: readonly Candidate[],
  set: DataSet,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  const slowest = Math.max(...candidates.map(({ secondsPerSample }) => secondsPerSample));
  const some = firstRows(set, Math.max(CHECK_SAMPLES, Math.floor(FINAL_SECONDS / slowest)));
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

function availableEngines(own: ResolvedEngineOptions, warnings: LandscapeWarning[]): readonly GraphEngine[] {
  if (own.engine === "tensorflow") return [createTfEngine()];
  if (own.engine === "onnx") return [createOnnxEngine(requireOnnxRuntime(), own.threads)];
  if (own.engine === "tfjs-fused") return [createFusedEngine()];
  const engines = isTensorFlowActive() ? [createTfEngine()] : [];
  const onnx = loadOnnxRuntime();
  if (onnx.state === "loaded") engines.push(createOnnxEngine(onnx.runtime, own.threads));
  if (onnx.state === "broken") warnings.push(passedOver("onnx", `it does not load: ${onnx.reason}`));
  // Slower than both on every network that was measured: not worth a trial beside them.
  if (engines.length === 0) engines.push(createFusedEngine());
  return engines;
}

/** A graph on the processor beside own ops on a faster device is no gain; noise should not choose. */
function isOutrun(best: Candidate, ownSeconds: number | null): boolean {
  return ownSeconds !== null && ownSeconds < 0.75 * best.secondsPerSample;
}

function refusal(
  engine: GraphEngine,
  { reason, cause }: { reason: string; cause?: unknown },
): EvaluationError {
  const options = { hint: 'use engine: "auto" or "tfjs"', ...(cause === undefined ? {} : { cause }) };
  return new EvaluationError(`engine "${engine.name}"`, "a model that it can run", reason, options);
}

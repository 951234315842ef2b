import { availableParallelism } from "node:os";
import { InvalidOptionError } from "../errors.js";
import type { LossEvaluatorOptions } from "../model/loss-evaluator-options.js";

/** What can compute losses: the fastest that works, or one of them by name. */
export type EngineChoice = "auto" | "tfjs" | "onnx" | "tensorflow";

/** Every {@link EngineChoice}, in the order of the help text. */
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "tfjs", "onnx", "tensorflow"];

/** Options of `createEngineEvaluator`. */
export interface EngineEvaluatorOptions extends LossEvaluatorOptions {
  /**
   * "tfjs": the model's own ops, whatever the model; "onnx": ONNX Runtime; "tensorflow": a TensorFlow graph
   * under the native backend. Default "auto": the fastest of those that are installed and know the model,
   * by measuring once.
   */
  readonly engine?: EngineChoice;
  /**
   * Threads of ONNX Runtime; TensorFlow's are set by the environment (TF_NUM_INTRAOP_THREADS). Default the
   * number of processors.
   */
  readonly threads?: number;
}

/** The engine's own options with the defaults filled in. */
export interface ResolvedEngineOptions {
  readonly engine: EngineChoice;
  readonly threads: number;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function resolveEngineOptions(options: EngineEvaluatorOptions): ResolvedEngineOptions {
  const { engine = "auto", threads = availableParallelism() } = options;
  if (!ENGINE_CHOICES.includes(engine)) {
    throw new InvalidOptionError("engine", `one of ${ENGINE_CHOICES.join(", ")}`, JSON.stringify(engine));
  }
  if (!Number.isInteger(threads) || threads < 1) {
    throw new InvalidOptionError("threads", "a whole number of at least 1", String(threads));
  }
  return { engine, threads };
}

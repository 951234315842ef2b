import { availableParallelism } from "node:os";
import { InvalidOptionError } from "../../base/errors.js";
import type { EngineInfo, EngineRequest } from "../loss-evaluator.js";
import type { ModelLossOptions } from "../model-loss-options.js";

/** What can compute losses: the fastest that works, or one of them by name. */
export type EngineChoice = "auto" | "tfjs" | "tfjs-fused" | "onnx" | "tensorflow";

/** Every {@link EngineChoice}, in the order of the help text. */
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "tfjs", "tfjs-fused", "onnx", "tensorflow"];

/** Options of `createEngineEvaluator`. */
export interface EngineEvaluatorOptions extends ModelLossOptions {
  /**
   * "tfjs": the model's own ops, whatever the model; "tfjs-fused": TF.js's fused operations on the active
   * backend; "onnx": ONNX Runtime; "tensorflow": a TensorFlow graph under the native backend. Default "auto":
   * the fastest of those that are installed and know the model, by measuring once.
   */
  readonly engine?: EngineChoice | undefined;
  /**
   * Threads of ONNX Runtime; TensorFlow's are set by the environment (TF_NUM_INTRAOP_THREADS). Default the
   * number of processors.
   */
  readonly threads?: number | undefined;
  /**
   * What an earlier choice came to: its engine, batch size and threads are used instead of choosing again,
   * so that the values are bit for bit those of then. The request stays what it was. Default none.
   */
  readonly reuse?: Pick<EngineInfo, "name" | "batchSize" | "threads"> | undefined;
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

/** What options ask for, as stored results remember it. */
export function engineRequest({
  engine = "auto",
  batchSize,
  threads,
}: EngineEvaluatorOptions): EngineRequest {
  return { engine, batchSize: batchSize ?? null, threads: threads ?? null };
}

/**
 * Puts an earlier choice in the place of what was asked.
 *
 * @throws {@link InvalidOptionError} if it is of no engine.
 */
export function withEarlierChoice({ reuse, ...options }: EngineEvaluatorOptions): EngineEvaluatorOptions {
  if (reuse === undefined) return options;
  const engine = ENGINE_CHOICES.find((name) => name === reuse.name);
  if (engine === undefined) {
    const got = JSON.stringify(reuse.name);
    throw new InvalidOptionError("reuse.name", `one of ${ENGINE_CHOICES.join(", ")}`, got);
  }
  const { batchSize, threads } = reuse;
  return {
    ...options,
    engine,
    ...(batchSize > 0 ? { batchSize } : {}),
    ...(threads > 0 ? { threads } : {}),
  };
}

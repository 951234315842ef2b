import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { JsonValue } from "../store/provenance.js";

/**
 * What a stored result is known by of its engine: what was asked for, so that values of "auto" are found again
 * whatever was chosen, and values of one engine are not taken for those of another that is asked for by name.
 */
export function engineFact({ request, engine }: LossEvaluator): JsonValue {
  if (request !== undefined) return { ...request };
  const { name, batchSize, threads } = engine;
  return { engine: name, batchSize, threads };
}

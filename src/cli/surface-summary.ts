import { toRows } from "../json.js";
import type { PartialSurface, Surface } from "../surface/surface.js";

/** What a person should know of a surface, in lines. */
export function surfaceSummary({
  alpha,
  beta,
  loss,
  samples,
  center,
  nonFinite,
  partial,
}: Surface): string[] {
  const finite = loss.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)].map((value) => value.toPrecision(4));
  const whole =
    `${alpha.length} × ${beta.length} points over ${samples} samples: loss from ${least} to ${most}, ` +
    `${center.loss.toPrecision(4)} at the centre, ${nonFinite} not finite`;
  if (partial === undefined) return [whole];
  const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
  const rest = `${known} of them are evaluated (stopped after ${partial.budget}); the same command goes on`;
  return [whole, rest];
}

/** What a partial surface says of itself in JSON: 1 where a value was computed, rows over beta. */
export function partialFacts({ beta }: Surface, { evaluated, budget }: PartialSurface) {
  return { evaluated: toRows(evaluated, beta.length), partial: budget };
}

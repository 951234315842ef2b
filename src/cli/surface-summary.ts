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
  const whole =
    `${alpha.length} × ${beta.length} points over ${samples} samples: ${lossRange(finite)}, ` +
    `${center.loss.toPrecision(4)} at the centre, ${nonFinite} not finite`;
  if (partial === undefined) return [whole];
  const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
  const rest = `${known} of them are evaluated (stopped after ${partial.budget}); the same command goes on`;
  return [whole, rest];
}

/** "loss from 0.1 to 2.3" of finite losses. */
export function lossRange(finite: ArrayLike<number>): string {
  if (finite.length === 0) return "no finite loss";
  const [least, most] = [Math.min, Math.max].map((of) => Array.from(finite).reduce((a, b) => of(a, b)));
  return `loss from ${least?.toPrecision(4)} to ${most?.toPrecision(4)}`;
}

/** What a partial surface says of itself in JSON: 1 where a value was computed, rows over beta. */
export function partialFacts({ beta }: Surface, { evaluated, budget }: PartialSurface) {
  return { evaluated: toRows(evaluated, beta.length), partial: budget };
}

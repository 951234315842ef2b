import type { Surface } from "../surface/surface.js";
import { cleanText } from "./clean-text.js";
import { formatCount } from "./format-number.js";

/** Says which points a surface that was stopped early has, as a list of one sentence, or none. */
export function partialSentence({ partial }: Surface, name = ""): string[] {
  if (partial === undefined) return [];
  const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
  const of = name === "" ? "" : ` (${cleanText(name)})`;
  return [
    `Partial surface${of}: ${formatCount(known)} of ${formatCount(partial.evaluated.length)} grid points are ` +
      `evaluated (stopped after ${cleanText(partial.budget)}); the others are interpolated between them.`,
  ];
}

import type { Surface } from "../surface/surface.js";
import { cleanText } from "./clean-text.js";
import { formatCount } from "./format-number.js";

/** An evaluation set by name; without one there is only one set. */
export interface EvaluatedSet {
  readonly set?: string;
  readonly surface: Pick<Surface, "samples" | "lossMode" | "engine">;
}

/** Returns data, samples of each set, loss mode and engine in one line. */
export function evaluationLine(sets: readonly [EvaluatedSet, ...EvaluatedSet[]], dataName?: string): string {
  const [{ surface }] = sets;
  return [
    ...(dataName === undefined ? [] : [cleanText(dataName)]),
    ...sets.map(({ set, surface: { samples } }) => {
      const name = set === undefined ? "" : `${cleanText(set)}: `;
      return `${name}${formatCount(samples)} ${samples === 1 ? "sample" : "samples"}`;
    }),
    surface.lossMode === "logits" ? "loss from logits, not clipped" : "loss as compiled",
    `engine ${surface.engine.name} (${surface.engine.backend})`,
  ].join(" · ");
}

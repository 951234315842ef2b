import { createContourScale } from "./contour-scale.js";
import type { TrajectoryFigure } from "./figure.js";
import { decodeNumber } from "./json-number.js";

/** Whether a figure's surface can have logarithmic levels: some values are positive and none is negative. */
export function canBeLogarithmic({ surface }: Pick<TrajectoryFigure, "surface">): boolean {
  const values = surface.loss.map(decodeNumber).filter(Number.isFinite);
  return values.some((value) => value > 0) && values.every((value) => value >= 0);
}

/**
 * Returns a figure with levels of another kind, in its caption too.
 *
 * @throws {@link InvalidOptionError} if logarithmic levels are asked for that its values cannot have.
 */
export function withScaleKind(figure: TrajectoryFigure, kind: "linear" | "log"): TrajectoryFigure {
  if (figure.scale.kind === kind) return figure;
  const words = { linear: ", linear levels;", log: ", logarithmic levels;" } as const;
  return {
    ...figure,
    scale: createContourScale([figure.surface.loss.map(decodeNumber)], { kind }),
    caption: figure.caption.replace(words[figure.scale.kind], words[kind]),
  };
}

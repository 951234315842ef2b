import { decodeNumber } from "../../base/json.js";
import { createContourScale } from "../draw/contour-scale.js";
import type { Figure, MapPanel } from "../figure.js";

/** The only map of a figure, with values; null where there is none or several. */
function onlyMap({ panels }: Figure): MapPanel | null {
  const maps = panels.filter((panel) => panel.kind === "map");
  const [map] = maps;
  return maps.length === 1 && map !== undefined && map.scale !== null ? map : null;
}

/** Whether a figure of one map can have logarithmic levels: some values are positive and none is negative. */
export function canBeLogarithmic(figure: Figure): boolean {
  const values = (onlyMap(figure)?.values ?? []).map(decodeNumber).filter(Number.isFinite);
  return values.some((value) => value > 0) && values.every((value) => value >= 0);
}

/** The kind of levels of a figure of one map; null of any other. */
export function scaleKindOf(figure: Figure): "linear" | "log" | null {
  return onlyMap(figure)?.scale?.kind ?? null;
}

/**
 * Returns a figure of one map with levels of another kind, in its caption too.
 *
 * @throws {@link InvalidOptionError} if logarithmic levels are asked for that its values cannot have.
 * @example const linear = withScale(figure, "linear");
 */
export function withScale(figure: Figure, kind: "linear" | "log"): Figure {
  const map = onlyMap(figure);
  if (map === null || map.scale?.kind === kind) return figure;
  const scale = createContourScale([(map.values ?? []).map(decodeNumber)], { kind });
  const words = { linear: "linear", log: "logarithmic" } as const;
  return {
    ...figure,
    panels: figure.panels.map((panel) => (panel === map ? { ...map, scale } : panel)),
    caption: figure.caption.replace(/, (linear|logarithmic) (levels|height)\b/, `, ${words[kind]} $2`),
  };
}

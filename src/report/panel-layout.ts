import type { TrajectoryFigure } from "./figure.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE } from "./placed-text.js";
import type { Rect } from "./rect.js";
import { truncateText } from "./wrap-text.js";

/** Room left of a panel for its labels. */
export const PANEL_LABELS = 46;

/** Room above a panel for its heading, with and without a key; below for ticks and name, and a gap. */
const HEADING = 30;
const KEYED_HEADING = 46;
const BELOW = 44;
const PANEL_GAP = 14;

/** The two panels, one above the other, or side by side where they lie below the map. */
export function placePanels(area: Rect, hasLoss: boolean, isNarrow: boolean) {
  const plot = (box: Rect, heading: number): Rect => ({
    x: box.x + PANEL_LABELS,
    y: box.y + heading,
    width: Math.max(40, box.width - PANEL_LABELS - 8),
    height: Math.max(30, box.height - heading - BELOW),
  });
  // Beside the map, the name of the lower axis stands level with the map's, below the area's edge.
  const full = isNarrow ? area : { ...area, height: area.height + BELOW };
  let first = full;
  let second = full;
  let heading = HEADING;
  if (hasLoss && isNarrow && area.width >= 520) {
    const half = (area.width - 20) / 2;
    first = { ...full, width: half };
    second = { ...full, x: area.x + half + 20, width: half };
    heading = KEYED_HEADING;
  } else if (hasLoss) {
    const free = full.height - KEYED_HEADING - HEADING - 2 * BELOW - PANEL_GAP;
    const top = KEYED_HEADING + Math.round(free * 0.54) + BELOW;
    first = { ...full, height: top };
    second = { ...full, y: full.y + top + PANEL_GAP, height: full.height - top - PANEL_GAP };
  }
  const loss = hasLoss ? plot(first, KEYED_HEADING) : null;
  const share = plot(second, heading);
  const texts = (figure: TrajectoryFigure): PlacedText[] => {
    const heads: [Rect, Rect, string][] = [
      ...(loss === null ? [] : [[first, loss, "Loss along the path"] as [Rect, Rect, string]]),
      [second, share, "Squared distance held by the plane"],
    ];
    return heads.flatMap(([box, rect, text]) => [
      line(truncateText(text, NAME_SIZE, box.width, "semibold"), box.x, box.y + 9, {
        align: "left",
        weight: "semibold",
      }),
      line(figure.progress, rect.x + rect.width / 2, rect.y + rect.height + 33, { size: TICK_SIZE }),
    ]);
  };
  return { loss, share, texts };
}

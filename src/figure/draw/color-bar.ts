import type { Rect } from "./figure-frame.js";
import { formatLevels } from "./format-number.js";
import type { Theme } from "./palette.js";
import { line, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";
import { frameShape, pathShape, rectangle, round, type Shape, textShape } from "./shapes.js";

/** Which colours stand for which values. */
export interface ColorKey {
  /** What the values are. */
  readonly title: string;
  readonly kind: "linear" | "log";
  /** Bands from low to high. */
  readonly colors: readonly string[];
  /** Values with their place on the bar, 0 at the bottom and 1 at the top. */
  readonly marks: readonly { readonly value: number; readonly share: number }[];
}

/** A colour bar at its place. */
export interface PlacedColorBar {
  readonly key: ColorKey;
  readonly rect: Rect;
}

const WIDTH = 14;
const GAP = 12;
/** Least distance between labels in px; of labels that are nearer some are left out. */
const LEAST_STEP = 16;

/** Returns the room beside a plot that a bar takes with its labels and its name. */
export function colorBarRoom({ marks }: ColorKey): number {
  return Math.ceil(GAP + WIDTH + 6 + labelWidth(marks) + 8 + 18);
}

/** Places a bar right of a plot, with its name beside it. */
export function placeColorBar(
  key: ColorKey,
  plot: Rect,
  height = plot.height,
): { readonly bar: PlacedColorBar; readonly texts: readonly PlacedText[] } {
  const rect = { x: plot.x + plot.width + GAP, y: plot.y, width: WIDTH, height };
  const name = line(
    barName(key, height),
    rect.x + WIDTH + 6 + labelWidth(key.marks) + 8 + 9,
    rect.y + height / 2,
    { isVertical: true, size: TICK_SIZE },
  );
  return { bar: { key, rect }, texts: [name] };
}

/** Returns the bar with its labels, thinned out where they would touch. */
export function colorBarShapes({ key, rect }: PlacedColorBar, theme: Theme): Shape[] {
  const step = rect.height / key.colors.length;
  const bands = key.colors.map((color, index) =>
    rectangle(
      { ...rect, y: rect.y + rect.height - (index + 1) * step, height: step + (index > 0 ? 0.5 : 0) },
      color,
    ),
  );
  const texts = formatLevels(key.marks.map(({ value }) => value));
  let kept = Number.NEGATIVE_INFINITY;
  const labels = key.marks.flatMap(({ share }, index): Shape[] => {
    if ((share - kept) * rect.height < LEAST_STEP - 1e-6) return [];
    kept = share;
    const y = rect.y + rect.height * (1 - share);
    const right = rect.x + rect.width;
    const tick = pathShape(`M${round(right - 4)} ${round(y)}H${round(right + 3)}`, {
      fill: "none",
      stroke: theme.line,
      lineWidth: 1,
    });
    const style = { align: "left", size: TICK_SIZE, tone: "muted" } as const;
    return [tick, textShape(line(texts[index] as string, right + 6, y, style), theme)];
  });
  return [...bands, frameShape(rect, theme), ...labels];
}

function labelWidth(marks: ColorKey["marks"]): number {
  const labels = formatLevels(marks.map(({ value }) => value));
  return Math.max(0, ...labels.map((label) => textWidth(label, TICK_SIZE)));
}

/** The longest name of a bar that fits beside it. */
function barName({ title, kind }: ColorKey, room: number): string {
  const names = kind === "log" ? [`${title} (log scale)`, `${title} (log)`, title] : [title];
  return names.find((name) => textWidth(name, TICK_SIZE) <= room) ?? truncateText(title, TICK_SIZE, room);
}

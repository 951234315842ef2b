import type { TrajectoryFigure } from "../figure.js";
import { axisTitle } from "../make/create-trajectory-figure.js";
import {
  checkHeight,
  layoutFrame,
  NARROW,
  type Rect,
  type Tick,
  type TrajectoryLayoutOptions,
  ticksOf,
} from "./figure-frame.js";
import { formatLevels } from "./format-number.js";
import { type LegendRow, layoutLegend, legendEntries } from "./legend.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";

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

export type { Tick, TrajectoryLayoutOptions } from "./figure-frame.js";

/** Where everything of a picture is. */
export interface TrajectoryLayout {
  readonly width: number;
  readonly height: number;
  readonly map: Rect;
  readonly alphaTicks: readonly Tick[];
  readonly betaTicks: readonly Tick[];
  readonly colorBar: Rect;
  /** Panel of losses along the path; null if no loss of a snapshot is known. */
  readonly lossPanel: Rect | null;
  readonly sharePanel: Rect;
  readonly legend: readonly LegendRow[];
  readonly texts: readonly PlacedText[];
}

const BAR_WIDTH = 14;
const LEAST_MAP_HEIGHT = 200;

/**
 * Returns where everything of the picture is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutTrajectory(
  figure: TrajectoryFigure,
  options: TrajectoryLayoutOptions = {},
): TrajectoryLayout {
  const { title, fidelity: paragraphs, caption, provenance } = figure;
  const frame = layoutFrame({ title, paragraphs, caption, provenance }, options.width ?? 1100, options.parts);
  const { width, padding, inner, headHeight, footHeight } = frame;
  // Below this width the panels go under the map.
  const isNarrow = width < NARROW;
  const column = isNarrow ? inner : Math.round(inner * 0.62);
  const alpha = figure.surface.alpha;
  const beta = figure.surface.beta;
  const hasLoss = figure.paths.some((p) => p.points.some((q) => q.trueLoss !== null || q.planeLoss !== null));

  const mapTop = padding + headHeight + 6;
  const betaTicks = ticksOf(beta, 7);
  const left = Math.ceil(widest(betaTicks) + 8 + 24);
  const barLabels = Math.max(
    0,
    ...formatLevels(figure.scale.levels).map((label) => textWidth(label, TICK_SIZE)),
  );
  const right = Math.ceil(12 + BAR_WIDTH + 6 + barLabels + 8 + 18);
  const boxWidth = column - left - right;
  const alphaTicks = ticksOf(alpha, Math.max(2, Math.min(8, Math.floor(boxWidth / 55))));
  const legend = layoutLegend(legendEntries(figure), column);
  const belowMap = 8 + 16 + 24 + legend.height;
  const panelCount = hasLoss ? 2 : 1;
  const panelsBelow = isNarrow ? narrowPanelsHeight(inner, panelCount) : 0;
  const ratio = span(beta) / span(alpha);
  const natural = figure.aspect === "equal" ? boxWidth * ratio : boxWidth * 0.88;
  const wanted = Math.min(Math.max(natural, 260), 700);
  const rest = belowMap + panelsBelow + footHeight + padding;
  const least = Math.ceil(mapTop + LEAST_MAP_HEIGHT + rest);
  checkHeight(options.height, least);
  const boxHeight = options.height === undefined ? wanted : options.height - mapTop - rest;
  const map = fitMap(
    { x: padding + left, y: mapTop, width: boxWidth, height: boxHeight },
    figure.aspect,
    ratio,
  );
  const mapBottom = map.y + map.height;
  const height = options.height ?? Math.ceil(mapTop + boxHeight + rest);

  const colorBar = { x: map.x + map.width + 12, y: map.y, width: BAR_WIDTH, height: map.height };
  const legendTop = mapBottom + 8 + 16 + 24;
  const panelArea = isNarrow
    ? { x: padding, y: legendTop + legend.height + 10, width: inner, height: panelsBelow - 24 }
    : { x: padding + column + 28, y: map.y, width: inner - column - 28, height: map.height };
  const panels = placePanels(panelArea, hasLoss, isNarrow);

  const barTitle = `${figure.lossName}${figure.scale.kind === "log" ? " (log scale)" : ""}`;
  const texts = [
    ...frame.place(height),
    line(axisTitle(figure.axes[0], column - 8), map.x + map.width / 2, mapBottom + 8 + 16 + 11, {
      align: "center",
      x: [padding, padding + column],
    }),
    line(axisTitle(figure.axes[1], map.height + 8), padding + 9, map.y + map.height / 2, {
      isVertical: true,
    }),
    line(
      truncateText(barTitle, TICK_SIZE, map.height),
      colorBar.x + BAR_WIDTH + 6 + barLabels + 8 + 9,
      map.y + map.height / 2,
      {
        isVertical: true,
        size: TICK_SIZE,
      },
    ),
    ...panels.texts(figure),
  ];
  return {
    width,
    height,
    map,
    alphaTicks,
    betaTicks,
    colorBar,
    lossPanel: panels.loss,
    sharePanel: panels.share,
    legend: legend.rows.map((row) => ({ ...row, x: padding, y: legendTop + row.y })),
    texts,
  };
}

function widest(ticks: readonly Tick[]): number {
  return Math.max(0, ...ticks.map(({ label }) => textWidth(label, TICK_SIZE)));
}

function span(axis: readonly number[]): number {
  return (axis[axis.length - 1] as number) - (axis[0] as number);
}

/** Shrinks the map inside its box until both axes have the same units per px. */
function fitMap(box: Rect, aspect: "equal" | "fill", ratio: number): Rect {
  if (aspect === "fill") return box;
  const height = Math.min(box.height, box.width * ratio);
  const width = Math.min(box.width, box.height / ratio);
  return { x: box.x, y: box.y, width, height };
}

function narrowPanelsHeight(inner: number, count: number): number {
  return inner >= 520 || count === 1 ? 250 : 2 * 210 + 30;
}

import { InvalidOptionError } from "../errors.js";
import type { FigureAxis, TrajectoryFigure } from "./figure.js";
import { formatLevels, formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";
import { type LegendRow, layoutLegend, legendEntries } from "./legend.js";
import { niceTicks } from "./nice-ticks.js";
import { placePanels } from "./panel-layout.js";
import {
  block,
  blocksHeight,
  line,
  NAME_SIZE,
  type PlacedText,
  placeBlocks,
  TICK_SIZE,
} from "./placed-text.js";
import type { Rect } from "./rect.js";
import { textWidth } from "./text-width.js";
import { truncateText } from "./wrap-text.js";

/** A tick: its position in data units and its label. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

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

/** Size and parts of a picture. */
export interface TrajectoryLayoutOptions {
  /** Width in px, at least 280; default 1100. */
  readonly width?: number;
  /** Height in px; default what the content needs. The map takes up or gives way to what is left. */
  readonly height?: number;
  /** "figure" (default): with title, fidelity and caption; "chart": without, where a page sets them itself. */
  readonly parts?: "figure" | "chart";
}

const PADDING = 20;
const BAR_WIDTH = 14;
/** Below this width the panels go under the map. */
const NARROW = 720;
const LEAST_MAP_HEIGHT = 200;
/** Least width of a picture in px. */
export const LEAST_WIDTH = 280;

/**
 * Returns where everything of the picture is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutTrajectory(
  figure: TrajectoryFigure,
  options: TrajectoryLayoutOptions = {},
): TrajectoryLayout {
  const { parts = "figure" } = options;
  const width = options.width ?? 1100;
  if (!(width >= LEAST_WIDTH && Number.isFinite(width))) {
    throw new InvalidOptionError("width", `at least ${LEAST_WIDTH} px`, String(width));
  }
  const isNarrow = width < NARROW;
  const padding = isNarrow ? 12 : PADDING;
  const inner = width - 2 * padding;
  const isFigure = parts === "figure";
  const head = isFigure ? [block(figure.title, 18, inner, "semibold", "text", 2)] : [];
  const foot = isFigure
    ? [
        ...figure.fidelity.map((paragraph) => block(paragraph, 12.5, inner, "regular", "text")),
        block(figure.caption, 12, inner, "regular", "muted"),
        block(figure.provenance, 11, inner, "regular", "muted"),
      ]
    : [];
  const headHeight = blocksHeight(head);
  const footHeight = blocksHeight(foot);
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
  if (options.height !== undefined && !(options.height >= least)) {
    throw new InvalidOptionError("height", `at least ${least} px for this figure`, String(options.height));
  }
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
    ...placeBlocks(head, padding, padding),
    ...placeBlocks(foot, padding, Math.max(height - padding - footHeight, 0)),
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

function ticksOf(axis: readonly number[], count: number): Tick[] {
  const min = axis[0] as number;
  const max = axis[axis.length - 1] as number;
  return niceTicks(min, max, count).map((value) => ({ value, label: formatNumber(value, 6) }));
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

/** The longest form of an axis title that fits. */
function axisTitle(axis: FigureAxis, available: number): string {
  const ratio = decodeNumber(axis.explainedVarianceRatio);
  const walk = decodeNumber(axis.randomWalkBaseline);
  const short = Number.isFinite(ratio)
    ? [
        ...(Number.isFinite(walk)
          ? [`${axis.label}: ${formatPercent(ratio)} (walk: ${formatPercent(walk)})`]
          : []),
        `${axis.label}: ${formatPercent(ratio)}`,
      ]
    : [];
  const fits = [axis.title, ...short].find((title) => textWidth(title, NAME_SIZE) <= available);
  return fits ?? truncateText(axis.label, NAME_SIZE, available);
}

function narrowPanelsHeight(inner: number, count: number): number {
  return inner >= 520 || count === 1 ? 250 : 2 * 210 + 30;
}

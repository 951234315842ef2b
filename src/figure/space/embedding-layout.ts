import type { Rect } from "../draw/figure-frame.js";
import {
  checkHeight,
  layoutFrame,
  type Tick,
  type TrajectoryLayoutOptions,
  ticksOf,
} from "../draw/figure-frame.js";
import { formatLevels } from "../draw/format-number.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth, truncateText } from "../draw/placed-text.js";
import type { EmbeddingFigure } from "../embedding-figure.js";
import { BOX_NAMES, boxCorners, type EmbeddingView, sceneOf } from "./embedding-scene.js";

/** What an entry of the legend shows. */
export type EmbeddingMark =
  | { readonly kind: "run"; readonly index: number }
  | { readonly kind: "start" | "end" | "unknown" };

/** An entry at its place: x is the left edge of the mark, y the middle of the row. */
export interface EmbeddingLegendEntry {
  readonly mark: EmbeddingMark;
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

/** Where everything of a picture of an embedding is. */
export interface EmbeddingLayout {
  readonly width: number;
  readonly height: number;
  readonly map: Rect;
  /** Ticks of the two axes; none in three dimensions. */
  readonly ticks: readonly [readonly Tick[], readonly Tick[]];
  readonly colorBar: Rect | null;
  readonly legend: readonly EmbeddingLegendEntry[];
  readonly texts: readonly PlacedText[];
}

/** Size and parts of a picture of an embedding. */
export interface EmbeddingLayoutOptions extends TrajectoryLayoutOptions {
  /** From where a three-dimensional embedding is looked at. Default from the front right, a little above. */
  readonly view?: EmbeddingView;
}

/** Room for the mark of a legend entry. */
export const MARK_ROOM = 30;

const LEGEND_SIZE = 12;
const ROW = 22;
const BAR_WIDTH = 14;
const LEAST_MAP = 160;

/**
 * Returns where everything of the picture is, so that nothing overlaps and nothing is cut.
 *
 * @throws `InvalidOptionError` if the width, or the height for what there is to say, is too small.
 */
export function layoutEmbedding(
  figure: EmbeddingFigure,
  options: EmbeddingLayoutOptions = {},
): EmbeddingLayout {
  const { parts = "figure", width = 900 } = options;
  const frame = layoutFrame(figure, width, parts);
  const { padding, inner, headHeight, footHeight } = frame;
  const isFigure = parts === "figure";
  const isFlat = figure.dimensions === 2;
  const barLabels =
    figure.scale === null
      ? 0
      : Math.max(0, ...formatLevels(figure.scale.ticks).map((label) => textWidth(label, TICK_SIZE)));
  const right = figure.scale === null ? 8 : Math.ceil(12 + BAR_WIDTH + 6 + barLabels + 8 + 18);
  const legend = layoutRows(figure, inner);
  const top = padding + headHeight + 6;
  const below = (isFlat ? 8 + 16 + 24 : 6) + legend.height;
  const rest = top + below + (footHeight > 0 ? footHeight + 6 : 0) + padding;
  const least = Math.ceil(rest + LEAST_MAP);
  checkHeight(options.height, least);
  const most = Math.round(Math.min(620, Math.max(240, (inner - right - 40) * 0.72)));
  // A picture that cannot be turned needs no more room than its box takes.
  const natural = isFlat || !isFigure ? most : boxHeight(figure, options, inner - right, most);
  const mapHeight = options.height === undefined ? natural : options.height - rest;
  const height = options.height ?? Math.ceil(rest + natural);
  // Labels of the upright axis need room that depends on the range, which hardly depends on that room.
  const first: Rect = { x: padding, y: top, width: inner - right, height: mapHeight };
  const labels = isFlat ? bothTicks(figure, first)[1] : [];
  const left = isFlat
    ? Math.ceil(Math.max(0, ...labels.map(({ label }) => textWidth(label, TICK_SIZE))) + 8 + 24)
    : 0;
  const map: Rect = { ...first, x: padding + left, width: Math.max(80, inner - right - left) };
  const ticks = isFlat ? bothTicks(figure, map) : ([[], []] as const);
  const colorBar =
    figure.scale === null
      ? null
      : { x: map.x + map.width + 12, y: map.y, width: BAR_WIDTH, height: map.height };
  const legendTop = map.y + map.height + (isFlat ? 8 + 16 + 24 : 6);
  const barTitle =
    figure.scale === null ? "" : `${figure.scale.title}${figure.scale.kind === "log" ? " (log scale)" : ""}`;
  const texts = [
    ...frame.place(height),
    ...(isFlat ? axisNames(figure, map, padding) : []),
    ...(colorBar === null
      ? []
      : [
          line(
            truncateText(barTitle, TICK_SIZE, map.height),
            colorBar.x + BAR_WIDTH + 6 + barLabels + 8 + 9,
            map.y + map.height / 2,
            { isVertical: true, size: TICK_SIZE },
          ),
        ]),
  ];
  return {
    width,
    height,
    map,
    ticks,
    colorBar,
    legend: legend.entries.map((entry) => ({ ...entry, x: padding + entry.x, y: legendTop + entry.y })),
    texts,
  };
}

/** Height that the box of a three-dimensional embedding takes at a width, at most `most`. */
function boxHeight(
  figure: EmbeddingFigure,
  { view }: EmbeddingLayoutOptions,
  width: number,
  most: number,
): number {
  const scene = sceneOf(figure, { x: 0, y: 0, width, height: most }, view);
  const heights = boxCorners(scene.ranges).map((corner) => scene.place(corner).y);
  return Math.max(LEAST_MAP, Math.ceil(Math.max(...heights) - Math.min(...heights)) + 2 * BOX_NAMES);
}

function bothTicks(figure: EmbeddingFigure, map: Rect): readonly [Tick[], Tick[]] {
  const [x, y] = sceneOf(figure, map).ranges as [readonly [number, number], readonly [number, number]];
  return [
    ticksOf(x, Math.max(2, Math.min(8, Math.floor(map.width / 80)))),
    ticksOf(y, Math.max(2, Math.min(7, Math.floor(map.height / 60)))),
  ];
}

function axisNames(figure: EmbeddingFigure, map: Rect, padding: number): PlacedText[] {
  const [x = "", y = ""] = figure.axes;
  return [
    line(truncateText(x, NAME_SIZE, map.width), map.x + map.width / 2, map.y + map.height + 8 + 16 + 11),
    line(truncateText(y, NAME_SIZE, map.height), padding + 9, map.y + map.height / 2, { isVertical: true }),
  ];
}

/** Runs if there are several, then the marks, in rows. */
function layoutRows(
  figure: EmbeddingFigure,
  width: number,
): { readonly entries: readonly EmbeddingLegendEntry[]; readonly height: number } {
  const { paths, scale, color } = figure;
  const key = color === "loss" ? "loss" : "stepSize";
  const hasUnknown =
    scale !== null &&
    // Under the ring of a start no colour shows.
    paths.some(({ points }) => points.slice(1).some((point) => typeof point[key] !== "number"));
  const wanted: { readonly mark: EmbeddingMark; readonly text: string }[] = [
    ...(paths.length > 1
      ? paths.map(({ name }, index) => ({ mark: { kind: "run" as const, index }, text: name }))
      : []),
    { mark: { kind: "start" }, text: "start" },
    { mark: { kind: "end" }, text: "end" },
    ...(hasUnknown ? [{ mark: { kind: "unknown" as const }, text: "no value" }] : []),
  ];
  let x = 0;
  let y = ROW / 2;
  const entries = wanted.map(({ mark, text: whole }) => {
    const text = truncateText(whole, LEGEND_SIZE, Math.min(width, 320) - MARK_ROOM);
    const needed = MARK_ROOM + textWidth(text, LEGEND_SIZE);
    if (x > 0 && x + needed > width) {
      x = 0;
      y += ROW;
    }
    const entry = { mark, text, x, y };
    x += needed + 18;
    return entry;
  });
  return { entries, height: y + ROW / 2 + 10 };
}

import { decodeNumber } from "../../base/json.js";
import {
  columnOf,
  comparedLoss,
  type Figure,
  isShown,
  type MapMark,
  type MapPanel,
  type RunData,
} from "../figure.js";
import { drawnInSpace, type PlacedSpace, spaceTargets } from "../space/space-panel.js";
import { spaceKind } from "../space/surface-panel.js";
import { type Contour, type GridPoint, surfaceContours, unknownCells } from "./contours.js";
import {
  axisTitle,
  edgesOf,
  extentOf,
  headingRoom,
  headingTexts,
  isInside,
  NAMES_BELOW,
  nameBelow,
  pixelToPlane,
  planeToPixel,
  type Rect,
  type Tick,
  ticksOf,
  uprightName,
  widestLabel,
} from "./figure-frame.js";
import { formatNumber } from "./format-number.js";
import { placeIsolineLabels } from "./isoline-labels.js";
import {
  BAR_BELOW,
  type ColorKey,
  colorBarRoom,
  colorBarShapes,
  type LegendEntry,
  mapColors,
  type PlacedColorBar,
  pathEntries,
  placeColorBar,
  placeColorBarBelow,
} from "./legend.js";
import { runColor, surfaceColors, type Theme } from "./palette.js";
import type { Drawing, PanelKind, Place, Placed, Room, Slot, Target } from "./panel-kind.js";
import { insetLines, insetOf, insetShapes } from "./path-inset.js";
import { pathShapes, pathTargets, pathTraces, placePath } from "./paths.js";
import { line, type PlacedText, textWidth, truncateText } from "./placed-text.js";
import { finiteRange } from "./scales.js";
import {
  axis,
  crossMark,
  endMark,
  frameShape,
  pathShape,
  pointMark,
  rectangle,
  type Shape,
  textShape,
  trace,
  unknownShapes,
} from "./shapes.js";
import { gridReadout } from "./snapshots.js";
import { shownGrid, shownPlane, wholePlane } from "./zoom.js";

/** A map at its place. */
export interface PlacedMap extends Placed<MapPanel> {
  readonly ticks: readonly [alpha: readonly Tick[], beta: readonly Tick[]];
  readonly bar: PlacedColorBar | null;
}

/** Height of a map: as a share of its width, and its bounds in px, beside other panels and in a grid. */
const LEAD = { share: 0.88, least: 200, low: 260, high: 700 } as const;
const CELL = { share: 0.95, least: 100, low: 100, high: 520 } as const;
/** What the labels and the colour bar of a map in a grid take, about. */
const BESIDE = 140;

/** Maps of a plane: contours, paths and names; or the same as a surface in 3-D. */
export const mapKind: PanelKind<MapPanel, PlacedMap | PlacedSpace<MapPanel>> = {
  role: "loss surface",
  least: 290,
  gap: 22,
  naturalWidth: (panels, columns) =>
    panels.some(isInSpace) ? 1000 : ([680, 960, 1280][Math.min(columns, 3) - 1] as number),
  edges(panels, isPhone) {
    if (panels.some(isInSpace)) return spaceKind.edges;
    const hasBar = isPhone && panels.some((panel) => mapColors(panel) !== null);
    return { heading: headingRoom(panels), below: NAMES_BELOW + (hasBar ? BAR_BELOW : 0) };
  },
  plotHeight(panel, _figure, room, _options) {
    if (isInSpace(panel)) return spaceKind.plotHeight(room);
    const { least, low, high, share } = room.isLead ? LEAD : CELL;
    if (typeof panel.aspect === "number") {
      return { least, natural: Math.max(plotWidth(panel, room, high) / panel.aspect, least) };
    }
    if (panel.aspect === "fill") {
      if (room.isPhone) return { least, natural: plotWidth(panel, room, high) };
      const wide = room.isLead ? plotWidth(panel, room, high) : room.width - BESIDE;
      return { least, natural: Math.min(Math.max(wide * share, low), high) };
    }
    const unit = commonUnit(room, room.plot ?? high);
    const tallest = Math.max(...mapsOf(room).map(({ beta }) => extentOf(beta)));
    return { least, natural: Math.min(Math.max(unit * tallest, Math.min(low, CELL.low)), high) };
  },
  place(panel, figure, slot, options) {
    if (isInSpace(panel)) return spaceKind.place(panel, figure, slot, options);
    const top = slot.y + slot.heading;
    const { betaTicks, left, right } = roomBeside(panel, slot.plot, slot);
    const whole = { width: Math.max(40, slot.width - left - right), height: slot.plot };
    const rect = { x: slot.x + left, y: top, ...plotSize(panel, whole, slot) };
    const alphaTicks = ticksOf(
      shownPlane(panel).alpha,
      Math.max(2, Math.min(8, Math.floor(rect.width / 55))),
    );
    const key = barOf(panel);
    // A flat map leaves room below it: its colour bar takes that room, so that its levels stay legible.
    const barHeight = Math.max(rect.height, Math.min(CELL.least, slot.plot));
    const bar =
      key === null
        ? null
        : slot.isPhone
          ? placeColorBarBelow(key, rect, NAMES_BELOW)
          : placeColorBar(key, rect, barHeight);
    return {
      panel,
      figure,
      options,
      rect,
      ticks: [alphaTicks, betaTicks],
      bar: bar?.bar ?? null,
      texts: [...namesOf(panel, rect, slot), ...(bar?.texts ?? [])],
    };
  },
  legend(panel, figure): LegendEntry[] {
    if (isInSpace(panel)) return spaceKind.legend(panel, figure);
    const hasUnknown = panel.paths.length > 0 && panel.values?.some((value) => typeof value !== "number");
    return [
      ...pathEntries(figure, panel.paths, {
        hasValues: hasEndValues(panel, figure),
        extents: [extentOf(panel.alpha), extentOf(panel.beta)],
      }),
      ...(isShown(figure, "minimum") && hasMinimum(panel)
        ? [{ mark: { kind: "minimum" }, text: "least value of the grid" } as const]
        : []),
      ...(hasUnknown === true ? [{ mark: { kind: "unknown" }, text: "loss not finite" } as const] : []),
    ];
  },
  draw: (placed, theme) => ("projection" in placed ? drawnInSpace(placed, theme) : drawMap(placed, theme)),
  targets(placed): Target[] {
    if ("projection" in placed) return spaceTargets(placed);
    const { panel, figure, rect, options } = placed;
    return pathTargets(figure, panel.paths, planeToPixel(shownPlane(panel), rect), options, rect);
  },
  readout(placed, at) {
    if ("projection" in placed) return spaceKind.readout(placed, at);
    const { panel, rect } = placed;
    const { x, y } = pixelToPlane(shownPlane(panel), rect, at);
    const { alpha, beta } = panel;
    const readout = gridReadout(
      panel,
      (x - edgesOf(alpha).min) / extentOf(alpha),
      (y - edgesOf(beta).min) / extentOf(beta),
    );
    if (readout === null) return null;
    const point = planeToPixel(shownPlane(panel), rect)(readout.at);
    return { ...at, readout, point: isInside(rect, point) ? point : undefined };
  },
  traces: (placed, run) =>
    "projection" in placed
      ? [spaceTargets(placed).filter((target) => target.run === run)]
      : pathTraces(
          placed.figure,
          placed.panel.paths,
          planeToPixel(shownPlane(placed.panel), placed.rect),
          run,
        ),
  plane({ panel }) {
    if (isInSpace(panel)) return null;
    const whole = wholePlane(panel);
    return { shown: panel.window ?? whole, whole };
  },
};

/** Size of a map's plot inside its place. */
function plotSize(
  { aspect, alpha, beta }: MapPanel,
  whole: Pick<Rect, "width" | "height">,
  slot: Slot,
): Pick<Rect, "width" | "height"> {
  if (aspect === "fill") return whole;
  if (typeof aspect === "number") {
    const width = Math.min(whole.width, whole.height * aspect);
    return { width, height: width / aspect };
  }
  const unit = commonUnit(slot, slot.plot);
  return { width: unit * extentOf(alpha), height: unit * extentOf(beta) };
}

/** The colours that stand beside a map. */
function barOf(panel: MapPanel): ColorKey | null {
  return panel.hasBar === false ? null : mapColors(panel);
}

function isInSpace({ view }: MapPanel): boolean {
  return view === "space";
}

function mapsOf({ peers }: Room): MapPanel[] {
  return peers.filter((peer) => peer.kind === "map");
}

/** Px per unit with which every map of one aspect fits its place. */
function commonUnit(room: Room, height: number): number {
  return Math.min(
    ...mapsOf(room)
      .filter(({ aspect }) => aspect === "equal")
      .map((panel) =>
        Math.min(plotWidth(panel, room, height) / extentOf(panel.alpha), height / extentOf(panel.beta)),
      ),
  );
}

/**
 * Room for tick labels and the name of the axis left of a map, and for its colour bar. Maps that fill their places
 * leave as much as the one that needs most: side by side they are of one size.
 */
function roomBeside(panel: MapPanel, height: number, room: Room) {
  const needs = panel.aspect === "equal" ? [panel] : mapsOf(room).filter(({ aspect }) => aspect !== "equal");
  const all = needs.map((one) => ownRoom(one, height, room.isPhone));
  return {
    betaTicks: ownRoom(panel, height, room.isPhone).betaTicks,
    left: Math.max(...all.map(({ left }) => left)),
    right: Math.max(...all.map(({ right }) => right)),
  };
}

function ownRoom(panel: MapPanel, height: number, isPhone: boolean) {
  const betaTicks = ticksOf(shownPlane(panel).beta, Math.max(2, Math.min(7, Math.floor(height / 45))));
  const key = barOf(panel);
  return {
    betaTicks,
    left: Math.ceil(widestLabel(betaTicks) + 8 + 24),
    right: key === null || isPhone ? 8 : colorBarRoom(key),
  };
}

function plotWidth(panel: MapPanel, room: Room, height: number): number {
  const { left, right } = roomBeside(panel, height, room);
  return Math.max(40, room.width - left - right);
}

function namesOf({ title, axes }: MapPanel, rect: Rect, slot: Slot): PlacedText[] {
  const { x, width, heading } = slot;
  const upright = axisTitle(axes[1], rect.height + (title === "" ? heading : 10));
  return [
    ...headingTexts(title, slot),
    nameBelow(axisTitle(axes[0], width), rect, [x, x + width]),
    uprightName(upright, x + 9, rect),
  ];
}

function drawMap({ panel, figure, options, rect, ticks, bar }: PlacedMap, theme: Theme): Drawing {
  const plane = shownPlane(panel);
  const toPixel = planeToPixel(plane, rect);
  // A map without values has lines to read coordinates from.
  const hasLines = panel.values === null;
  const paths = pathShapes(figure, panel.paths, toPixel, theme, options);
  const inset =
    isShown(figure, "inset") && panel.window === undefined
      ? insetOf(panel, figure, rect, options.until)
      : null;
  const obstacles = obstaclesOf(panel, figure, toPixel, inset?.rect ?? null);
  const labels = [
    ...markShapes(panel.marks, toPixel, rect, obstacles, theme),
    ...(isShown(figure, "values") && !/accuracy|error/.test(panel.quantity)
      ? endLabels(panel, figure, toPixel, rect, obstacles, options.until, theme)
      : []),
  ];
  return {
    grids: [
      {
        rect,
        x: axis(ticks[0], edgesOf(plane.alpha), theme, hasLines),
        y: axis(ticks[1], edgesOf(plane.beta), theme, hasLines),
      },
    ],
    layers: [
      {
        name: "surface",
        z: 1,
        clip: true,
        shapes: surfaceShapes(panel, figure, rect, obstacles, theme),
      },
      {
        name: "minimum",
        z: 2,
        shapes: [
          ...(isShown(figure, "minimum") ? minimumShapes(panel, toPixel, rect, theme) : []),
          ...(inset === null ? [] : insetLines(inset, theme)),
        ],
      },
      {
        name: "paths",
        z: 3,
        clip: true,
        shapes: [...outlineShapes(panel, toPixel, theme), frameShape(rect, theme), ...paths],
      },
      {
        name: "marks",
        z: 4,
        shapes: [
          ...(inset === null ? [] : insetShapes(inset, panel, figure, surfaceShapes, theme)),
          ...labels,
          ...(bar === null ? [] : colorBarShapes(bar, theme)),
        ],
      },
    ],
  };
}

/** What names and labels keep off: ends of paths, and the inset. */
function obstaclesOf(panel: MapPanel, figure: Figure, toPixel: ToPixel, inset: Rect | null): Rect[] {
  const ends = panel.paths.flatMap((path) => {
    const points = placePath(path, figure, toPixel).flat();
    return [points[0], points.at(-1)].flatMap((point) => (point === undefined ? [] : [boxAround(point, 9)]));
  });
  return [...ends, ...(inset === null ? [] : [inset])];
}

function boxAround({ x, y }: Place, half: number): Rect {
  return { x: x - half, y: y - half, width: 2 * half, height: 2 * half };
}

/** The filled contours, their lines with their levels, and the hatched cells. */
function surfaceShapes(
  panel: MapPanel,
  figure: Figure,
  rect: Rect,
  obstacles: readonly Rect[],
  theme: Theme,
): Shape[] {
  const { values, scale, interpolation } = panel;
  if (values === null || scale === null) return [];
  const colors = mapColors(panel)?.colors ?? surfaceColors(scale.levels.length + 1);
  const grid = shownGrid(panel);
  const toPixel = planeToPixel(shownPlane(panel), rect);
  // Refined values stay inside the range of the whole surface, whatever part is shown.
  const range = panel.window === undefined ? undefined : finiteRange(values.map(decodeNumber));
  const contours = surfaceContours(grid, scale, interpolation, range);
  const inPixels = contours.map(({ level, lines }) => ({
    level,
    lines: lines.map((points) => points.map(toPixel)),
  }));
  const paths = panel.paths.map((one) => placePath(one, figure, toPixel).flat());
  const labels = isShown(figure, "labels")
    ? placeIsolineLabels(inPixels, rect, paths, obstacles)
    : { lines: inPixels.map(({ lines }) => lines), labels: [] };
  return [
    rectangle(rect, colors[0] as string),
    ...contours.flatMap(({ rings }, index) => [
      areaShape(rings, colors[index + 1] as string, toPixel),
      ...(isShown(figure, "isolines") ? [isolineShape(labels.lines[index] ?? [])] : []),
    ]),
    ...labels.labels.map(({ text, rotation }) => textShape(text, theme, { rotation, rim: true })),
    ...unknownCells(grid).flatMap((cell) => {
      const low = toPixel([cell.alpha[0], cell.beta[1]]);
      const high = toPixel([cell.alpha[1], cell.beta[0]]);
      return unknownShapes({ ...low, width: high.x - low.x, height: high.y - low.y }, theme);
    }),
  ];
}

type ToPixel = ReturnType<typeof planeToPixel>;

function areaShape(rings: Contour["rings"], color: string, toPixel: ToPixel): Shape {
  const outline = (points: readonly GridPoint[]): string =>
    trace(
      points.map((point) => {
        const { x, y } = toPixel(point);
        return [x, y];
      }),
    );
  return pathShape(rings.map((ring) => `${outline(ring)}Z`).join(""), { fill: color });
}

function isolineShape(lines: readonly (readonly Place[])[]): Shape {
  return pathShape(lines.map((points) => trace(points.map(({ x, y }) => [x, y]))).join(""), {
    fill: "none",
    stroke: "#000000",
    opacity: 0.38,
    lineWidth: 0.7,
  });
}

/** Whether the least value is one to look for: of a loss around models or a path, not of a difference or a cosine. */
function hasMinimum({ values, palette, quantity, paths, marks }: MapPanel): boolean {
  if (paths.length === 0 && marks.length === 0) return false;
  if (palette === "difference" || /accuracy/.test(quantity)) return false;
  return values?.some((value) => Number.isFinite(decodeNumber(value))) === true;
}

/** A cross at the least value of the grid; none where a part is enlarged that it lies outside of. */
function minimumShapes(panel: MapPanel, toPixel: ToPixel, rect: Rect, theme: Theme): Shape[] {
  const { values, alpha, beta } = panel;
  if (values === null || !hasMinimum(panel)) return [];
  const known = values.map(decodeNumber);
  const least = known.reduce(
    (best, value, i) => (Number.isFinite(value) && !(value >= (known[best] as number)) ? i : best),
    known.findIndex(Number.isFinite),
  );
  if (least < 0) return [];
  const column = least % alpha.length;
  const { x, y } = toPixel([alpha[column] as number, beta[(least - column) / alpha.length] as number]);
  return panel.window === undefined || isInside(rect, { x, y }) ? crossMark(x, y, theme) : [];
}

/** How many runs a legend can tell apart: the ends of more are named where they are. */
const MOST_IN_LEGEND = 7;

/** The true loss beside the end of each path, with the name of the run where there are many. */
function endLabels(
  panel: MapPanel,
  figure: Figure,
  toPixel: ToPixel,
  rect: Rect,
  taken: Rect[],
  until: number | undefined,
  theme: Theme,
): Shape[] {
  const isMany = panel.paths.length > MOST_IN_LEGEND;
  return panel.paths.flatMap((path) => {
    const run = figure.runs[path.run];
    const end = placePath(path, figure, toPixel, until).flat().at(-1);
    if (
      run === undefined ||
      end === undefined ||
      end.snapshot !== path.at.length - 1 ||
      !isInside(rect, end)
    ) {
      return [];
    }
    const loss = endLoss(run);
    const number = Number.isFinite(loss) ? formatNumber(loss, 3) : "";
    const text = [isMany ? truncateText(run.name, LABEL_SIZE, LONGEST_NAME) : "", number]
      .filter(Boolean)
      .join(" ");
    return text === "" ? [] : labelShapes(text, end, rect, taken, theme);
  });
}

/** The true loss of the last snapshot; NaN where it is not known. */
function endLoss(run: RunData): number {
  return decodeNumber(columnOf(run, comparedLoss(run))?.at(-1) ?? "NaN");
}

function hasEndValues({ paths, quantity }: MapPanel, figure: Figure): boolean {
  const isKnown = paths.some(({ run }) => Number.isFinite(endLoss(figure.runs[run] as RunData)));
  return isShown(figure, "values") && isKnown && !/accuracy|error/.test(quantity);
}

const LABEL_SIZE = 12;
const LONGEST_NAME = 120;

/** A name beside a mark, where there is a place that is free. */
function labelShapes(text: string, { x, y }: Place, rect: Rect, taken: Rect[], theme: Theme): Shape[] {
  const place = freePlace(x, y, textWidth(text, LABEL_SIZE, "semibold"), rect, taken);
  if (place === undefined) return [];
  taken.push(place);
  const style = { align: "left", size: LABEL_SIZE, weight: "semibold" } as const;
  return [textShape(line(text, place.x, place.y + place.height / 2, style), theme, { rim: true })];
}

/** Lines over the contours: with a rim, so that they are seen on every colour. */
function outlineShapes({ outlines = [] }: MapPanel, toPixel: ToPixel, theme: Theme): Shape[] {
  return outlines.flatMap(({ points, isDashed }) => {
    const path = trace(
      points.map((point) => {
        const { x, y } = toPixel(point);
        return [x, y];
      }),
    );
    const line = { fill: "none", stroke: theme.text, lineWidth: 1.8 };
    return [
      pathShape(path, { fill: "none", stroke: theme.background, lineWidth: 3.6, opacity: 0.7 }),
      pathShape(path, isDashed ? { ...line, lineDash: [6, 4] } : line),
    ];
  });
}

/** Places with names: stars and dots, each name inside the map and off the others. */
function markShapes(
  marks: readonly MapMark[],
  toPixel: ToPixel,
  rect: Rect,
  taken: Rect[],
  theme: Theme,
): Shape[] {
  const color = runColor(0, theme);
  return marks.flatMap(({ alpha, beta, label, isCenter }) => {
    const { x, y } = toPixel([decodeNumber(alpha), decodeNumber(beta)]);
    if (!isInside(rect, { x, y })) return [];
    const mark = isCenter ? endMark(x, y, color, theme) : pointMark(x, y, 4.6, color, theme);
    return [...mark, ...(label === "" ? [] : labelShapes(label, { x, y }, rect, taken, theme))];
  });
}

/** Where a name goes: above or below its mark, to the right or the left, inside the map and off other names. */
function freePlace(x: number, y: number, width: number, map: Rect, taken: readonly Rect[]): Rect | undefined {
  const places = [y - 20, y + 4, y - 8, y - 28, y + 12].flatMap((top) =>
    [x + 13, x - 13 - width, x - width / 2].map((left) => ({ x: left, y: top, width, height: 16 })),
  );
  // Off the frame, too.
  const inner = { x: map.x + 4, y: map.y + 4, width: map.width - 8, height: map.height - 8 };
  const end = (place: Rect): Place => ({ x: place.x + place.width, y: place.y + place.height });
  const isFree = (place: Rect): boolean =>
    isInside(inner, place) &&
    isInside(inner, end(place)) &&
    taken.every(
      (other) =>
        place.x + place.width + 2 < other.x ||
        other.x + other.width + 2 < place.x ||
        place.y + place.height < other.y ||
        other.y + other.height < place.y,
    );
  return places.find(isFree);
}

import { decodeNumber } from "../../base/json.js";
import type { MapMark, MapPanel } from "../figure.js";
import { drawnInSpace, type PlacedSpace, spaceKind } from "../space/surface-panel.js";
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
import {
  BAR_BELOW,
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
import { pathShapes, pathTargets, pathTraces } from "./paths.js";
import { line, type PlacedText, textWidth } from "./placed-text.js";
import { finiteRange } from "./scales.js";
import {
  axis,
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
export const mapKind: PanelKind<MapPanel, PlacedMap | PlacedSpace> = {
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
    if (panel.aspect === "fill") {
      if (room.isPhone) return { least, natural: plotWidth(panel, room, high) };
      const wide = room.isLead ? plotWidth(panel, room, high) : room.width - BESIDE;
      return { least, natural: Math.min(Math.max(wide * share, low), high) };
    }
    const unit = commonUnit(room, room.plot ?? high);
    const tallest = Math.max(...mapsOf(room).map(({ beta }) => extentOf(beta)));
    return { least, natural: Math.min(Math.max(unit * tallest, low), high) };
  },
  place(panel, figure, slot, options) {
    if (isInSpace(panel)) return spaceKind.place(panel, figure, slot, options);
    const top = slot.y + slot.heading;
    const { betaTicks, left, right } = roomBeside(panel, slot.plot, slot.isPhone);
    const unit = panel.aspect === "equal" ? commonUnit(slot, slot.plot) : null;
    const rect = {
      x: slot.x + left,
      y: top,
      width: unit === null ? Math.max(40, slot.width - left - right) : unit * extentOf(panel.alpha),
      height: unit === null ? slot.plot : unit * extentOf(panel.beta),
    };
    const alphaTicks = ticksOf(
      shownPlane(panel).alpha,
      Math.max(2, Math.min(8, Math.floor(rect.width / 55))),
    );
    const key = mapColors(panel);
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
      ...pathEntries(figure, panel.paths),
      ...(hasUnknown === true ? [{ mark: { kind: "unknown" }, text: "loss not finite" } as const] : []),
    ];
  },
  draw: (placed, theme) => ("projection" in placed ? drawnInSpace(placed, theme) : drawMap(placed, theme)),
  targets(placed): Target[] {
    if ("projection" in placed) return spaceKind.targets(placed);
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
      ? [spaceKind.targets(placed).filter((target) => target.run === run)]
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

/** Room for tick labels and the name of the axis left of a map, and for its colour bar. */
function roomBeside(panel: MapPanel, height: number, isPhone: boolean) {
  const betaTicks = ticksOf(shownPlane(panel).beta, Math.max(2, Math.min(7, Math.floor(height / 45))));
  const key = mapColors(panel);
  return {
    betaTicks,
    left: Math.ceil(widestLabel(betaTicks) + 8 + 24),
    right: key === null || isPhone ? 8 : colorBarRoom(key),
  };
}

function plotWidth(panel: MapPanel, { width, isPhone }: Room, height: number): number {
  const { left, right } = roomBeside(panel, height, isPhone);
  return Math.max(40, width - left - right);
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
  return {
    grids: [
      {
        rect,
        x: axis(ticks[0], edgesOf(plane.alpha), theme, hasLines),
        y: axis(ticks[1], edgesOf(plane.beta), theme, hasLines),
      },
    ],
    layers: [
      { name: "surface", z: 1, clip: true, shapes: surfaceShapes(panel, rect, theme) },
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
          ...markShapes(panel.marks, toPixel, rect, theme),
          ...(bar === null ? [] : colorBarShapes(bar, theme)),
        ],
      },
    ],
  };
}

/** The filled contours, their lines and the hatched cells. */
function surfaceShapes(panel: MapPanel, rect: Rect, theme: Theme): Shape[] {
  const { values, scale, interpolation } = panel;
  if (values === null || scale === null) return [];
  const colors = mapColors(panel)?.colors ?? surfaceColors(scale.levels.length + 1);
  const grid = shownGrid(panel);
  const toPixel = planeToPixel(shownPlane(panel), rect);
  // Refined values stay inside the range of the whole surface, whatever part is shown.
  const range = panel.window === undefined ? undefined : finiteRange(values.map(decodeNumber));
  return [
    rectangle(rect, colors[0] as string),
    ...surfaceContours(grid, scale, interpolation, range).flatMap((contour, index) =>
      contourShapes(contour, colors[index + 1] as string, toPixel),
    ),
    ...unknownCells(grid).flatMap((cell) => {
      const low = toPixel([cell.alpha[0], cell.beta[1]]);
      const high = toPixel([cell.alpha[1], cell.beta[0]]);
      return unknownShapes({ ...low, width: high.x - low.x, height: high.y - low.y }, theme);
    }),
  ];
}

type ToPixel = ReturnType<typeof planeToPixel>;

function contourShapes(contour: Contour, color: string, toPixel: ToPixel): Shape[] {
  const outline = (points: readonly GridPoint[]): string =>
    trace(
      points.map((point) => {
        const { x, y } = toPixel(point);
        return [x, y];
      }),
    );
  return [
    pathShape(contour.rings.map((ring) => `${outline(ring)}Z`).join(""), { fill: color }),
    pathShape(contour.lines.map(outline).join(""), {
      fill: "none",
      stroke: "#000000",
      opacity: 0.38,
      lineWidth: 0.7,
    }),
  ];
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
function markShapes(marks: readonly MapMark[], toPixel: ToPixel, rect: Rect, theme: Theme): Shape[] {
  const color = runColor(0, theme);
  const taken: Rect[] = [];
  return marks.flatMap(({ alpha, beta, label, isCenter }) => {
    const { x, y } = toPixel([decodeNumber(alpha), decodeNumber(beta)]);
    if (!isInside(rect, { x, y })) return [];
    const mark = isCenter ? endMark(x, y, color, theme) : pointMark(x, y, 4.6, color, theme);
    const place = label === "" ? undefined : freePlace(x, y, textWidth(label, 12, "semibold"), rect, taken);
    if (place === undefined) return mark;
    taken.push(place);
    const style = { align: "left", size: 12, weight: "semibold" } as const;
    const name = line(label, place.x, place.y + place.height / 2, style);
    return [...mark, textShape(name, theme, { rim: true })];
  });
}

/** Where a name goes: above or below its mark, to the right or the left, inside the map and off other names. */
function freePlace(x: number, y: number, width: number, map: Rect, taken: readonly Rect[]): Rect | undefined {
  const places = [y - 20, y + 4].flatMap((top) =>
    [x + 10, x - 10 - width, x - width / 2].map((left) => ({ x: left, y: top, width, height: 16 })),
  );
  // Off the frame, too.
  const inner = { x: map.x + 4, y: map.y + 4, width: map.width - 8, height: map.height - 8 };
  const end = (place: Rect): Place => ({ x: place.x + place.width, y: place.y + place.height });
  const isFree = (place: Rect): boolean =>
    isInside(inner, place) &&
    isInside(inner, end(place)) &&
    taken.every(
      (other) =>
        place.x + place.width + 4 < other.x ||
        other.x + other.width + 4 < place.x ||
        place.y + place.height < other.y ||
        other.y + other.height < place.y,
    );
  return places.find(isFree);
}

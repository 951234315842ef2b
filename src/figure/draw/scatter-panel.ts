import { decodeNumber } from "../../base/json.js";
import {
  type ColorScale,
  columnOf,
  type Figure,
  type PlaneWindow,
  type RunData,
  type ScatterPanel,
} from "../figure.js";
import { POINT_VIEW, pointSceneOf, pointsUntil, roomyRanges } from "../space/point-scene.js";
import type { SceneColors } from "../space/scene-mesh.js";
import {
  drawnInSpace,
  type PlacedSpace,
  placeInSpace,
  spaceHeight,
  spaceTargets,
} from "../space/space-panel.js";
import {
  axisTitle,
  type DrawOptions,
  headingRoom,
  headingTexts,
  NAMES_BELOW,
  nameBelow,
  planeToPixel,
  type Rect,
  type Tick,
  ticksOf,
  uprightName,
  widestLabel,
} from "./figure-frame.js";
import {
  BAR_BELOW,
  type ColorKey,
  colorBarRoom,
  colorBarShapes,
  type PlacedColorBar,
  pathEntries,
  placeColorBar,
  placeColorBarBelow,
} from "./legend.js";
import { runStroke, type Theme, valueColor } from "./palette.js";
import type { Drawing, PanelKind, Place, Placed, Room, Slot } from "./panel-kind.js";
import { type PointColor, pathShapes, pathTargets, pathTraces } from "./paths.js";
import { type PlacedText, truncateText } from "./placed-text.js";
import { axis, frameShape } from "./shapes.js";

/** How a flat scatter is laid onto its rectangle. */
interface FlatScene {
  /** Ranges of the two axes, with room around the points. */
  readonly ranges: readonly (readonly [min: number, max: number])[];
  place(at: readonly number[]): Place;
}

/** A flat scatter at its place. */
export interface PlacedScatter extends Placed<ScatterPanel> {
  readonly scene: FlatScene;
  /** Ticks of the two axes. */
  readonly ticks: readonly [readonly Tick[], readonly Tick[]];
  readonly bar: PlacedColorBar | null;
}

const LEAST = 160;
/** Steps of the colour bar, fine enough to look continuous. */
const BAR_STEPS = 64;

/** Snapshots as points and paths, flat in two dimensions, in 3-D in three. */
export const scatterKind: PanelKind<ScatterPanel, PlacedScatter | PlacedSpace<ScatterPanel>> = {
  role: "embedding",
  least: 300,
  gap: 22,
  naturalWidth: () => 900,
  edges: (panels, isPhone) => ({
    heading: headingRoom(panels),
    below: namesBelow(panels) + (isPhone && panels.some(hasBar) ? BAR_BELOW : 0),
  }),
  plotHeight(panel, _figure, { width, isPhone }: Room, options) {
    const wide = width - rightRoom(panel, isPhone);
    const most = Math.round(Math.min(620, Math.max(240, (wide - 40) * (isPhone ? 1 : 0.72))));
    if (isFlat(panel)) return { natural: most, least: LEAST };
    const box = spaceHeight(pointSceneOf(panel), options.view ?? POINT_VIEW, wide, options);
    return { natural: Math.max(LEAST, Math.min(most, box)), least: LEAST };
  },
  place(panel, figure, slot, options) {
    if (!isFlat(panel)) return placePoints(panel, figure, slot, options);
    const whole = wholeRect(panel, slot);
    // Labels of the upright axis need room that depends on the range, which hardly depends on that room.
    const left = Math.ceil(widestLabel(bothTicks(panel, whole)[1]) + 8 + 24);
    const rect = { ...whole, x: slot.x + left, width: Math.max(80, whole.width - left) };
    const bar = placeBar(panel, slot, rect);
    return {
      panel,
      figure,
      options,
      rect,
      scene: shownScene(panel, rect),
      ticks: bothTicks(panel, rect),
      bar: bar?.bar ?? null,
      texts: [...headingTexts(panel.title, slot), ...axisNames(panel, rect, slot.x), ...(bar?.texts ?? [])],
    };
  },
  legend(panel, figure) {
    const colorOf = pointColors(panel);
    // Under the ring of a start no colour shows.
    const hasUnknown =
      colorOf !== undefined &&
      panel.paths.some(({ run, at }) =>
        at.some((_, i) => i > 0 && colorOf(figure.runs[run] as RunData, i) === null),
      );
    return [
      ...pathEntries(figure, panel.paths, { hasDot: colorOf === undefined }),
      ...(hasUnknown ? [{ mark: { kind: "no value" }, text: "no value" } as const] : []),
    ];
  },
  draw: (placed, theme) => ("projection" in placed ? drawnInSpace(placed, theme) : drawFlat(placed, theme)),
  targets(placed) {
    if ("projection" in placed) return spaceTargets(placed);
    const { panel, figure, scene, options, rect } = placed;
    return pathTargets(figure, panel.paths, scene.place, options, rect);
  },
  readout: () => null,
  traces: (placed, run) =>
    "projection" in placed
      ? [spaceTargets(placed).filter((target) => target.run === run)]
      : pathTraces(placed.figure, placed.panel.paths, placed.scene.place, run),
  plane(placed) {
    if ("projection" in placed) return null;
    const asWindow = ([x = [0, 1], y = [0, 1]]: FlatScene["ranges"]): PlaneWindow => ({ x, y });
    const { panel, rect, scene } = placed;
    return { shown: asWindow(scene.ranges), whole: asWindow(sceneOf(panel, rect).ranges) };
  },
};

function wholeRect(panel: ScatterPanel, slot: Slot): Rect {
  const width = slot.width - rightRoom(panel, slot.isPhone);
  return { x: slot.x, y: slot.y + slot.heading, width, height: slot.plot };
}

function placeBar(panel: ScatterPanel, slot: Slot, rect: Rect) {
  const key = colorKeyOf(panel);
  if (key === null) return null;
  return slot.isPhone ? placeColorBarBelow(key, rect, namesBelow([panel])) : placeColorBar(key, rect);
}

/** A scatter with three axes: paths in a box. */
function placePoints(
  panel: ScatterPanel,
  figure: Figure,
  slot: Slot,
  options: DrawOptions,
): PlacedSpace<ScatterPanel> {
  const rect = wholeRect(panel, slot);
  const bar = placeBar(panel, slot, rect);
  const [x, y, z] = panel.axes.map((axis) => axisTitle(axis, rect.width * 0.4)) as [string, string, string];
  return placeInSpace({
    panel,
    figure,
    options,
    rect,
    texts: [...headingTexts(panel.title, slot), ...(bar?.texts ?? [])],
    scene: pointsUntil(pointSceneOf(panel), figure, options.until),
    view: options.view ?? POINT_VIEW,
    slotWidth: slot.width,
    names: { x, y, z: truncateText(z, 13, rect.width * 0.6) },
    bar: bar?.bar ?? null,
    colors: (theme) => sceneColors(panel, figure, theme),
  });
}

function sceneColors(panel: ScatterPanel, { runs }: Figure, theme: Theme): SceneColors {
  const colorOf = pointColors(panel);
  return {
    bands: [],
    paths: panel.paths.map(({ run }) => runStroke(runs[run]?.color ?? 0, theme)),
    rim: theme.halo,
    stem: theme.muted,
    snapshot:
      colorOf &&
      ((run, index) => {
        const fill = colorOf(runs[run] as RunData, index);
        return fill === null ? { fill: theme.unknown, rim: theme.hatch } : { fill, rim: theme.halo };
      }),
  };
}

function isFlat({ axes }: ScatterPanel): boolean {
  return axes.length === 2;
}

/** Returns the mapping of a flat scatter onto a rectangle, one unit equally long on both axes. */
export function sceneOf(panel: ScatterPanel, rect: Rect): FlatScene {
  const [x, y] = roomyRanges(panel) as [[number, number], [number, number]];
  return fitted(x, y, Math.max((x[1] - x[0]) / rect.width, (y[1] - y[0]) / rect.height), rect);
}

/** The mapping with the part that is shown: one unit stays equally long, whatever the shape of the plot is now. */
function shownScene(panel: ScatterPanel, rect: Rect): FlatScene {
  const { window } = panel;
  if (window === undefined) return sceneOf(panel, rect);
  const { x, y } = window;
  return fitted(x, y, Math.max((x[1] - x[0]) / rect.width, (y[1] - y[0]) / rect.height), rect);
}

function fitted(x: PlaneWindow["x"], y: PlaneWindow["y"], perPixel: number, rect: Rect): FlatScene {
  const around = ([min, max]: PlaneWindow["x"], px: number): [number, number] => [
    (min + max - perPixel * px) / 2,
    (min + max + perPixel * px) / 2,
  ];
  const [alpha, beta] = [around(x, rect.width), around(y, rect.height)];
  const toPixel = planeToPixel({ alpha, beta }, rect);
  return { ranges: [alpha, beta], place: toPixel };
}

/** Room for the names below plots: boxes have theirs inside. */
function namesBelow(panels: readonly ScatterPanel[]): number {
  return panels.some(isFlat) ? NAMES_BELOW : 6;
}

function hasBar(panel: ScatterPanel): boolean {
  return colorKeyOf(panel) !== null;
}

function rightRoom(panel: ScatterPanel, isPhone: boolean): number {
  const key = colorKeyOf(panel);
  return key === null || isPhone ? 8 : colorBarRoom(key);
}

function colorKeyOf({ color, hasBar }: ScatterPanel): ColorKey | null {
  if (color === "run" || hasBar === false) return null;
  const { scale } = color;
  return {
    title: scale.title,
    kind: scale.kind,
    colors: Array.from({ length: BAR_STEPS }, (_, i) => scaleColor((i + 0.5) / BAR_STEPS)),
    marks: scale.ticks.map((value) => ({ value, share: shareOf(value, scale) })),
  };
}

/** Place of a value on a scale, 0 to 1. */
function shareOf(value: number, { kind, min, max }: ColorScale): number {
  const at = kind === "log" ? Math.log(Math.max(value, min) / min) : value - min;
  const whole = kind === "log" ? Math.log(max / min) : max - min;
  return whole > 0 ? at / whole : 0.5;
}

/** The colour of a share of the scale; the palest end would be lost on white paper. */
function scaleColor(share: number): string {
  return valueColor(share * 0.97);
}

/** Returns the colours of the points by their values; undefined where they have those of their runs. */
export function pointColors({ color }: Pick<ScatterPanel, "color">): PointColor | undefined {
  if (color === "run") return undefined;
  return (run, snapshot) => {
    const value = decodeNumber(columnOf(run, color.column)?.[snapshot] ?? null);
    return Number.isFinite(value) ? scaleColor(shareOf(value, color.scale)) : null;
  };
}

function bothTicks(panel: ScatterPanel, rect: Rect): readonly [Tick[], Tick[]] {
  const [x, y] = shownScene(panel, rect).ranges as [readonly [number, number], readonly [number, number]];
  return [
    ticksOf(x, Math.max(2, Math.min(8, Math.floor(rect.width / 80)))),
    ticksOf(y, Math.max(2, Math.min(7, Math.floor(rect.height / 60)))),
  ];
}

function axisNames({ axes }: ScatterPanel, rect: Rect, left: number): PlacedText[] {
  const [x, y] = axes;
  if (x === undefined || y === undefined) return [];
  return [nameBelow(axisTitle(x, rect.width), rect), uprightName(axisTitle(y, rect.height), left + 9, rect)];
}

function drawFlat({ panel, figure, options, rect, scene, ticks, bar }: PlacedScatter, theme: Theme): Drawing {
  const [x = [0, 1], y = [0, 1]] = scene.ranges;
  const both = [x, y].map(([min, max], i) => axis(ticks[i] ?? [], { min, max }, theme, true)) as [
    object,
    object,
  ];
  const style = { ...options, colorOf: pointColors(panel) };
  return {
    grids: [{ rect, x: both[0], y: both[1] }],
    layers: [
      { name: "box", z: 2, shapes: [frameShape(rect, theme)] },
      {
        name: "paths",
        z: 3,
        clip: panel.window !== undefined,
        shapes: pathShapes(figure, panel.paths, scene.place, theme, style),
      },
      { name: "bar", z: 6, shapes: bar === null ? [] : colorBarShapes(bar, theme) },
    ],
  };
}

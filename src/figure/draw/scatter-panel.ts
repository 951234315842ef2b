import { decodeNumber } from "../../base/json.js";
import { type ColorScale, columnOf, type PlaneWindow, type RunData, type ScatterPanel } from "../figure.js";
import {
  BOX_NAMES,
  boxCorners,
  boxShapes,
  type Scene,
  sceneOf,
  spacePathShapes,
  spaceTargets,
} from "../space/box-scene.js";
import {
  axisTitle,
  type DrawOptions,
  headingRoom,
  headingTexts,
  NAMES_BELOW,
  nameBelow,
  planeToPixel,
  type Rect,
  type SceneView,
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
import { type Theme, valueColor } from "./palette.js";
import type { Drawing, PanelKind, Placed } from "./panel-kind.js";
import { type PointColor, pathShapes, pathTargets, pathTraces } from "./paths.js";
import type { PlacedText } from "./placed-text.js";
import { axis, frameShape } from "./shapes.js";

/** A scatter at its place. */
export interface PlacedScatter extends Placed<ScatterPanel> {
  readonly scene: Scene;
  /** Ticks of the two axes; none in three dimensions. */
  readonly ticks: readonly [readonly Tick[], readonly Tick[]];
  readonly bar: PlacedColorBar | null;
}

const LEAST = 160;
/** Steps of the colour bar, fine enough to look continuous. */
const BAR_STEPS = 64;

/** Snapshots as points and paths, flat in two dimensions, in perspective in three. */
export const scatterKind: PanelKind<ScatterPanel, PlacedScatter> = {
  role: "embedding",
  least: 300,
  gap: 22,
  naturalWidth: () => 900,
  edges: (panels, isPhone) => ({
    heading: headingRoom(panels),
    below: namesBelow(panels) + (isPhone && panels.some(hasBar) ? BAR_BELOW : 0),
  }),
  plotHeight(panel, _figure, { width, isPhone }, options) {
    const wide = width - rightRoom(panel, isPhone);
    const most = Math.round(Math.min(620, Math.max(240, (wide - 40) * (isPhone ? 1 : 0.72))));
    // A picture that cannot be turned needs no more room than its box takes.
    const isFixed = !isFlat(panel) && options.parts !== "chart";
    return { natural: isFixed ? boxHeight(panel, options, wide, most) : most, least: LEAST };
  },
  place(panel, figure, slot, options) {
    const y = slot.y + slot.heading;
    const whole = { x: slot.x, y, width: slot.width - rightRoom(panel, slot.isPhone), height: slot.plot };
    // Labels of the upright axis need room that depends on the range, which hardly depends on that room.
    const left = isFlat(panel) ? Math.ceil(widestLabel(bothTicks(panel, whole)[1]) + 8 + 24) : 0;
    const rect = { ...whole, x: slot.x + left, width: Math.max(80, whole.width - left) };
    const key = colorKeyOf(panel);
    const bar =
      key === null
        ? null
        : slot.isPhone
          ? placeColorBarBelow(key, rect, namesBelow([panel]))
          : placeColorBar(key, rect);
    const scene = shownScene(panel, rect, options.view);
    return {
      panel,
      figure,
      options,
      rect,
      scene,
      ticks: isFlat(panel) ? bothTicks(panel, rect) : ([[], []] as const),
      bar: bar?.bar ?? null,
      texts: [
        ...headingTexts(panel.title, slot),
        ...(isFlat(panel) ? axisNames(panel, rect, slot.x) : []),
        ...(bar?.texts ?? []),
      ],
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
  draw: drawScatter,
  targets({ panel, figure, scene, options, rect }) {
    if (!isFlat(panel)) return spaceTargets(figure, panel, scene, options.until);
    return pathTargets(figure, panel.paths, scene.place, options, rect);
  },
  readout: () => null,
  traces: ({ panel, figure, scene }, run) =>
    isFlat(panel)
      ? pathTraces(figure, panel.paths, scene.place, run)
      : [spaceTargets(figure, panel, scene).filter((target) => target.run === run)],
  plane({ panel, rect, scene }) {
    if (!isFlat(panel)) return null;
    const asWindow = ([x = [0, 1], y = [0, 1]]: Scene["ranges"]): PlaneWindow => ({ x, y });
    return { shown: asWindow(scene.ranges), whole: asWindow(sceneOf(panel, rect).ranges) };
  },
};

function isFlat({ axes }: ScatterPanel): boolean {
  return axes.length === 2;
}

/** The scene with what is shown of a flat one. */
function shownScene(panel: ScatterPanel, rect: Rect, view?: SceneView): Scene {
  const scene = sceneOf(panel, rect, view);
  const { window } = panel;
  if (window === undefined || !isFlat(panel)) return scene;
  // One unit stays equally long on both axes, whatever the shape of the plot is now.
  const perPixel = Math.max(
    (window.x[1] - window.x[0]) / rect.width,
    (window.y[1] - window.y[0]) / rect.height,
  );
  const around = ([min, max]: PlaneWindow["x"], px: number): [number, number] => [
    (min + max - perPixel * px) / 2,
    (min + max + perPixel * px) / 2,
  ];
  const [x, y] = [around(window.x, rect.width), around(window.y, rect.height)];
  const toPixel = planeToPixel({ alpha: x, beta: y }, rect);
  return { ranges: [x, y], place: (at) => ({ ...toPixel(at), depth: 0, scale: 1 }) };
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

/** Height that the box of three dimensions takes at a width, at most `most`. */
function boxHeight(panel: ScatterPanel, { view }: DrawOptions, width: number, most: number): number {
  const scene = sceneOf(panel, { x: 0, y: 0, width, height: most }, view);
  const heights = boxCorners(scene.ranges).map((corner) => scene.place(corner).y);
  return Math.max(LEAST, Math.ceil(Math.max(...heights) - Math.min(...heights)) + 2 * BOX_NAMES);
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

function drawScatter(
  { panel, figure, options, rect, scene, ticks, bar }: PlacedScatter,
  theme: Theme,
): Drawing {
  const flat = isFlat(panel);
  const [x = [0, 1], y = [0, 1]] = flat ? scene.ranges : [];
  const both = [x, y].map(([min, max], i) => ({
    ...axis(ticks[i] ?? [], { min, max }, theme, flat),
    show: flat,
  })) as [object, object];
  const style = { ...options, colorOf: pointColors(panel) };
  const paths = flat
    ? pathShapes(figure, panel.paths, scene.place, theme, style)
    : spacePathShapes(figure, panel, scene, theme, style);
  return {
    grids: [{ rect, x: both[0], y: both[1] }],
    layers: [
      { name: "box", z: 2, shapes: flat ? [frameShape(rect, theme)] : boxShapes(panel, scene, theme) },
      { name: "paths", z: 3, clip: panel.window !== undefined, shapes: paths },
      { name: "bar", z: 6, shapes: bar === null ? [] : colorBarShapes(bar, theme) },
    ],
  };
}

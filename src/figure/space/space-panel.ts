import { type DrawOptions, NARROW, type Rect } from "../draw/figure-frame.js";
import { colorBarShapes, type PlacedColorBar } from "../draw/legend.js";
import { runColor, type Theme } from "../draw/palette.js";
import type { Drawing, Placed, Target } from "../draw/panel-kind.js";
import { markSize, startAndEndShapes } from "../draw/paths.js";
import { dropMark, hiddenGrid, round, type Shape, stroke, textShape } from "../draw/shapes.js";
import type { MapPanel, ScatterPanel } from "../figure.js";
import { encodeBase64 } from "../files/page-data.js";
import { encodePng } from "./encode-png.js";
import type { PointScene } from "./point-scene.js";
import { type Pixels, renderScene } from "./render-scene.js";
import { type SceneColors, sceneMeshes } from "./scene-mesh.js";
import {
  createProjection,
  extentOf,
  type Projection,
  type SceneFurniture,
  type SceneLine,
  type SceneNames,
  type ScenePoint,
  sceneFurniture,
} from "./scene-view.js";
import type { SurfaceScene } from "./surface-scene.js";

/** What is looked at in 3-D: a surface with the paths on it, or paths by themselves. */
export type SpaceScene = SurfaceScene | PointScene;

/** A panel in 3-D, at its place. */
export interface PlacedSpace<P extends MapPanel | ScatterPanel = MapPanel | ScatterPanel> extends Placed<P> {
  readonly scene: SpaceScene;
  /** The part of the plot whose middle is the box's centre: where WebGL draws. */
  readonly canvas: Rect;
  readonly projection: Projection;
  readonly names: SceneNames;
  readonly bar: PlacedColorBar | null;
  /** Returns the colours of the scene. */
  readonly colors: (theme: Theme) => SceneColors;
}

/** What is placed in 3-D, and the room that it has. */
export type SpaceContent<P extends MapPanel | ScatterPanel> = Omit<
  PlacedSpace<P>,
  "canvas" | "projection"
> & {
  readonly view: Projection["view"];
  /** Width of the panel with everything beside its plot. */
  readonly slotWidth: number;
};

/** Room around the box for its labels, if it has any, and the names of its axes. */
const ROOM = { labels: { above: 40, below: 66, sides: 70 }, names: { above: 34, below: 34, sides: 44 } };
/** Room on both sides of the box in a narrow panel. */
const NARROW_SIDES = 34;

function roomAround({ kind }: SpaceScene, width: number) {
  const room = kind === "points" ? ROOM.names : ROOM.labels;
  return width < NARROW ? { ...room, sides: Math.min(room.sides, NARROW_SIDES) } : room;
}

/** On a page there is room for the box turned in any way about the upright axis, so that its size stays. */
function reachOf(scene: SpaceScene, view: Projection["view"], { isTurning, isPage }: DrawOptions) {
  const { box } = scene;
  const radius = isTurning === true || isPage === true ? Math.hypot(box.width, box.depth) / 2 : null;
  const [across, half] = extentOf(box, radius === null ? view : { ...view, azimuth: 45 });
  return { across: radius ?? across, half };
}

/** Returns the height that the box takes at a width. */
export function spaceHeight(
  scene: SpaceScene,
  view: Projection["view"],
  width: number,
  options: DrawOptions,
): number {
  const { above, below, sides } = roomAround(scene, width);
  const { across, half } = reachOf(scene, view, options);
  return Math.ceil((2 * half * (width / 2 - sides)) / across) + above + below;
}

/** Returns a panel in 3-D at its place: the box is as large as any turn of it allows. */
export function placeInSpace<P extends MapPanel | ScatterPanel>({
  view,
  slotWidth,
  ...content
}: SpaceContent<P>): PlacedSpace<P> {
  const { scene, rect, options } = content;
  const { above, below, sides } = roomAround(scene, slotWidth);
  const { across, half } = reachOf(scene, view, options);
  const inner = (rect.height - above - below) / 2;
  const scale = Math.max(0.3, Math.min((rect.width / 2 - sides) / across, inner / half));
  return {
    ...content,
    canvas: roundedRect({ ...rect, height: rect.height - below + above }),
    projection: createProjection(view, scale * (view.zoom ?? 1), [
      rect.x + rect.width / 2,
      rect.y + above + inner,
    ]),
  };
}

/** Whole px, so that pixels of a picture are not smeared over two. */
function roundedRect({ x, y, width, height }: Rect): Rect {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  return { x: left, y: top, width: Math.ceil(x + width) - left, height: Math.ceil(y + height) - top };
}

/** The snapshots of each path that are drawn, in order. */
function snapshotsOf(scene: SpaceScene) {
  type Found = { readonly run: number; readonly points: readonly { index: number; at: ScenePoint }[] };
  if (scene.kind === "points")
    return scene.paths.map(({ run, pieces }): Found => ({ run, points: pieces.flat() }));
  return scene.paths.map(({ run, points }): Found => {
    const placed = points.flatMap(({ plane, index }) => (plane === null ? [] : [{ index, at: plane }]));
    return { run, points: placed };
  });
}

/** Returns where the snapshots of a panel in 3-D are. */
export function spaceTargets({ scene, projection }: Pick<PlacedSpace, "scene" | "projection">): Target[] {
  return snapshotsOf(scene).flatMap(({ run, points }) =>
    points.map(({ index, at }): Target => {
      const [x, y] = projection.toScreen(at);
      return { run, snapshot: index, x, y };
    }),
  );
}

/**
 * Returns a panel in parallel projection: axes, texts and marks as shapes, the scene between them as a picture of
 * pixels, drawn without WebGL and without a browser. On a page WebGL takes the place of that picture.
 */
export function drawnInSpace(placed: PlacedSpace, theme: Theme): Drawing {
  const { rect, bar } = placed;
  const furniture = furnitureOf(placed);
  return {
    grids: [hiddenGrid(rect, theme)],
    layers: [
      { name: "back", z: 1, shapes: furniture.lines.map((line) => lineShape(line, theme)) },
      {
        name: "scene",
        z: 2,
        // Drawn only where it is asked for: a page has its own renderer.
        get shapes() {
          return [sceneShape(placed, theme)];
        },
      },
      {
        name: "front",
        z: 3,
        shapes: [
          ...endShapes(placed, theme),
          ...(bar === null ? [] : colorBarShapes(bar, theme)),
          ...furniture.texts.map((text) => textShape(text, theme)),
        ],
      },
    ],
  };
}

/** Returns the pixels of the scene in a layout, on nothing, and the part of the picture that they fill. */
export function spacePixels(
  placed: PlacedSpace,
  theme: Theme,
  pixelRatio: number,
): { readonly pixels: Pixels; readonly rect: Rect } {
  const { scene, projection, canvas } = placed;
  const [across, up] = extentOf(scene.box, projection.view);
  const [cx, cy] = projection.toScreen([0, 0, 0]);
  // Room for paths along the edges.
  const [dx, dy] = [across * projection.scale + 12, up * projection.scale + 12];
  const box = { x: cx - dx, y: cy - dy, width: 2 * dx, height: 2 * dy };
  const rect = overlap(roundedRect(box), canvas);
  const meshes = sceneMeshes(scene, placed.colors(theme));
  return { pixels: renderScene(meshes, projection, rect, pixelRatio), rect };
}

function overlap(a: Rect, b: Rect): Rect {
  const [x, y] = [Math.max(a.x, b.x), Math.max(a.y, b.y)];
  return {
    x,
    y,
    width: Math.max(1, Math.min(a.x + a.width, b.x + b.width) - x),
    height: Math.max(1, Math.min(a.y + a.height, b.y + b.height) - y),
  };
}

/** The scene as an image: a PNG file inside the picture. */
function sceneShape(placed: PlacedSpace, theme: Theme): Shape {
  const { pixels, rect } = spacePixels(placed, theme, placed.options.pixelRatio ?? 2);
  const image = `data:image/png;base64,${encodeBase64(encodePng(pixels))}`;
  return { type: "image", style: { image, ...rect }, silent: true };
}

/** Least gap between a name and the colour bar. */
const BAR_GAP = 10;

/** Returns axes and texts of a panel in 3-D: they keep off its colour bar. */
export function furnitureOf({ scene, projection, names, rect, bar }: PlacedSpace): SceneFurniture {
  const edge = rect.x + rect.width;
  const right = bar === null || bar.isBelow ? edge : Math.min(edge, bar.rect.x - BAR_GAP);
  return sceneFurniture(scene, projection, names, [rect.x, right]);
}

function lineShape({ from, to, tone }: SceneLine, theme: Theme): Shape {
  const style = { stroke: tone === "edge" ? theme.line : theme.faint, lineWidth: 1 };
  return stroke([round(from[0]), round(from[1])], [round(to[0]), round(to[1])], style);
}

/** Starts, ends and drops of the learning rate: always in sight. */
function endShapes({ scene, figure, projection, options: { until } }: PlacedSpace, theme: Theme): Shape[] {
  const paths = snapshotsOf(scene).flatMap(({ run, points }) => {
    const data = figure.runs[run];
    const places = points.map(({ index, at: [px, py, pz] }) => {
      const [x, y] = projection.toScreen([px, py, pz]);
      return { x, y, index };
    });
    const [first, last] = [places[0], places[places.length - 1]];
    if (data === undefined || first === undefined || last === undefined) return [];
    const drops = places.filter(({ index }) => data.drops.includes(index));
    // On a surface a star shows how far a path has grown.
    const isWhole =
      scene.kind !== "points" || until === undefined || (data[figure.progress].at(-1) ?? 0) <= until;
    return [{ color: runColor(data.color, theme), first, last, isWhole, drops }];
  });
  // A drop beside the end must not cover it.
  return [
    ...paths.flatMap(({ drops, color }) =>
      drops.flatMap(({ x, y }) => dropMark(x, y, figure.runs.length === 1 ? null : color, theme)),
    ),
    ...startAndEndShapes(paths, markSize(paths.length), theme),
  ];
}

import { axisTitle, type DrawOptions, NARROW, type Rect, type SceneView } from "../draw/figure-frame.js";
import {
  colorBarRoom,
  colorBarShapes,
  type LegendEntry,
  mapColors,
  type PlacedColorBar,
  pathEntries,
  placeColorBar,
} from "../draw/legend.js";
import { runColor, type Theme } from "../draw/palette.js";
import type { Drawing, Place, Placed, PlacedReadout, Room, Slot, Target } from "../draw/panel-kind.js";
import { markSize, startAndEndShapes } from "../draw/paths.js";
import { truncateText } from "../draw/placed-text.js";
import { dropMark, hiddenGrid, round, type Shape, stroke, textShape } from "../draw/shapes.js";
import { gridReadout } from "../draw/snapshots.js";
import { columnOf, comparedLoss, type Figure, type MapPanel } from "../figure.js";
import { encodeBase64 } from "../files/page-data.js";
import { encodePng } from "./encode-png.js";
import { type Pixels, renderScene } from "./render-scene.js";
import { type SceneColors, sceneMeshes } from "./scene-mesh.js";
import {
  createProjection,
  DEFAULT_VIEW,
  extentOf,
  type Projection,
  type SceneFurniture,
  type SceneLine,
  type SceneNames,
  sceneFurniture,
} from "./scene-view.js";
import { bestView, createSurfaceScene, pickSurface, type SurfaceScene, sceneUntil } from "./surface-scene.js";

/** A map as a surface in 3-D, at its place. */
export interface PlacedSpace extends Placed<MapPanel> {
  readonly scene: SurfaceScene;
  /** The part of the plot whose middle is the box's centre: where WebGL draws. */
  readonly canvas: Rect;
  readonly projection: Projection;
  readonly names: SceneNames;
  readonly bar: PlacedColorBar | null;
}

const deep = new WeakMap<Figure, Figure | null>();

/**
 * Returns a figure of one map as a surface in 3-D with the paths at the loss of the plane and at their own;
 * null where it has no map with values to be seen so. The same figure gives the same object.
 *
 * @example const deep = inSpace(figure); // null if there is no surface
 */
export function inSpace(figure: Figure): Figure | null {
  const known = deep.get(figure);
  if (known !== undefined) return known;
  const made = figureInSpace(figure);
  deep.set(figure, made);
  return made;
}

function figureInSpace(figure: Figure): Figure | null {
  const maps = figure.panels.filter((panel) => panel.kind === "map");
  const [map] = maps;
  if (map === undefined || maps.length > 1 || map.values === null || figure.layout !== "lead") return null;
  const height = map.scale?.kind === "log" ? "logarithmic height;" : "linear height;";
  return {
    ...figure,
    layout: { columns: 1 },
    panels: [{ ...map, view: "space" }],
    caption: figure.caption
      .replace("Contours: ", "Surface: ")
      .replace(/(linear|logarithmic) levels;/, height)
      .replace(": cells that touch them are hatched.", ": cells that touch them are left out as holes."),
  };
}

/** Room around the box for labels and names of its axes. */
const ABOVE = 40;
const BELOW = 66;
const LEAST = 180;

/** A scene, and from where it is looked at first. */
interface SeenScene {
  readonly scene: SurfaceScene;
  readonly view: SceneView;
}

const scenes = new WeakMap<MapPanel, Map<boolean, SeenScene>>();

/** The scene of a panel, made once: it is laid out anew at every turn. */
function sceneOf(panel: MapPanel, figure: Figure, isFaceted: boolean): SeenScene {
  const known = scenes.get(panel) ?? new Map<boolean, SeenScene>();
  scenes.set(panel, known);
  const found = known.get(isFaceted);
  if (found !== undefined) return found;
  const scene = createSurfaceScene({ panel, figure }, { isFaceted });
  const made = { scene, view: bestView(scene, DEFAULT_VIEW) };
  known.set(isFaceted, made);
  return made;
}

/** Whole px, so that pixels of a picture are not smeared over two. */
function roundedRect({ x, y, width, height }: Rect): Rect {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  return { x: left, y: top, width: Math.ceil(x + width) - left, height: Math.ceil(y + height) - top };
}

/** What a map does in 3-D instead. */
export const spaceKind = {
  edges: { heading: 0, below: 8 },
  plotHeight({ width }: Room): { natural: number; least: number } {
    const natural = width < NARROW ? Math.min(460, width * 0.95) : Math.min(640, width * 0.6);
    return { natural: Math.round(natural), least: LEAST };
  },
  /** The box is as large as any turn of it allows. */
  place(panel: MapPanel, figure: Figure, slot: Slot, options: DrawOptions): PlacedSpace {
    const { scene: whole, view: first } = sceneOf(panel, figure, options.isFaceted ?? false);
    const { view = first } = options;
    const { box } = whole;
    const scene = sceneUntil(whole, figure, options.until);
    const key = mapColors(panel, 0);
    // The bar has no name of its own: that of the upright axis is its name.
    const barRoom = key === null ? 0 : colorBarRoom(key) - 32;
    const rect = { x: slot.x, y: slot.y, width: slot.width - barRoom, height: slot.plot };
    const beside = { ...rect, y: rect.y + 14, width: rect.width - 12 };
    const bar =
      key === null ? null : placeColorBar({ ...key, title: "" }, beside, Math.max(60, rect.height - 60));
    const sides = slot.width < NARROW ? 34 : 70;
    // On a page there is room for the box turned in any way about the upright axis, so that its size stays.
    const radius =
      options.isTurning === true || options.isPage === true ? Math.hypot(box.width, box.depth) / 2 : null;
    const [across, half] = extentOf(box, radius === null ? view : { ...view, azimuth: 45 });
    const inner = (rect.height - ABOVE - BELOW) / 2;
    const scale = Math.max(0.3, Math.min((rect.width / 2 - sides) / (radius ?? across), inner / half));
    const quantity = `${panel.quantity}${panel.scale?.kind === "log" ? " (log scale)" : ""}`;
    return {
      panel,
      figure,
      options,
      rect,
      texts: [],
      scene,
      canvas: roundedRect({ ...rect, height: rect.height - BELOW + ABOVE }),
      projection: createProjection(view, scale * (view.zoom ?? 1), [
        rect.x + rect.width / 2,
        rect.y + ABOVE + inner,
      ]),
      names: {
        x: axisTitle(panel.axes[0], rect.width * 0.3),
        y: axisTitle(panel.axes[1], rect.width * 0.3),
        z: truncateText(quantity, 13, rect.width * 0.6),
      },
      bar: bar?.bar ?? null,
    };
  },
  /** Runs if there are several, then how paths and gaps are drawn. */
  legend(panel: MapPanel, figure: Figure): LegendEntry[] {
    const entries = pathEntries(figure, panel.paths);
    const runs = panel.paths.flatMap(({ run }) => figure.runs[run] ?? []);
    const compared = new Set(
      runs.map(comparedLoss).filter((name) => runs.some((run) => columnOf(run, name))),
    );
    const own: LegendEntry[] = [
      ...[...compared].map((text): LegendEntry => ({ mark: { kind: "own" }, text })),
      { mark: { kind: "gap" }, text: "plane − true" },
    ];
    return [
      ...entries.filter(({ mark }) => mark.kind === "run"),
      { mark: { kind: "plane" }, text: "loss on the plane" },
      ...(compared.size > 0 ? own : []),
      ...entries.filter(({ mark }) => ["start", "end", "drop"].includes(mark.kind)),
    ];
  },
  targets: ({ scene, projection }: PlacedSpace): Target[] =>
    scene.paths.flatMap(({ run, points }) =>
      points.flatMap(({ plane, index }): Target[] => {
        if (plane === null) return [];
        const [x, y] = projection.toScreen(plane);
        return [{ run, snapshot: index, x, y }];
      }),
    ),
  readout({ panel, scene, projection }: PlacedSpace, at: Place): PlacedReadout | null {
    const found = pickSurface(scene, projection, [at.x, at.y]);
    const readout = found === null ? null : gridReadout(panel, found.right, found.back);
    return readout === null ? null : { ...at, readout };
  },
};

/**
 * Returns a surface in parallel projection: axes, texts and marks as shapes, the scene between them as a picture of
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
        name: "surface",
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

/** Returns the colours of a scene. */
export function sceneColors({ panel, figure, scene }: PlacedSpace, theme: Theme): SceneColors {
  return {
    bands: mapColors(panel, 0)?.colors ?? [theme.unknown],
    paths: scene.paths.map(({ run }) => runColor(figure.runs[run]?.color ?? 0, theme)),
    rim: theme.halo,
    stem: theme.muted,
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
  const meshes = sceneMeshes(scene, sceneColors(placed, theme));
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

function furnitureOf({ scene, projection, names, rect }: PlacedSpace): SceneFurniture {
  return sceneFurniture(scene, projection, names, [rect.x, rect.x + rect.width]);
}

function lineShape({ from, to, tone }: SceneLine, theme: Theme): Shape {
  const style = { stroke: tone === "edge" ? theme.line : theme.faint, lineWidth: 1 };
  return stroke([round(from[0]), round(from[1])], [round(to[0]), round(to[1])], style);
}

/** Starts, ends and drops of the learning rate on the surface: always in sight. */
function endShapes(placed: PlacedSpace, theme: Theme): Shape[] {
  const { scene, figure, projection } = placed;
  const paths = scene.paths.flatMap((path) => {
    const points = path.points.flatMap(({ plane, index }) => {
      if (plane === null) return [];
      const [x, y] = projection.toScreen(plane);
      return [{ x, y, index }];
    });
    const [first, last] = [points[0], points[points.length - 1]];
    if (first === undefined || last === undefined) return [];
    const drops = points.filter(({ index }) => figure.runs[path.run]?.drops.includes(index));
    return [{ color: runColor(figure.runs[path.run]?.color ?? 0, theme), first, last, isWhole: true, drops }];
  });
  return [
    ...startAndEndShapes(paths, markSize(paths.length), theme),
    ...paths.flatMap(({ drops, color }) =>
      drops.flatMap(({ x, y }) => dropMark(x, y, figure.runs.length === 1 ? null : color, theme)),
    ),
  ];
}

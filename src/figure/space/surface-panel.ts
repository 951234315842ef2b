import { axisTitle, type DrawOptions, extentOf, NARROW, type SceneView } from "../draw/figure-frame.js";
import { colorBarRoom, type LegendEntry, mapColors, pathEntries, placeColorBar } from "../draw/legend.js";
import { runStroke, type Theme } from "../draw/palette.js";
import type { Place, PlacedReadout, Room, Slot } from "../draw/panel-kind.js";
import { truncateText } from "../draw/placed-text.js";
import { SCALE_WORDS } from "../draw/scales.js";
import { gridReadout } from "../draw/snapshots.js";
import { captionWithoutCurves } from "../draw/thinning.js";
import { columnOf, comparedLoss, type Figure, type MapPanel } from "../figure.js";
import type { SceneColors } from "./scene-mesh.js";
import { DEFAULT_VIEW } from "./scene-view.js";
import { type PlacedSpace, placeInSpace } from "./space-panel.js";
import { bestView, createSurfaceScene, pickSurface, type SurfaceScene, sceneUntil } from "./surface-scene.js";

/** Returns whether a figure is drawn in 3-D: a surface that is looked at so, or an embedding with three axes. */
export function isInSpace({ panels }: Figure): boolean {
  return panels.some(
    (panel) =>
      (panel.kind === "map" && panel.view === "space") ||
      (panel.kind === "scatter" && panel.axes.length === 3),
  );
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
  const height = `${SCALE_WORDS[map.scale?.kind ?? "linear"]} height;`;
  return {
    ...figure,
    layout: { columns: 1 },
    panels: [{ ...map, view: "space" }],
    caption: captionWithoutCurves(figure.caption)
      .replace("Contours: ", "Surface: ")
      .replace(/(linear|(symmetric )?logarithmic) levels;/, height)
      .replace(": cells that touch them are hatched.", ": cells that touch them are left out as holes."),
  };
}

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

/** What a map does in 3-D instead. */
export const spaceKind = {
  edges: { heading: 0, below: 8 },
  plotHeight({ width }: Room): { natural: number; least: number } {
    const natural = width < NARROW ? Math.min(460, width * 0.95) : Math.min(640, width * 0.6);
    return { natural: Math.round(natural), least: LEAST };
  },
  place(panel: MapPanel, figure: Figure, slot: Slot, options: DrawOptions): PlacedSpace<MapPanel> {
    const { scene: whole, view: first } = sceneOf(panel, figure, options.isFaceted ?? false);
    const scene = sceneUntil(whole, figure, options.until);
    const key = mapColors(panel, 0);
    // The bar has no name of its own: that of the upright axis is its name.
    const barRoom = key === null ? 0 : colorBarRoom(key) - 32;
    const rect = { x: slot.x, y: slot.y, width: slot.width - barRoom, height: slot.plot };
    const beside = { ...rect, y: rect.y + 14, width: rect.width - 12 };
    const bar =
      key === null ? null : placeColorBar({ ...key, title: "" }, beside, Math.max(60, rect.height - 60));
    const { kind = "linear" } = panel.scale ?? {};
    const quantity = `${panel.quantity}${kind === "linear" ? "" : ` (${kind} scale)`}`;
    return placeInSpace({
      panel,
      figure,
      options,
      rect,
      texts: [],
      scene,
      view: options.view ?? first,
      slotWidth: slot.width,
      names: {
        x: axisTitle(panel.axes[0], rect.width * 0.3),
        y: axisTitle(panel.axes[1], rect.width * 0.3),
        z: truncateText(quantity, 13, rect.width * 0.6),
      },
      bar: bar?.bar ?? null,
      colors: (theme) => surfaceColors(panel, figure, theme),
    });
  },
  /** Runs if there are several, then how paths and gaps are drawn. */
  legend(panel: MapPanel, figure: Figure): LegendEntry[] {
    const extents = [extentOf(panel.alpha), extentOf(panel.beta)];
    const entries = pathEntries(figure, panel.paths, { extents });
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
  readout({ panel, scene, projection }: PlacedSpace<MapPanel>, at: Place): PlacedReadout | null {
    const found = scene.kind === "points" ? null : pickSurface(scene, projection, [at.x, at.y]);
    const readout = found === null ? null : gridReadout(panel, found.right, found.back);
    return readout === null ? null : { ...at, readout };
  },
};

function surfaceColors(panel: MapPanel, { runs }: Figure, theme: Theme): SceneColors {
  return {
    bands: mapColors(panel, 0)?.colors ?? [theme.unknown],
    paths: panel.paths.map(({ run }) => runStroke(runs[run]?.color ?? 0, theme)),
    rim: theme.halo,
    stem: theme.muted,
  };
}

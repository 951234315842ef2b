import { decodeNumber } from "../../src/base/json.js";
import { type DrawOptions, planeToPixel } from "../../src/figure/draw/figure-frame.js";
import { layoutFigure } from "../../src/figure/draw/layout-figure.js";
import type { Placed } from "../../src/figure/draw/panel-kind.js";
import {
  type CurvesPanel,
  columnOf,
  type Figure,
  type MapPanel,
  PLANE_LOSS,
  type RunData,
  type ScatterPanel,
  type TablePanel,
  TRUE_LOSS,
} from "../../src/figure/figure.js";

/** The maps of a figure. */
export function mapsOf({ panels }: Figure): MapPanel[] {
  return panels.filter((panel) => panel.kind === "map");
}

/** The only or first map of a figure. */
export function mapOf(figure: Figure): MapPanel {
  const [map] = mapsOf(figure);
  if (map === undefined) throw new Error("no map");
  return map;
}

/** The curves of a figure. */
export function curvesOf({ panels }: Figure): CurvesPanel[] {
  return panels.filter((panel) => panel.kind === "curves");
}

/** The panel of curves with a title. */
export function curvesNamed(figure: Figure, title: string): CurvesPanel {
  const found = curvesOf(figure).find((panel) => panel.title === title);
  if (found === undefined) throw new Error(`no panel "${title}"`);
  return found;
}

export function scatterOf({ panels }: Figure): ScatterPanel {
  const found = panels.find((panel) => panel.kind === "scatter");
  if (found === undefined) throw new Error("no scatter");
  return found;
}

export function tableOf({ panels }: Figure): TablePanel {
  const found = panels.find((panel) => panel.kind === "table");
  if (found === undefined) throw new Error("no table");
  return found;
}

/** A run of a figure. */
export function runOf({ runs }: Figure, index = 0): RunData {
  const run = runs[index];
  if (run === undefined) throw new Error(`no run ${index}`);
  return run;
}

/** Where the first map of a figure is, and places of its plane in px. */
export function placedMap(figure: Figure, options: DrawOptions = {}) {
  const placed = layoutFigure(figure, options).panels.find(({ panel }) => panel.kind === "map");
  if (placed === undefined) throw new Error("no map");
  const { panel, rect } = placed as Placed<MapPanel>;
  return { rect, toPixel: planeToPixel(panel, rect) };
}

/** Coordinates and losses of the snapshots of a run on the first map. */
export function pointsOf(figure: Figure, index = 0) {
  const run = runOf(figure, index);
  const at = mapOf(figure).paths.find((path) => path.run === index)?.at ?? [];
  return at.map(([alpha = "NaN", beta = "NaN"], i) => ({
    alpha: decodeNumber(alpha),
    beta: decodeNumber(beta),
    trueLoss: decodeNumber(columnOf(run, TRUE_LOSS)?.[i] ?? null),
    planeLoss: decodeNumber(columnOf(run, PLANE_LOSS)?.[i] ?? null),
    rateDropped: run.drops.includes(i),
  }));
}

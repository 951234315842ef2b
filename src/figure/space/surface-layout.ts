import type { Rect } from "../draw/figure-frame.js";
import { checkHeight, layoutFrame, NARROW, type TrajectoryLayoutOptions } from "../draw/figure-frame.js";
import { formatLevels } from "../draw/format-number.js";
import { type LegendRow, layoutLegend, surfaceLegendEntries } from "../draw/legend.js";
import { type PlacedText, TICK_SIZE, textWidth, truncateText } from "../draw/placed-text.js";
import type { TrajectoryFigure } from "../figure.js";
import { axisTitle } from "../make/create-trajectory-figure.js";
import type { SceneNames } from "./scene-furniture.js";
import { createProjection, DEFAULT_VIEW, extentOf, type Projection, type SceneView } from "./scene-view.js";
import type { SurfaceScene } from "./surface-scene.js";

/** Size, parts and view of a surface in space. */
export interface SurfaceLayoutOptions extends TrajectoryLayoutOptions {
  /** From where the surface is looked at; default 44° above the floor, 32° to the right. */
  readonly view?: SceneView;
}

/** Where everything of a surface in space is. */
export interface SurfaceLayout {
  readonly width: number;
  readonly height: number;
  /** Place of the box with its labels. */
  readonly area: Rect;
  /** The part of the area whose middle is the box's centre: where WebGL draws. */
  readonly canvas: Rect;
  readonly projection: Projection;
  readonly names: SceneNames;
  readonly colorBar: Rect;
  readonly legend: readonly LegendRow[];
  readonly texts: readonly PlacedText[];
}

/** The caption as it is true of the surface in space. */
export function surfaceCaption({ caption, scale }: TrajectoryFigure): string {
  return caption
    .replace("Contours: ", "Surface: ")
    .replace(
      `, ${scale.kind === "log" ? "logarithmic" : "linear"} levels;`,
      `, ${scale.kind === "log" ? "logarithmic" : "linear"} height;`,
    )
    .replace(": cells that touch them are hatched.", ": cells that touch them are left out as holes.");
}

const BAR_WIDTH = 14;
/** Room around the box for labels and names of its axes. */
const ABOVE = 40;
const BELOW = 66;
const LEAST_HEIGHT = 180;

/**
 * Returns where everything of a surface in space is; the box is as large as any turn of it allows.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutSurface(
  figure: TrajectoryFigure,
  { box }: Pick<SurfaceScene, "box">,
  options: SurfaceLayoutOptions = {},
): SurfaceLayout {
  const { view = DEFAULT_VIEW } = options;
  const width = options.width ?? 1000;
  const frame = layoutFrame(
    { ...figure, caption: surfaceCaption(figure), paragraphs: figure.fidelity },
    width,
    options.parts,
  );
  const { padding, inner } = frame;
  const top = padding + frame.headHeight;
  const legend = layoutLegend(surfaceLegendEntries(figure), inner);
  const rest = top + legend.height + 8 + frame.footHeight + padding;
  const natural = width < NARROW ? Math.min(460, inner * 0.95) : Math.min(640, inner * 0.6);
  const least = Math.ceil(rest + LEAST_HEIGHT);
  checkHeight(options.height, least);
  const areaHeight = options.height === undefined ? Math.round(natural) : options.height - rest;
  const height = options.height ?? Math.ceil(rest + areaHeight);
  const labels = Math.max(
    0,
    ...formatLevels(figure.scale.levels).map((label) => textWidth(label, TICK_SIZE)),
  );
  const barRoom = Math.ceil(BAR_WIDTH + 6 + labels + 6);
  const area = { x: padding, y: top, width: inner - barRoom, height: areaHeight };
  const sides = width < NARROW ? 34 : 70;
  // Room for the box turned in any way about the upright axis, so that turning does not change its size.
  const radius = Math.hypot(box.width, box.depth) / 2;
  const [, half] = extentOf(box, { ...view, azimuth: 45 });
  const scale = Math.max(
    0.3,
    Math.min((area.width / 2 - sides) / radius, (area.height - ABOVE - BELOW) / 2 / half),
  );
  const center = [area.x + area.width / 2, area.y + ABOVE + (area.height - ABOVE - BELOW) / 2] as const;
  const barTop = area.y + 14;
  const lossTitle = `${figure.lossName}${figure.scale.kind === "log" ? " (log scale)" : ""}`;
  return {
    width,
    height,
    area,
    canvas: { ...area, height: area.height - BELOW + ABOVE },
    projection: createProjection(view, scale, center),
    names: {
      x: axisTitle(figure.axes[0], area.width * 0.3),
      y: axisTitle(figure.axes[1], area.width * 0.3),
      z: truncateText(lossTitle, 13, area.width * 0.6),
    },
    colorBar: { x: area.x + area.width, y: barTop, width: BAR_WIDTH, height: Math.max(60, area.height - 60) },
    legend: legend.rows.map((row) => ({ ...row, x: padding, y: area.y + area.height + 8 + row.y })),
    texts: frame.place(height),
  };
}

import type { EChartsOption } from "echarts";
import { decodeNumber } from "../../base/json.js";
import type { MapsFigure } from "../make/create-maps-figure.js";
import type { Rect } from "./figure-frame.js";
import { layoutMaps, type PlacedMap } from "./maps-layout.js";
import { endMark, pointMark, type Shape } from "./marks.js";
import { axis, grid, shapesSeries, textShape } from "./option-parts.js";
import { differenceColors, surfaceColors, type Theme, themeOf } from "./palette.js";
import { FONT_STACK, textWidth } from "./placed-text.js";
import { colorBarShapes, pathShapes, planeToPixel, runColor, surfaceShapes } from "./surface-shapes.js";
import type { TrajectoryLayoutOptions } from "./trajectory-layout.js";
import type { TrajectoryOptionOptions } from "./trajectory-option.js";

/** Returns the size in px that a picture of these maps takes. */
export function mapsSize(
  figure: MapsFigure,
  options: TrajectoryLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutMaps(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws maps side by side.
 *
 * A pure function of its arguments; everything is placed in px for the given size.
 */
export function mapsOption(figure: MapsFigure, options: TrajectoryOptionOptions = {}): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const { maps, texts } = layoutMaps(figure, options);
  const edges = (values: readonly number[]) => ({
    min: values[0] as number,
    max: values[values.length - 1] as number,
  });
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: maps.map(({ rect }) => grid(rect)),
    xAxis: maps.map(({ panel, alphaTicks }, i) =>
      axis(i, alphaTicks, edges(panel.surface.alpha), theme, false),
    ),
    yAxis: maps.map(({ panel, betaTicks }, i) => axis(i, betaTicks, edges(panel.surface.beta), theme, false)),
    series: [
      shapesSeries(
        "maps",
        maps.flatMap((map) => mapShapes(figure, map, theme)),
        1,
        false,
      ),
      shapesSeries(
        "furniture",
        texts.map((text) => textShape(text, theme)),
        6,
        false,
      ),
    ],
  } as EChartsOption;
}

function mapShapes(figure: MapsFigure, { panel, rect, bar }: PlacedMap, theme: Theme): Shape[] {
  const count = panel.scale.levels.length + 1;
  const colors = panel.palette === "value" ? surfaceColors(count) : differenceColors(count);
  const frame: Shape = {
    type: "rect",
    shape: { ...rect },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
  return [
    ...surfaceShapes({ ...panel, interpolation: figure.interpolation }, rect, theme, colors),
    frame,
    ...pathOver(figure, { panel, rect }, theme),
    ...(panel.run === undefined
      ? []
      : pathShapes({ surface: panel.surface, paths: [panel.run.path] }, rect, theme, panel.run.color)),
    ...markShapes(figure, { panel, rect }, theme),
    ...colorBarShapes(panel, bar, theme, colors),
  ];
}

/** The path with its snapshots, as far as it lies on the map. */
function pathOver(
  { path }: MapsFigure,
  { panel, rect }: Pick<PlacedMap, "panel" | "rect">,
  theme: Theme,
): Shape[] {
  const toPixel = planeToPixel(panel, rect);
  const points = path
    .map(([alpha, beta]) => toPixel(decodeNumber(alpha), decodeNumber(beta)))
    .filter(([x, y]) => isInside(x, y, rect));
  if (points.length === 0) return [];
  const color = runColor(0, theme);
  const stroke = (width: number, ink: string): Shape => ({
    type: "polyline",
    shape: { points },
    style: { stroke: ink, lineWidth: width, fill: "none", lineJoin: "round" },
    silent: true,
  });
  return [
    stroke(3.6, theme.halo),
    stroke(1.5, color),
    ...points.flatMap(([x, y]) => pointMark(x, y, 2.6, color, theme)),
  ];
}

function markShapes(
  { marks }: MapsFigure,
  { panel, rect }: Pick<PlacedMap, "panel" | "rect">,
  theme: Theme,
): Shape[] {
  const toPixel = planeToPixel(panel, rect);
  const color = runColor(0, theme);
  const taken: Rect[] = [];
  return marks.flatMap(({ alpha, beta, label, isCenter }) => {
    const [x, y] = toPixel(decodeNumber(alpha), decodeNumber(beta));
    if (!isInside(x, y, rect)) return [];
    const mark = isCenter ? endMark(x, y, color, theme) : pointMark(x, y, 4.6, color, theme);
    const place = label === "" ? undefined : freePlace(x, y, textWidth(label, 12, "semibold"), rect, taken);
    if (place === undefined) return mark;
    taken.push(place);
    return [...mark, nameShape(label, place, theme)];
  });
}

function isInside(x: number, y: number, rect: Rect): boolean {
  return x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
}

/** Where a name goes: above or below its mark, to the right or the left, inside the map and off other names. */
function freePlace(x: number, y: number, width: number, map: Rect, taken: readonly Rect[]): Rect | undefined {
  const places = [y - 20, y + 4].flatMap((top) =>
    [x + 10, x - 10 - width, x - width / 2].map((left) => ({ x: left, y: top, width, height: 16 })),
  );
  const isFree = (place: Rect): boolean =>
    isInside(place.x, place.y, map) &&
    isInside(place.x + place.width, place.y + place.height, map) &&
    taken.every(
      (other) =>
        place.x + place.width + 4 < other.x ||
        other.x + other.width + 4 < place.x ||
        place.y + place.height < other.y ||
        other.y + other.height < place.y,
    );
  return places.find(isFree);
}

function nameShape(text: string, { x, y, height }: Rect, theme: Theme): Shape {
  return {
    type: "text",
    x,
    y: y + height / 2,
    style: {
      text,
      fontFamily: FONT_STACK,
      fontSize: 12,
      fontWeight: 600,
      fill: theme.text,
      stroke: theme.halo,
      lineWidth: 3,
      align: "left",
      verticalAlign: "middle",
    },
    silent: true,
  };
}

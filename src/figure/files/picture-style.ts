import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { InvalidOptionError } from "../../base/errors.js";
import { decodeNumber } from "../../base/json.js";
import { type OptionNames, refuseUnknown } from "../../base/option-names.js";
import { type DrawOptions, extentOf } from "../draw/figure-frame.js";
import { formatNumber } from "../draw/format-number.js";
import { COLOR_MAPS, type ColorMapName, mapColorsOf } from "../draw/palette.js";
import { type ContourScale, captionOfScale, scaleOfKind } from "../draw/scales.js";
import { captionWithoutCurves } from "../draw/thinning.js";
import {
  FIGURE_PARTS,
  type Figure,
  type FigureAxis,
  type FigurePart,
  type MapPanel,
  type Panel,
} from "../figure.js";
import { type FontSource, readOwnFont } from "./own-font.js";

/** For what a picture is made. */
export const STYLE_NAMES = ["page", "paper", "talk"] as const;

/** How pictures look: one set of options for commands, callback, reports and style files. */
export interface PictureStyle extends FontSource {
  /**
   * "page" (default): with title, verdict and caption, widths in px. "paper": the figure alone, in inches, its
   * caption in files beside it. "talk": a slide of 13.33 × 7.5 in, with title and large type.
   */
  readonly style?: (typeof STYLE_NAMES)[number] | undefined;
  /** Colours for light (default) or dark surroundings. */
  readonly theme?: "light" | "dark" | undefined;
  /**
   * "one-column" (3.25 in, the default of "paper"), "two-column" (6.75 in), a length such as "82mm", "8.2cm",
   * "3.25in", "234pt" or "800px", or a number: px, in the styles "paper" and "talk" inches.
   */
  readonly width?: number | string | undefined;
  /** A length as for `width`. Default what the content needs; of a talk 7.5 in. */
  readonly height?: number | string | undefined;
  /**
   * "equal": one unit is equally long on both axes; "fill": maps fill their place; a number: width / height of each
   * map. Default for paper and talk "equal" where both axes have one unit and neither is over three times as long,
   * else the figure's own.
   */
  readonly aspect?: "equal" | "fill" | number | undefined;
  /** Pixels per inch of PNG. Default 300 for paper, 144 for a talk, 192 for a page (2 pixels per px). */
  readonly dpi?: number | undefined;
  /** Size of type in points. Default 8 for paper, 18 for a talk, 9 (12 px) for a page. */
  readonly fontSize?: number | undefined;
  /** Colour map of values. Default viridis, lightened so that paths stand out. */
  readonly colormap?: ColorMapName | undefined;
  /** Levels of contours: about how many, or the levels themselves, increasing. Default 12. */
  readonly levels?: number | readonly number[] | undefined;
  /** Values below and above have the colours of the ends. Default the range of the values. */
  readonly vmin?: number | undefined;
  readonly vmax?: number | undefined;
  /** How values become colour and height; "symlog" is logarithmic on both sides of zero. Default by the values. */
  readonly lossScale?: "linear" | "log" | "symlog" | undefined;
  /** Names of the axes of maps and embeddings, and of their values. Default the figure's own. */
  readonly xlabel?: string | undefined;
  readonly ylabel?: string | undefined;
  readonly zlabel?: string | undefined;
  /** Draws surfaces in 3-D as the flat cells of the grid that was evaluated, with nothing between its points. Default false. */
  readonly isFaceted?: boolean | undefined;
  /** Parts that are drawn beside those of the style, and parts that are not. */
  readonly show?: readonly FigurePart[] | undefined;
  readonly hide?: readonly FigurePart[] | undefined;
}

const length = z.union([
  z.number().positive().finite(),
  z.string().regex(/^(one-column|two-column|\d+(\.\d+)?(in|cm|mm|pt|px)?)$/),
]);
const number = z.number().finite();
const file = z.string().min(1);
const parts = z.array(z.enum(FIGURE_PARTS));

/** The schema of every option, with what it takes, for messages and `--help`. */
const OPTIONS = {
  style: [z.enum(STYLE_NAMES), `one of ${STYLE_NAMES.join(", ")}`],
  theme: [z.enum(["light", "dark"]), '"light" or "dark"'],
  width: [length, "a length: one-column, two-column, 3.25in, 82mm, 8.2cm, 234pt, 800px or a number above 0"],
  height: [length, "a length such as 2.5in, 60mm, 600px or a number above 0"],
  aspect: [
    z.union([z.enum(["equal", "fill"]), z.number().min(0.1).max(10)]),
    '"equal", "fill" or width / height between 0.1 and 10',
  ],
  dpi: [z.number().min(36).max(2400), "a number from 36 to 2400"],
  fontSize: [z.number().min(4).max(72), "a size of 4 to 72 points"],
  font: [file, "the path of a TrueType or OpenType font file"],
  fontBold: [file, "the path of a TrueType or OpenType font file"],
  colormap: [z.enum(COLOR_MAPS), `one of ${COLOR_MAPS.join(", ")}`],
  levels: [
    z.union([
      z.number().int().min(2).max(100),
      z.array(number).refine((list) => list.every((value, i) => i === 0 || value > (list[i - 1] as number))),
    ]),
    "a number of levels from 2 to 100, or increasing levels",
  ],
  vmin: [number, "a finite number"],
  vmax: [number, "a finite number"],
  lossScale: [z.enum(["linear", "log", "symlog"]), "one of linear, log, symlog"],
  xlabel: [z.string(), "a text"],
  ylabel: [z.string(), "a text"],
  zlabel: [z.string(), "a text"],
  isFaceted: [z.boolean(), "true or false"],
  show: [parts, `some of ${FIGURE_PARTS.join(", ")}`],
  hide: [parts, `some of ${FIGURE_PARTS.join(", ")}`],
} as const satisfies Record<keyof PictureStyle, readonly [z.ZodType, string]>;

/** Names of the options of a style. */
export const STYLE_OPTION_NAMES = Object.fromEntries(
  Object.keys(OPTIONS).map((name) => [name, true]),
) as OptionNames<PictureStyle>;

/**
 * Checks the options of a style; others in the same object are left to others.
 *
 * @param prefix - what holds them, for messages: "report.". Default nothing.
 * @throws {@link InvalidOptionError} naming the first that cannot be used.
 * @example checkStyle({ style: "paper", width: "two-column" });
 */
export function checkStyle(options: PictureStyle, prefix = ""): void {
  for (const [name, [schema, expected]] of Object.entries(OPTIONS)) {
    const value = options[name as keyof PictureStyle];
    if (value === undefined || schema.safeParse(value).success) continue;
    // JSON has no infinity and no NaN.
    const got = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
    throw new InvalidOptionError(`${prefix}${nameFor(prefix, name)}`, expected, got);
  }
  const { vmin, vmax, lossScale, show = [], hide = [], font, fontBold } = options;
  if (font !== undefined) {
    readOwnFont({ font, fontBold }, (name) => `${prefix}${nameFor(prefix, name)}`);
  } else if (fontBold !== undefined) {
    const where = `${prefix}${nameFor(prefix, "fontBold")}`;
    throw new InvalidOptionError(where, "a file beside that of font", JSON.stringify(fontBold));
  }
  const both = show.find((part) => hide.includes(part));
  if (both !== undefined) {
    throw new InvalidOptionError(`${prefix}show`, "no part that is hidden as well", JSON.stringify(both));
  }
  for (const [name, end] of Object.entries({ vmin, vmax })) {
    if (lossScale !== "log" || end === undefined || end > 0) continue;
    throw new InvalidOptionError(`${prefix}${name}`, "a number above 0 on a logarithmic scale", String(end));
  }
  if (vmin !== undefined && vmax !== undefined && !(vmin < vmax)) {
    throw new InvalidOptionError(`${prefix}vmax`, `a number above vmin, ${vmin}`, String(vmax));
  }
  resolveStyle(options, prefix);
}

/** The name of an option as its reader knows it: `--font-size` of a command, `fontSize` elsewhere. */
function nameFor(prefix: string, name: string): string {
  return prefix === "--" ? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) : name;
}

/**
 * Reads a style from a JSON file.
 *
 * @throws {@link InvalidOptionError} if it cannot be read, is no JSON object, or names an option that does not exist.
 * @example const style = readStyleFile("paper.json"); // { "style": "paper", "colormap": "cividis" }
 */
export function readStyleFile(file: string): PictureStyle {
  let style: unknown;
  try {
    style = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new InvalidOptionError(`style file ${file}`, "a JSON file that can be read", String(cause), {
      cause,
    });
  }
  if (typeof style !== "object" || style === null || Array.isArray(style)) {
    throw new InvalidOptionError(`style file ${file}`, "an object of options", JSON.stringify(style));
  }
  refuseUnknown(style, STYLE_OPTION_NAMES, `style file ${file}`);
  const placed = withPlacedFonts(style, dirname(file));
  checkStyle(placed, `style file ${file}: `);
  return placed;
}

/** Fonts that a style file names lie where it lies: it can be used from every folder. */
function withPlacedFonts(style: PictureStyle, folder: string): PictureStyle {
  const placed = (path: unknown): string | undefined =>
    typeof path === "string" && path !== "" ? resolve(folder, path) : (path as undefined);
  const named = Object.keys(style).filter((name) => name === "font" || name === "fontBold") as (
    | "font"
    | "fontBold"
  )[];
  return { ...style, ...Object.fromEntries(named.map((name) => [name, placed(style[name])])) };
}

/** A style with everything that drawing needs. */
export interface ResolvedStyle {
  /** Size in px of the drawing, where asked for, and its colours. */
  readonly draw: Pick<DrawOptions, "width" | "height" | "theme" | "padding" | "isFaceted">;
  /** Px of the drawing per inch on paper: 12 px are the size of type. */
  readonly pxPerInch: number;
  /** Pixels of PNG per px. */
  readonly scale: number;
  /** Whether captions go into files beside the picture. */
  readonly hasCaptionFiles: boolean;
}

const INCHES: Readonly<Record<string, number>> = {
  in: 1,
  cm: 1 / 2.54,
  mm: 1 / 25.4,
  pt: 1 / 72,
  px: 1 / 96,
};
const COLUMNS: Readonly<Record<string, number>> = { "one-column": 3.25, "two-column": 6.75 };

/** What each style begins with; lengths in inches, type in points. */
const DEFAULTS = {
  page: { fontSize: 9, dpi: 192, width: undefined, height: undefined, padding: undefined, hide: ["labels"] },
  paper: {
    fontSize: 8,
    dpi: 300,
    width: 3.25,
    height: undefined,
    padding: 3,
    hide: ["title", "verdict", "caption", "curves", "values", "minimum"],
  },
  talk: {
    fontSize: 18,
    dpi: 144,
    width: 40 / 3,
    height: 7.5,
    padding: 12,
    hide: ["verdict", "caption", "curves"],
  },
} as const;

/** Least width and height of a picture in px of the drawing. */
const LEAST_LENGTH = 200;
/** Most inches that a number without a unit can mean. */
const MOST_INCHES = 50;

/**
 * Returns sizes, resolution and colours of a style.
 *
 * @throws {@link InvalidOptionError} if a number for a paper or a talk cannot be inches.
 */
export function resolveStyle(options: PictureStyle, prefix = ""): ResolvedStyle {
  const { style = "page", theme } = options;
  const base = DEFAULTS[style];
  const pxPerInch = (72 * 12) / (options.fontSize ?? base.fontSize);
  const inches = (name: "width" | "height"): number | undefined => {
    const given = options[name] ?? base[name];
    if (given === undefined) return undefined;
    const column = COLUMNS[given];
    if (column !== undefined) return column;
    const [, digits, unit] = /^([\d.]+)([a-z]*)$/.exec(String(given)) ?? [];
    const value = Number(digits);
    if (unit !== undefined && unit !== "") return value * (INCHES[unit] as number);
    if (style === "page") return value / 96;
    if (value <= MOST_INCHES) return value;
    const expected = `inches for the style "${style}", or a length with its unit such as ${value}px`;
    throw new InvalidOptionError(`${prefix}${name}`, expected, String(given));
  };
  const px = (name: "width" | "height"): number | undefined => {
    const length = inches(name);
    if (length === undefined) return undefined;
    const px = Math.round(length * pxPerInch * 1000) / 1000;
    if (px >= LEAST_LENGTH) return px;
    const least = style === "page" ? `${LEAST_LENGTH} px` : `${formatNumber(LEAST_LENGTH / pxPerInch, 3)} in`;
    throw new InvalidOptionError(`${prefix}${name}`, `at least ${least}`, String(options[name]));
  };
  // A talk of another width has the height that its content needs.
  const height = options.width !== undefined && options.height === undefined ? undefined : px("height");
  return {
    draw: { width: px("width"), height, theme, padding: base.padding, isFaceted: options.isFaceted },
    pxPerInch,
    scale: (options.dpi ?? base.dpi) / pxPerInch,
    hasCaptionFiles: style !== "page",
  };
}

/** From this width in inches on a paper has room for the curves beside the map. */
const CURVES_INCHES = 6;
/** Longest axis of a map in lengths of the other one that is drawn with equal units unasked. */
const MOST_STRETCHED = 3;

/**
 * Returns a figure in a style: its colours, levels, names of axes and aspect, and which parts are drawn.
 *
 * @example const figure = styleFigure(drawn, { style: "paper", colormap: "cividis", hide: ["legend"] });
 */
export function styleFigure(figure: Figure, options: PictureStyle): Figure {
  const { style = "page", show = [], hide = [], xlabel, ylabel, zlabel } = options;
  const { draw, pxPerInch } = resolveStyle(options);
  const isWide = (draw.width ?? 0) / pxPerInch >= CURVES_INCHES;
  const unasked = DEFAULTS[style].hide.filter((part) => !(style === "paper" && part === "curves" && isWide));
  const hidden = [...new Set([...unasked.filter((part) => !show.includes(part)), ...hide])];
  const panels = figure.panels.map((panel): Panel => {
    if (panel.kind !== "map" && panel.kind !== "scatter") return panel;
    const paths = hidden.includes("path") ? [] : panel.paths;
    const [x, y, ...others] = panel.axes as readonly [FigureAxis, FigureAxis, ...FigureAxis[]];
    const axes = [withLabel(x, xlabel), withLabel(y, ylabel)] as const;
    const bar = hidden.includes("colorbar") ? { hasBar: false } : {};
    if (panel.kind === "map") return { ...styledMap(panel, options), axes, paths, ...bar };
    const known = { ...panel, axes: [...axes, ...others], paths, ...bar };
    if (panel.color === "run" || zlabel === undefined) return known;
    return { ...known, color: { ...panel.color, scale: { ...panel.color.scale, title: zlabel } } };
  });
  const isAlone = figure.layout === "lead" && hidden.includes("curves");
  const caption = isAlone ? captionWithoutCurves(figure.caption) : figure.caption;
  return { ...figure, panels, caption: captionOf({ caption }, panels, options), hidden };
}

/** Returns a styled figure as a picture file shows it: without the texts and panels that are hidden. */
export function withoutHidden(figure: Figure): Figure {
  const { layout, panels, hidden = [] } = figure;
  const isHidden = (part: FigurePart): boolean => hidden.includes(part);
  const [lead] = panels;
  return {
    ...figure,
    ...(isHidden("title") ? { title: "" } : {}),
    ...(isHidden("verdict") ? { verdict: "" } : {}),
    ...(isHidden("caption") ? { fidelity: [], caption: "", provenance: "" } : {}),
    panels: layout === "lead" && isHidden("curves") && lead !== undefined ? [lead] : panels,
  };
}

function withLabel(axis: FigureAxis, label: string | undefined): FigureAxis {
  return label === undefined ? axis : { ...axis, label, title: label, explainedVarianceRatio: null };
}

function styledMap(
  map: MapPanel,
  { style = "page", aspect, colormap, zlabel, ...options }: PictureStyle,
): MapPanel {
  const isEqual = style !== "page" && hasOneUnit(map) && stretchOf(map) <= MOST_STRETCHED;
  const scale = map.palette === "value" ? scaleOf(map, options) : map.scale;
  return {
    ...map,
    aspect: aspect ?? (isEqual ? "equal" : map.aspect),
    // Colours rather than the map's name: pages need no colour maps.
    colors:
      colormap === undefined || scale === null ? map.colors : mapColorsOf(colormap, scale.levels.length + 1),
    quantity: zlabel ?? map.quantity,
    scale,
  };
}

/** Whether both axes of a map have one unit: lengths along unit vectors. */
export function hasOneUnit({ sharesUnit }: MapPanel): boolean {
  return sharesUnit === true;
}

/** Length of the longer axis in lengths of the other one. */
function stretchOf({ alpha, beta }: MapPanel): number {
  const ratio = extentOf(alpha) / extentOf(beta);
  return Math.max(ratio, 1 / ratio);
}

/** The levels that are asked for, inside the range that is asked for; else those of the figure. */
function scaleOf({ values, scale }: MapPanel, options: PictureStyle): ContourScale | null {
  const { levels, vmin, vmax, lossScale } = options;
  if (values === null || scale === null) return scale;
  if (levels === undefined && vmin === undefined && vmax === undefined && lossScale === undefined)
    return scale;
  const kind = lossScale ?? scale.kind;
  const known = values.map(decodeNumber).filter((value) => Number.isFinite(value));
  // No level of a logarithmic scale lies at 0 or below: such an end cuts nothing off.
  const low = kind === "log" && vmin !== undefined && vmin <= 0 ? undefined : vmin;
  const within = known
    .map((value) =>
      Math.min(Math.max(value, low ?? Number.NEGATIVE_INFINITY), vmax ?? Number.POSITIVE_INFINITY),
    )
    .concat(low ?? [], vmax ?? []);
  const made = scaleOfKind([within], kind, typeof levels === "number" ? levels : undefined);
  if (typeof levels !== "object") return withEnds(made, vmin, vmax);
  const isUsable = (level: number): boolean => kind !== "log" || level > 0;
  if (levels.every(isUsable)) return { ...made, levels };
  throw new InvalidOptionError("levels", "levels above 0 on a logarithmic scale", levels.join(", "));
}

/** The ends of a range are levels themselves, so that a colour begins there. */
function withEnds(scale: ContourScale, vmin: number | undefined, vmax: number | undefined): ContourScale {
  const ends = [vmin, vmax].filter(
    (end) => end !== undefined && (scale.kind !== "log" || end > 0),
  ) as number[];
  return { ...scale, levels: [...new Set([...scale.levels, ...ends])].sort((a, b) => a - b) };
}

/** The caption with the words of the levels that are drawn, and with what the range cuts off. */
function captionOf(
  { caption }: Pick<Figure, "caption">,
  panels: readonly Panel[],
  { vmin, vmax, lossScale }: PictureStyle,
): string {
  const map = panels.find((panel) => panel.kind === "map");
  const worded = lossScale === undefined ? caption : captionOfScale(caption, lossScale);
  const ends = [
    vmin === undefined ? "" : `below ${formatNumber(vmin)}`,
    vmax === undefined ? "" : `above ${formatNumber(vmax)}`,
  ].filter(Boolean);
  if (map === undefined || ends.length === 0) return worded;
  return `${worded} Values ${ends.join(" and ")} have the colour of that end.`;
}

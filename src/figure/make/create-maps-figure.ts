import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { encodeNumber, type JsonNumber } from "../../base/json.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import { type SetSurface, surfaceDifference } from "../../surface/lines/evaluate-sets.js";
import type { Surface } from "../../surface/surface.js";
import type { Interpolation } from "../draw/contours.js";
import { niceTicks } from "../draw/figure-frame.js";
import { formatNumber } from "../draw/format-number.js";
import type { FigureAxis, FigurePath, FigureSurface } from "../figure.js";
import { type AccuracyForm, batchNormSentence, finiteRange, isAccuracy, quantityOf } from "./chart-parts.js";
import { type ContourScale, createContourScale } from "./contour-scale.js";
import { approximationSentences, evaluationLine, partialSentence } from "./figure-caption.js";

/** A place on a map that has a name: a model. */
export interface MapMark {
  readonly alpha: JsonNumber;
  readonly beta: JsonNumber;
  readonly label: string;
  /** The centre θ* is a star, others are dots. */
  readonly isCenter: boolean;
}

/** One map of a slice. */
export interface MapPanel {
  readonly title: string;
  /** What the colours show. */
  readonly quantity: string;
  readonly surface: FigureSurface;
  readonly scale: ContourScale;
  /** "value": from low to high; "difference": below and above zero. */
  readonly palette: "value" | "difference";
  /** Axes of this map alone; absent where they are those of the figure. */
  readonly axes?: readonly [FigureAxis, FigureAxis];
  /** The path of a run on this map alone. */
  readonly run?: MapRun;
}

/** A run's path on its own map. */
export interface MapRun {
  /** Place in the palette of runs. */
  readonly color: number;
  readonly path: FigurePath;
}

/**
 * Two-dimensional slices side by side, as plain JSON data: the loss on the training set, on a held-out set, and
 * their difference on one grid; or the planes of several runs.
 *
 * Non-finite numbers are spelled out. Every text is cleaned of control characters, but not escaped.
 */
export interface MapsFigure {
  readonly kind: "maps";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  readonly axes: readonly [string, string];
  readonly maps: readonly MapPanel[];
  readonly marks: readonly MapMark[];
  /** A path drawn over every map; may be empty. */
  readonly path: readonly (readonly [alpha: JsonNumber, beta: JsonNumber])[];
  readonly interpolation: Interpolation;
  /** "equal": one unit is equally long on both axes and on every map. Default "fill": maps fill their places. */
  readonly aspect?: "equal" | "fill";
  readonly caption: string;
  readonly provenance: string;
  readonly notes: readonly string[];
  readonly description: string;
}

/** What {@link createMapsFigure} makes a figure of. */
export interface MapsFigureInput {
  readonly title: string;
  /** Surfaces on identical grids, one for each evaluation set; the training set first. */
  readonly surfaces: readonly SetSurface[];
  /** Names of the axes; those of `Directions` fit. */
  readonly labels: readonly string[];
  /** "loss" (default) or the name of a metric. */
  readonly quantity?: string;
  /** Whether an accuracy, in percent, is shown as such or as the error. Default "accuracy". */
  readonly accuracyAs?: AccuracyForm;
  /** Adds a map of the second set minus the first. Default where there are two or more sets. */
  readonly difference?: boolean;
  /** Places with names; default the centre alone. */
  readonly marks?: readonly { readonly alpha: number; readonly beta: number; readonly label: string }[];
  /** Coordinates of a path (N, 2) drawn over every map. Default none. */
  readonly path?: Float64Array;
  readonly interpolation?: Interpolation;
  /** What was done with batch norm's moving statistics, for the caption. */
  readonly batchNorm?: string;
  /** Sentences put before the caption that is made. */
  readonly caption?: string;
  readonly dataName?: string;
  /** Warnings of what the surfaces were made from, such as directions. */
  readonly warnings?: readonly { readonly message: string }[];
}

/**
 * Returns a figure of two-dimensional slices with common levels, and of the difference between two sets.
 *
 * @throws {@link InvalidDataError} for no surface or a line; {@link InvalidOptionError} for grids that differ, a
 * metric that a surface lacks, or a missing label.
 */
export function createMapsFigure(input: MapsFigureInput): MapsFigure {
  const { labels, quantity = "loss", accuracyAs = "accuracy", interpolation = "cubic" } = input;
  const surfaces = input.surfaces.map(({ set, surface }) => ({ set, surface: fillPartial(surface) }));
  const [first] = surfaces;
  if (first === undefined) throw new InvalidDataError("surfaces", "at least one surface", "none");
  const { alpha, beta } = first.surface;
  if (alpha.length < 2 || beta.length < 2) {
    const got = `${alpha.length} × ${beta.length}`;
    throw new InvalidDataError("surfaces", "a grid of at least 2 × 2 points", got);
  }
  if (labels.length < 2) throw new InvalidOptionError("labels", "two labels", String(labels.length));
  const { title: shownAs, of } = quantityOf(quantity, accuracyAs);
  const isShare = isAccuracy(quantity);
  const name = isShare ? `${shownAs} (%)` : shownAs;
  const values = surfaces.map(({ surface }) =>
    valuesOf(surface, quantity).map((value) => (isShare ? 100 * of(value) : of(value))),
  );
  // Surfaces on other grids are refused here, whether the difference is drawn or not.
  for (const { surface } of surfaces.slice(1)) surfaceDifference(first.surface, surface);
  const scale = createContourScale(values, { kind: isShare ? "linear" : "auto" });
  const maps = surfaces.map(({ set, surface }, i) =>
    mapOf(surfaces.length === 1 ? "" : set, name, surface, values[i] as Float64Array, scale),
  );
  const isDifference = input.difference ?? surfaces.length > 1;
  if (isDifference) maps.push(differenceMap(surfaces, values, name));
  const marks = input.marks ?? [{ alpha: 0, beta: 0, label: "" }];
  const title = cleanText(input.title);
  return {
    kind: "maps",
    version: 1,
    title,
    axes: [cleanText(labels[0] as string), cleanText(labels[1] as string)],
    maps,
    marks: marks.map((mark) => ({
      alpha: encodeNumber(mark.alpha),
      beta: encodeNumber(mark.beta),
      label: cleanText(mark.label),
      isCenter: mark.alpha === 0 && mark.beta === 0,
    })),
    path: Array.from({ length: (input.path?.length ?? 0) / 2 }, (_, i) => [
      encodeNumber(input.path?.[2 * i] as number),
      encodeNumber(input.path?.[2 * i + 1] as number),
    ]),
    interpolation,
    caption: captionOf(input, maps, scale, isDifference),
    provenance: evaluationLine(surfaces as [SetSurface, ...SetSurface[]], input.dataName),
    notes: [
      ...new Set(
        [...(input.warnings ?? []), ...surfaces.flatMap(({ surface }) => surface.warnings)].map(noteOf),
      ),
    ],
    description: `${title}. ${maps.length === 1 ? "A contour map" : `${maps.length} contour maps`} of the ${name} over ${cleanText(labels[0] as string)} and ${cleanText(labels[1] as string)}.`,
  };
}

function noteOf({ message }: { readonly message: string }): string {
  return cleanText(message);
}

function valuesOf(surface: Surface, quantity: string): Float64Array {
  const values = quantity === "loss" ? surface.loss : surface.metrics[quantity];
  if (values !== undefined) return values;
  const names = ["loss", ...Object.keys(surface.metrics)].join(", ");
  throw new InvalidOptionError("quantity", `one of ${names}`, JSON.stringify(quantity));
}

function mapOf(
  title: string,
  quantity: string,
  { alpha, beta }: Pick<Surface, "alpha" | "beta">,
  values: Float64Array,
  scale: ContourScale,
  palette: MapPanel["palette"] = "value",
): MapPanel {
  return {
    title: cleanText(title),
    quantity,
    surface: {
      alpha: Array.from(alpha),
      beta: Array.from(beta),
      loss: Array.from(values, encodeNumber),
      nonFinite: values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0),
    },
    scale,
    palette,
  };
}

/** The second set minus the first, with levels symmetric about zero. */
function differenceMap(
  surfaces: readonly SetSurface[],
  values: readonly Float64Array[],
  quantity: string,
): MapPanel {
  const [a, b] = surfaces;
  if (a === undefined || b === undefined) {
    throw new InvalidOptionError("difference", "two evaluation sets", String(surfaces.length));
  }
  const [low, high] = [values[0] as Float64Array, values[1] as Float64Array];
  const gap = low.map((value, i) => {
    const other = high[i] as number;
    return Number.isFinite(value) && Number.isFinite(other) ? other - value : Number.NaN;
  });
  const range = finiteRange(gap);
  const most = range === null ? 0 : Math.max(Math.abs(range[0]), Math.abs(range[1]));
  const levels = most === 0 ? [] : niceTicks(-most, most, 10).filter((level) => Math.abs(level) < most);
  const title = `${b.set} − ${a.set}`;
  return mapOf(title, quantity, a.surface, gap, { kind: "linear", levels }, "difference");
}

function captionOf(
  input: MapsFigureInput,
  maps: readonly MapPanel[],
  scale: ContourScale,
  isDifference: boolean,
): string {
  const [map] = maps as [MapPanel];
  const range = finiteRange(
    maps.filter(({ palette }) => palette === "value").flatMap(({ surface }) => surface.loss.map(Number)),
  );
  const gaps = maps.filter(({ surface, palette }) => palette === "value" && surface.nonFinite > 0);
  return [
    cleanText(input.caption ?? ""),
    ...input.surfaces.flatMap(({ set, surface }) => partialSentence(surface, maps.length > 1 ? set : "")),
    `${map.quantity.slice(0, 1).toUpperCase()}${map.quantity.slice(1)} at ${map.surface.alpha.length} × ${map.surface.beta.length} points, ${scale.kind === "log" ? "logarithmic" : "linear"} levels${maps.length > 1 ? " common to all sets" : ""}, ${input.interpolation ?? "cubic"} interpolation.`,
    range === null ? "" : `Values from ${formatNumber(range[0])} to ${formatNumber(range[1])}.`,
    ...input.surfaces.flatMap(({ set, surface }) => {
      const sentences = approximationSentences(surface, input.quantity);
      return sentences.map((text) => (input.surfaces.length > 1 ? `${cleanText(set)}: ${text}` : text));
    }),
    batchNormSentence(input.batchNorm ?? ""),
    input.surfaces.some(({ surface }) => surface.warnings.some(({ code }) => code === "negative-variance"))
      ? "Where an interpolated moving variance is negative there is no loss."
      : "",
    isDifference ? "The difference has levels of its own, symmetric about zero." : "",
    gaps.length === 0
      ? ""
      : `Not finite at ${gaps.map(({ title, surface }) => `${surface.nonFinite} ${surface.nonFinite === 1 ? "point" : "points"}${title === "" ? "" : ` (${title})`}`).join(", ")}: cells that touch them are hatched.`,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

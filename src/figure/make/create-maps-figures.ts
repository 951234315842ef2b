import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import { type SetSurface, surfaceDifference } from "../../surface/lines/evaluate-sets.js";
import type { Surface } from "../../surface/surface.js";
import { type ContourScale, createContourScale, finiteRange, niceTicks } from "../draw/contour-scale.js";
import { formatNumber } from "../draw/format-number.js";
import type { Figure, FigureAxis, Interpolation, MapMark, MapPanel } from "../figure.js";
import { type AccuracyForm, batchNormSentence, isAccuracy, quantityOf } from "./chart-parts.js";
import { checkSurface, createAxis, type FigureAxesInput, gridOf } from "./create-trajectory-figure.js";
import {
  approximationSentences,
  evaluationLine,
  missingPointSentences,
  partialSentence,
} from "./figure-caption.js";
import { checkPath, createPath, createRunData, type FigurePathInput, progressOf } from "./run-data.js";

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
  /** The path of a run, drawn over every map. Default none. */
  readonly path?: FigurePathInput | undefined;
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
 * @example const figure = createMapsFigure({ title: "A random plane", surfaces: [{ set: "train", surface }], labels: ["d1", "d2"] });
 */
export function createMapsFigure(input: MapsFigureInput): Figure {
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
  if (input.path !== undefined) checkPath(input.path);
  const runs = input.path === undefined ? [] : [createRunData(input.path, 0)];
  const marks = (input.marks ?? [{ alpha: 0, beta: 0, label: "" }]).map(
    (mark): MapMark => ({
      alpha: encodeNumber(mark.alpha),
      beta: encodeNumber(mark.beta),
      label: cleanText(mark.label),
      isCenter: mark.alpha === 0 && mark.beta === 0,
    }),
  );
  const common = {
    kind: "map",
    axes: [plainAxis(labels[0] as string), plainAxis(labels[1] as string)],
    aspect: "fill",
    interpolation,
    quantity: name,
    paths: input.path === undefined ? [] : [createPath(0, input.path.trajectory)],
    marks,
  } as const;
  const maps = surfaces.map(
    ({ set, surface }, i): MapPanel => ({
      ...common,
      title: surfaces.length === 1 ? "" : cleanText(set),
      ...gridOf(surface, values[i] as Float64Array),
      scale,
      palette: "value",
    }),
  );
  const isDifference = input.difference ?? surfaces.length > 1;
  if (isDifference) maps.push({ ...common, ...differenceMap(surfaces, values) });
  const title = cleanText(input.title);
  return {
    version: 2,
    title,
    progress: progressOf(runs),
    runs,
    panels: maps,
    // Four maps stand two by two: three in a row would leave the fourth alone.
    layout: { columns: maps.length === 4 ? 2 : Math.min(maps.length, 3) },
    fidelity: [],
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

/** An axis of which nothing but its name is known. */
function plainAxis(label: string): FigureAxis {
  const clean = cleanText(label);
  return { label: clean, title: clean, explainedVarianceRatio: null, randomWalkBaseline: null };
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

/** The second set minus the first, with levels symmetric about zero. */
function differenceMap(
  surfaces: readonly SetSurface[],
  values: readonly Float64Array[],
): Pick<MapPanel, "title" | "alpha" | "beta" | "values" | "scale" | "palette"> {
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
  return {
    title: cleanText(`${b.set} − ${a.set}`),
    ...gridOf(a.surface, gap),
    scale: { kind: "linear", levels },
    palette: "difference",
  };
}

function captionOf(
  input: MapsFigureInput,
  maps: readonly MapPanel[],
  scale: ContourScale,
  isDifference: boolean,
): string {
  const [map] = maps as [MapPanel];
  const range = finiteRange(
    maps.filter(({ palette }) => palette === "value").flatMap(({ values }) => (values ?? []).map(Number)),
  );
  const gaps = maps.filter((panel) => panel.palette === "value" && nonFinite(panel) > 0);
  return [
    cleanText(input.caption ?? ""),
    ...input.surfaces.flatMap(({ set, surface }) => partialSentence(surface, maps.length > 1 ? set : "")),
    `${map.quantity.slice(0, 1).toUpperCase()}${map.quantity.slice(1)} at ${map.alpha.length} × ${map.beta.length} points, ${scale.kind === "log" ? "logarithmic" : "linear"} levels${maps.length > 1 ? " common to all sets" : ""}, ${input.interpolation ?? "cubic"} interpolation.`,
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
      : `Not finite at ${gaps.map((panel) => `${nonFinite(panel)} ${nonFinite(panel) === 1 ? "point" : "points"}${panel.title === "" ? "" : ` (${panel.title})`}`).join(", ")}: cells that touch them are hatched.`,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

/** Number of values of a map that are not finite. */
export function nonFinite({ values }: Pick<MapPanel, "values">): number {
  return (values ?? []).reduce((count: number, value) => count + (typeof value === "number" ? 0 : 1), 0);
}

/** One run on a plane of its own. */
export interface PlaneInput extends FigurePathInput {
  readonly surface: Surface;
  readonly axes: FigureAxesInput;
}

/** What {@link createPlanesFigure} makes a figure of. */
export interface PlanesFigureInput {
  readonly planes: readonly PlaneInput[];
  /** Heading. Default "Each run on its own plane". */
  readonly title?: string;
  /** Sentences put before the caption that is made. */
  readonly caption?: string;
  /** What the surfaces show. Default "loss". */
  readonly lossName?: string;
  readonly dataName?: string;
  readonly interpolation?: Interpolation;
}

/**
 * Returns runs side by side, each on its own plane: common contour levels, and the same units per length on all
 * axes, so that what looks larger or steeper is.
 *
 * @throws {@link InvalidDataError} if there is no plane, or one does not fit together.
 * @example
 * const plane = { name: "SGD", surface, axes: directions, snapshots: run.snapshots, trajectory };
 * const figure = createPlanesFigure({ title: "Each on its plane", planes: [plane] });
 */
export function createPlanesFigure(input: PlanesFigureInput): Figure {
  const { planes, title = "Each run on its own plane", interpolation = "cubic" } = input;
  const [first] = planes;
  if (first === undefined) throw new InvalidDataError("planes", "at least one plane", "none");
  const lossName = cleanText(input.lossName ?? "loss");
  for (const { surface } of planes) checkSurface(surface);
  const scale = createContourScale(planes.map(({ surface }) => surface.loss));
  for (const plane of planes) checkPath(plane);
  const runs = planes.map(createRunData);
  const maps = planes.map(
    (plane, run): MapPanel => ({
      kind: "map",
      title: cleanText(plane.name),
      axes: [createAxis(plane.axes, 0), createAxis(plane.axes, 1)],
      aspect: "equal",
      ...gridOf(plane.surface, plane.surface.loss),
      quantity: lossName,
      scale,
      palette: "value",
      interpolation,
      paths: [createPath(run, plane.trajectory)],
      marks: [],
    }),
  );
  const heading = cleanText(title);
  return {
    version: 2,
    title: heading,
    progress: progressOf(runs),
    runs,
    panels: maps,
    layout: { columns: maps.length === 4 ? 2 : Math.min(maps.length, 3) },
    fidelity: [],
    caption: planesCaption(input, maps),
    provenance: evaluationLine([{ surface: first.surface }], input.dataName),
    notes: condenseWarnings(
      planes.flatMap(({ surface, trajectory }) => [...surface.warnings, ...trajectory.warnings]),
    ).map(({ message }) => cleanText(message)),
    description: `${heading}. ${maps.length} contour maps of the ${lossName}: ${maps.map(describeMap).join(" ")}`,
  };
}

function describeMap({ title, axes, paths }: MapPanel): string {
  const points = paths[0]?.at.length ?? 0;
  return `${title}: ${points} snapshots over ${axes.map((axis) => axis.title).join(" and ")}.`;
}

function planesCaption(
  { planes, caption, interpolation }: PlanesFigureInput,
  maps: readonly MapPanel[],
): string {
  const range = finiteRange(maps.flatMap(({ values }) => (values ?? []).map(Number)));
  const isLog = maps[0]?.scale?.kind === "log";
  const drops = planes.some((plane, run) => createRunData(plane, run).drops.length > 0);
  const gaps = maps.filter((panel) => nonFinite(panel) > 0);
  const missing = planes.flatMap((plane) =>
    missingPointSentences([plane], plane.surface).map((sentence) => `${cleanText(plane.name)}: ${sentence}`),
  );
  return [
    cleanText(caption ?? ""),
    `Each map is the plane of one run's own principal components, through its final weights. Levels are common to all maps${isLog ? " (logarithmic)" : ""}, and a unit is equally long on every axis of every map.`,
    `Ring: start; star: end; dots: snapshots${drops ? "; red: learning rate lowered" : ""}.`,
    range === null ? "" : `Values from ${formatNumber(range[0])} to ${formatNumber(range[1])}.`,
    `${maps.map(({ alpha, beta }) => `${alpha.length} × ${beta.length}`)[0]} evaluated points a map, ${interpolation ?? "cubic"} interpolation.`,
    gaps.length === 0
      ? ""
      : `Not finite at ${gaps.map((panel) => `${nonFinite(panel)} points (${panel.title})`).join(", ")}: cells that touch them are hatched.`,
    ...missing,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

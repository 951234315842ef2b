import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import { condenseWarnings, namedWarnings } from "../../base/warning.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import { type SetSurface, surfaceDifference } from "../../surface/lines/evaluate-sets.js";
import type { Surface } from "../../surface/surface.js";
import { extentOf } from "../draw/figure-frame.js";
import { capitalized, counted, formatNumber } from "../draw/format-number.js";
import { createContourScale, finiteRange, niceTicks, SCALE_WORDS } from "../draw/scales.js";
import type { Figure, FigureAxis, Interpolation, MapMark, MapPanel } from "../figure.js";
import { type AccuracyForm, isAccuracy, quantityOf } from "./chart-parts.js";
import { checkSurface, createAxis, type FigureAxesInput, gridOf } from "./create-trajectory-figure.js";
import {
  approximationSentences,
  batchNormSentences,
  evaluationLine,
  missingPointSentences,
  partialSentence,
} from "./figure-caption.js";
import { checkPath, createPath, createRunData, type FigurePathInput, figureOf } from "./run-data.js";
import { verdictOf } from "./verdict.js";

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
  const { labels, quantity = "loss", accuracyAs = "accuracy", interpolation = "cubic", path } = input;
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
  if (path !== undefined) checkPath(path);
  const axes = [plainAxis(labels[0] as string), plainAxis(labels[1] as string)] as const;
  const common = {
    kind: "map",
    axes,
    aspect: "fill",
    interpolation,
    quantity: name,
    paths: path === undefined ? [] : [createPath(0, path.trajectory)],
    marks: (input.marks ?? [{ alpha: 0, beta: 0, label: "" }]).map(markOf),
  } as const;
  const scale = createContourScale(values, { kind: isShare ? "linear" : "auto" });
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
  const panels = isDifference ? [...maps, { ...common, ...differenceMap(surfaces, values) }] : maps;
  const warnings = surfaces.flatMap(({ surface }) => surface.warnings);
  const each = surfaces.length > 1;
  return figureOf({
    title: input.title,
    runs: path === undefined ? [] : [createRunData(path, 0)],
    panels,
    layout: layoutOf(panels),
    caption: [
      input.caption ?? "",
      ...input.surfaces.map(({ set, surface }) =>
        partialSentence([surface], `Partial surface${panels.length > 1 ? ` (${set})` : ""}`),
      ),
      `${capitalized(name)} at ${alpha.length} × ${beta.length} points, ${SCALE_WORDS[scale.kind]} levels${panels.length > 1 ? " common to all sets" : ""}, ${interpolation} interpolation.`,
      rangeSentence(maps),
      ...input.surfaces.flatMap(({ set, surface }) =>
        approximationSentences(surface, quantity).map((text) => (each ? `${set}: ${text}` : text)),
      ),
      ...batchNormSentences(input.batchNorm ?? "", warnings),
      isDifference ? "The difference has levels of its own, symmetric about zero." : "",
      hatchedSentence(maps),
    ],
    provenance: evaluationLine(surfaces as [SetSurface, ...SetSurface[]], input.dataName),
    notes: [...(input.warnings ?? []), ...warnings].map(({ message }) => message),
    description: `${panels.length === 1 ? "A contour map" : `${panels.length} contour maps`} of the ${name} over ${axes[0].label} and ${axes[1].label}.`,
  });
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
  const stretch = commonStretch(planes.map(({ surface }) => surface));
  const maps = planes.map(
    (plane, run): MapPanel => ({
      kind: "map",
      title: cleanText(plane.name),
      axes: [createAxis(plane.axes, 0), createAxis(plane.axes, 1)],
      aspect: stretch === 1 ? "equal" : MOST_FLAT,
      // Levels are common: one bar is enough.
      hasBar: run === planes.length - 1,
      ...gridOf(plane.surface, plane.surface.loss),
      quantity: lossName,
      scale,
      palette: "value",
      interpolation,
      paths: [createPath(run, plane.trajectory)],
      marks: [],
    }),
  );
  const { alpha, beta } = first.surface;
  const hasDrops = runs.some(({ drops }) => drops.length > 0);
  return figureOf({
    title,
    runs,
    panels: maps,
    layout: layoutOf(maps),
    verdict: verdictOf(
      runs,
      maps.flatMap(({ paths }) => paths),
      scale.kind,
    ).replace("the plane is", "its own plane is"),
    caption: [
      input.caption ?? "",
      `Each map is the plane of one run's own principal components, through its final weights. Levels are common to all maps${scale.kind === "log" ? " (logarithmic)" : ""}, and ${stretch === 1 ? "a unit is equally long on every axis of every map" : `a unit is ${formatNumber(stretch, 3)} times as long on the vertical axis as on the horizontal one, alike on all maps`}.`,
      `Ring: start; star: end; dots: snapshots${hasDrops ? "; red: learning rate lowered" : ""}.`,
      rangeSentence(maps),
      `${alpha.length} × ${beta.length} evaluated points per map, ${interpolation} interpolation.`,
      hatchedSentence(maps),
      ...planes.flatMap((plane) =>
        missingPointSentences([plane], plane.surface).map((sentence) => `${plane.name}: ${sentence}`),
      ),
    ],
    provenance: evaluationLine([{ surface: first.surface }], input.dataName),
    notes: condenseWarnings(
      planes.flatMap(({ name, surface, trajectory }) =>
        namedWarnings(name, [...surface.warnings, ...trajectory.warnings]),
      ),
    ).map(({ message }) => message),
    description: `${maps.length} contour maps of the ${lossName}: ${maps.map(describeMap).join(" ")}`,
  });
}

/** Width over height of the flattest map: of flatter windows the vertical axis is stretched. */
const MOST_FLAT = 2;

/** How much longer units are drawn on the vertical axes, so that maps of one flat window can be read; 1 for not. */
function commonStretch(surfaces: readonly Surface[]): number {
  const sizes = surfaces.map(
    ({ alpha, beta }) => [extentOf(Array.from(alpha)), extentOf(Array.from(beta))] as const,
  );
  const [[width, height] = [1, 1]] = sizes;
  const isAlike = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.abs(a);
  const isCommon = sizes.every(([w, h]) => isAlike(w, width) && isAlike(h, height));
  return isCommon && width / height > MOST_FLAT ? width / height / MOST_FLAT : 1;
}

/** Four maps stand two by two: three in a row would leave the fourth alone. */
function layoutOf({ length }: readonly MapPanel[]): Figure["layout"] {
  return { columns: length === 4 ? 2 : Math.min(length, 3) };
}

/** An axis with a name only. */
function plainAxis(label: string): FigureAxis {
  const clean = cleanText(label);
  return { label: clean, title: clean, explainedVarianceRatio: null, randomWalkBaseline: null };
}

function markOf({ alpha, beta, label }: NonNullable<MapsFigureInput["marks"]>[number]): MapMark {
  return {
    alpha: encodeNumber(alpha),
    beta: encodeNumber(beta),
    label: cleanText(label),
    isCenter: alpha === 0 && beta === 0,
  };
}

function valuesOf(surface: Surface, quantity: string): Float64Array {
  const values = quantity === "loss" ? surface.loss : surface.metrics[quantity];
  if (values !== undefined) return values;
  const names = ["loss", ...Object.keys(surface.metrics)].join(", ");
  throw new InvalidOptionError("quantity", `one of ${names}`, JSON.stringify(quantity));
}

/** The second set minus the first, with levels symmetric about zero. */
function differenceMap(surfaces: readonly SetSurface[], values: readonly Float64Array[]) {
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
  } as const;
}

function describeMap({ title, axes, paths }: MapPanel): string {
  const points = paths[0]?.at.length ?? 0;
  return `${title}: ${points} snapshots over ${axes.map((axis) => axis.title).join(" and ")}.`;
}

function rangeSentence(maps: readonly MapPanel[]): string {
  const range = finiteRange(maps.flatMap(({ values }) => (values ?? []).map(Number)));
  return range === null ? "" : `Values from ${formatNumber(range[0])} to ${formatNumber(range[1])}.`;
}

/** How many points of each map have no finite value; empty if all have one. */
function hatchedSentence(maps: readonly MapPanel[]): string {
  const gaps = maps.flatMap(({ title, values }) => {
    const count = (values ?? []).filter((value) => typeof value !== "number").length;
    return count === 0 ? [] : [`${counted(count, "point")}${title === "" ? "" : ` (${title})`}`];
  });
  return gaps.length === 0 ? "" : `Not finite at ${gaps.join(", ")}: cells that touch them are hatched.`;
}

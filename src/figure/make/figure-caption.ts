import { cleanText } from "../../base/clean-text.js";
import { decodeNumber } from "../../base/json.js";
import { boundOfMost, rangeOf } from "../../surface/approximate/estimate.js";
import type { Surface } from "../../surface/surface.js";
import { counted, formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import { type ContourScale, finiteRange, SCALE_WORDS } from "../draw/scales.js";
import {
  AS_TRAINED_LOSS,
  type FigureAxis,
  type Interpolation,
  type Progress,
  RECALIBRATED_LOSS,
  TRUE_LOSS,
} from "../figure.js";
import type { FigurePathInput } from "./run-data.js";

/**
 * Returns the error bound of an approximate surface and its cost, in sentences.
 *
 * @param quantity - "loss" or the name of a metric.
 * @returns nothing for an exact surface.
 */
export function approximationSentences(
  { loss, metrics, approximation }: Surface,
  quantity = "loss",
): string[] {
  if (approximation === undefined) return [];
  const { sampleEvaluations, exactSampleEvaluations, method, metricErrors } = approximation;
  const isLoss = quantity === "loss";
  const values = isLoss ? loss : metrics[quantity];
  const errors = isLoss ? approximation.error : metricErrors[quantity];
  const known = errors.filter(Number.isFinite);
  const unknown = errors.length - known.length;
  const bound = boundOfMost(known);
  const range = rangeOf(values);
  const share = range > 0 ? ` (${formatPercent(bound / range)} of its range)` : "";
  const exact = method.filter((how) => how === 2).length;
  const others = unknown > 0 ? "the other points" : "points";
  return [
    known.length === 0
      ? "Approximate; the error is unknown at every point."
      : `Approximate, error of the ${quantity} at most ${formatNumber(roundedUp(bound), 2)}${share} on 95 % of ${others}, from ${formatPercent(sampleEvaluations / exactSampleEvaluations)} of the sample evaluations; ${formatCount(exact)} points are exact.`,
    ...(unknown > 0 && known.length > 0
      ? [`The error is unknown at ${counted(unknown, "point")} next to gaps.`]
      : []),
  ];
}

/** A bound with two significant digits, never less than it is. */
function roundedUp(bound: number): number {
  if (!(bound > 0) || !Number.isFinite(bound)) return bound;
  const unit = 10 ** (Math.floor(Math.log10(bound)) - 1);
  return Math.ceil(bound / unit) * unit;
}

/** Returns how many points have a value where an evaluation was stopped early; empty where none was. */
export function partialSentence(
  surfaces: readonly Surface[],
  what = "Partial surface",
  points = "grid points",
): string {
  const budget = surfaces.map(({ partial }) => partial?.budget).find((one) => one !== undefined);
  if (budget === undefined) return "";
  const evaluated = surfaces.flatMap(({ loss, partial }) =>
    Array.from(partial?.evaluated ?? loss.map(() => 1)),
  );
  const known = evaluated.reduce((sum, one) => sum + one, 0);
  return (
    `${cleanText(what)}: ${formatCount(known)} of ${formatCount(evaluated.length)} ${points} are evaluated ` +
    `(stopped after ${cleanText(budget)}); the others are interpolated between them.`
  );
}

const BATCH_NORM: Readonly<Record<string, string>> = {
  keep: "Moving statistics of batch norm, if any, are those of the centre.",
  interpolate: "Moving statistics of batch norm, if any, are interpolated with the weights.",
  recalibrate: "Moving statistics of batch norm are recomputed at each point.",
};

/** What was done with batch norm's moving statistics, and points that have no loss because of it, in sentences. */
export function batchNormSentences(policy: string, warnings: Surface["warnings"]): string[] {
  const hasGaps = warnings.some(({ code }) => code === "negative-variance");
  return [
    BATCH_NORM[policy] ?? "",
    hasGaps ? "Points with a negative interpolated variance have no loss." : "",
  ];
}

/** What a caption is about. */
export interface CaptionFacts {
  readonly surface: Surface;
  readonly scale: ContourScale;
  readonly interpolation: Interpolation;
  readonly paths: readonly FigurePathInput[];
  readonly lossName: string;
  readonly dataName: string | null;
}

/** Returns what is drawn and what is missing from it, in sentences. */
export function captionSentences(facts: CaptionFacts): string[] {
  return [
    partialSentence([facts.surface]),
    contourSentence(facts),
    ...recalibrationSentences(facts.paths),
    ...approximationSentences(facts.surface),
    ...nonFiniteSentence(facts.surface),
    ...missingPointSentences(facts.paths, facts.surface),
  ];
}

/** Returns data, samples, loss mode, clipped share, engine and grid in one line. */
export function provenanceLine({ surface, dataName }: CaptionFacts): string {
  const { batchSize, threads } = surface.engine;
  const batch = batchSize > 0 ? `, batches of ${batchSize}` : "";
  const cores = threads > 0 ? `, ${counted(threads, "thread")}` : "";
  const samples = counted(surface.samples, "sample");
  const isNamed = dataName?.includes(formatCount(surface.samples)) === true;
  return [
    dataName === null ? samples : isNamed ? dataName : `${dataName}, ${samples}`,
    lossText(surface),
    ...cappedText(surface),
    engineText(surface, `${batch}${cores}`),
    `grid ${surface.alpha.length} × ${surface.beta.length}`,
  ].join(" · ");
}

/** An evaluation set by name; without one there is only one set. */
export interface EvaluatedSet {
  readonly set?: string;
  readonly surface: Pick<Surface, "samples" | "lossMode" | "weights" | "engine">;
}

/** Returns data, samples of each set, loss mode and engine in one line. */
export function evaluationLine(sets: readonly [EvaluatedSet, ...EvaluatedSet[]], dataName?: string): string {
  const [{ surface }] = sets;
  // Of many networks on equally many samples the names stand above the panels.
  const isAlike = sets.length > 3 && sets.every((one) => one.surface.samples === surface.samples);
  const samples = sets.map(
    (one) => `${one.set === undefined ? "" : `${one.set}: `}${counted(one.surface.samples, "sample")}`,
  );
  return [
    ...(dataName === undefined ? [] : [dataName]),
    ...(isAlike ? [`${counted(surface.samples, "sample")} each`] : samples),
    lossText(surface),
    engineText(surface),
  ].join(" · ");
}

/** Which loss is drawn. */
function lossText({ lossMode, weights }: EvaluatedSet["surface"]): string {
  const mode = lossMode === "logits" ? "loss from logits, not clipped" : "loss as compiled";
  return weights === undefined ? mode : `${mode}, with ${cleanText(weights)}`;
}

function engineText({ engine }: EvaluatedSet["surface"], settings = ""): string {
  return `engine ${engine.name} (${engine.backend}${settings})`;
}

/** What clipping does to the loss; a probability cut at 1 − 1e-7 changes it by 1.2e-7 and is not counted. */
function cappedText({ clippedShare, cappedShare, warnings }: Surface): string[] {
  if (clippedShare === null) return [];
  // Surfaces stored earlier have a warning where losses are capped, and the share of all that is clipped.
  const isCapped = warnings.some(({ code }) => code === "capped-loss");
  const share = cappedShare ?? (isCapped ? clippedShare : 0);
  if (share === 0) return ["no loss capped"];
  return [`loss of up to ${formatPercent(share)} of the samples capped by clipping at 1e-7`];
}

function contourSentence(facts: CaptionFacts): string {
  const { surface, scale } = facts;
  const isWhole = surface.partial === undefined && surface.approximation === undefined;
  const kind = isWhole ? "evaluated points" : "grid points";
  const points = `${surface.alpha.length} × ${surface.beta.length} ${kind}`;
  const range = finiteRange(surface.loss);
  if (range === null) return `The ${facts.lossName} is finite at none of the ${points}.`;
  if (range[0] === range[1]) {
    return `The ${facts.lossName} is ${formatNumber(range[0])} at all ${points}: there is nothing to contour.`;
  }
  if (scale.levels.length === 0) {
    return `The ${facts.lossName} is between ${formatNumber(range[0])} and ${formatNumber(range[1])} at all ${points}: no contour level is in between.`;
  }
  const levels = `${SCALE_WORDS[scale.kind]} levels`;
  const between = facts.interpolation;
  return `Contours: ${facts.lossName} on the plane, ${levels}; ${between} interpolation between ${points}.`;
}

/** Returns which loss of the snapshots the plane is compared with, where there are two. */
function recalibrationSentences(paths: readonly FigurePathInput[]): string[] {
  if (paths.every(({ trajectory }) => trajectory.recalibratedLoss === undefined)) return [];
  return [
    `The plane is compared with each snapshot's "${RECALIBRATED_LOSS}": its loss with batch norm's statistics recalibrated in the same way. "${AS_TRAINED_LOSS}" is its loss with the statistics that training left.`,
  ];
}

function nonFiniteSentence(surface: Surface): string[] {
  let nan = 0;
  let infinite = 0;
  for (const [i, value] of surface.loss.entries()) {
    if (surface.partial?.evaluated[i] === 0) continue;
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  if (nan + infinite === 0) return [];
  const kinds = [nan > 0 ? `${nan} NaN` : "", infinite > 0 ? `${infinite} infinite` : ""].filter(Boolean);
  return [
    `At ${nan + infinite} grid points the loss is not finite (${kinds.join(", ")}): cells that touch them are hatched.`,
  ];
}

/** Returns which snapshots cannot be drawn, in sentences; none if all can. */
export function missingPointSentences(paths: readonly FigurePathInput[], { alpha, beta }: Surface): string[] {
  const within = (value: number, axis: Float64Array): boolean =>
    value >= (axis[0] as number) && value <= (axis[axis.length - 1] as number);
  let count = 0;
  let lost = 0;
  let outside = 0;
  for (const { trajectory } of paths) {
    for (let i = 0; i < trajectory.coordinates.length; i += 2) {
      const [a, b] = [trajectory.coordinates[i] as number, trajectory.coordinates[i + 1] as number];
      count++;
      if (!Number.isFinite(a) || !Number.isFinite(b)) lost++;
      else if (!within(a, alpha) || !within(b, beta)) outside++;
    }
  }
  const of = `of ${count} snapshots`;
  return [
    ...(lost > 0
      ? [`${lost} ${of} ${lost === 1 ? "has" : "have"} no finite weights and cannot be drawn.`]
      : []),
    ...(outside > 0 ? [`${outside} ${of} ${outside === 1 ? "lies" : "lie"} outside the drawn range.`] : []),
  ];
}

/** True for the snapshot that is the centre of the plane: no distance to it, so no share of it. */
function isCenter({ trajectory: { coordinates, distance } }: FigurePathInput, i: number): boolean {
  return coordinates[2 * i] === 0 && coordinates[2 * i + 1] === 0 && distance[i] === 0;
}

/** What the sentences are about. */
export interface FidelityFacts {
  readonly axes: readonly [FigureAxis, FigureAxis];
  readonly paths: readonly FigurePathInput[];
  readonly progress: Progress;
  /** What distances are measured from, e.g. "the end". */
  readonly centerName: string;
}

/**
 * Returns how faithful the picture is, in plain words: a paragraph about the axes, and one for each path
 * about distance and loss.
 */
export function fidelityParagraphs(facts: FidelityFacts): string[] {
  const described = facts.paths.length > MOST_DESCRIBED ? leastHeld(facts.paths) : facts.paths;
  const others = facts.paths.length - described.length;
  const rest =
    others === 0 ? "" : `The plane holds more of the other ${others} runs at their median snapshot.`;
  const paths = described.map((path) => {
    const sentences = [...distanceSentence(path, facts), ...lossSentences(path, facts.progress)].join(" ");
    if (sentences === "" || facts.paths.length === 1) return sentences;
    return `${cleanText(path.name)}, ${sentences.charAt(0).toLowerCase()}${sentences.slice(1)}`;
  });
  return [...varianceSentence(facts), ...paths, rest].filter((paragraph) => paragraph !== "");
}

/** Runs that are described one by one, and how many of more. */
const MOST_DESCRIBED = 6;
const WORST = 2;

/** The paths of which the plane holds least at the median snapshot, worst first. */
function leastHeld(paths: readonly FigurePathInput[]): FigurePathInput[] {
  const median = (path: FigurePathInput): number => {
    const shares = Array.from(path.trajectory.inPlaneShare).filter(
      (share, i) => Number.isFinite(share) && !isCenter(path, i),
    );
    return shares.sort((a, b) => a - b)[Math.floor((shares.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  };
  return [...paths].sort((a, b) => median(a) - median(b)).slice(0, WORST);
}

function varianceSentence({ axes, paths }: FidelityFacts): string[] {
  const share = axes.reduce((sum, axis) => sum + decodeNumber(axis.explainedVarianceRatio), 0);
  const walk = axes.reduce((sum, axis) => sum + decodeNumber(axis.randomWalkBaseline), 0);
  if (!Number.isFinite(share)) return [];
  const observed = `The two axes explain ${formatPercent(share)} of the ${paths.length > 1 ? "paths'" : "path's"} variance`;
  if (!Number.isFinite(walk)) return [`${observed}.`];
  const excess = formatNumber(100 * (share - walk), 2);
  const meaning =
    share > walk
      ? `so only the excess of ${excess} points is evidence of structure`
      : "so these shares alone are no evidence of structure";
  return [
    `${observed}. A random walk with the same step lengths would reach ${formatPercent(walk)}, ${meaning}.`,
  ];
}

function distanceSentence(path: FigurePathInput, facts: FidelityFacts): string[] {
  const { inPlaneShare } = path.trajectory;
  const share = (i: number): number => inPlaneShare[i] as number;
  const known = path.snapshots
    .map((_, i) => i)
    .filter((i) => Number.isFinite(share(i)) && !isCenter(path, i));
  const [first] = known;
  if (first === undefined) return [];
  const lowest = known.reduce((least, i) => (share(i) < share(least) ? i : least), first);
  const start = first === 0 ? "Start" : place(path, first, facts.progress);
  const held = `${start}: ${formatPercent(share(first))} of the squared distance from ${facts.centerName} lies in the plane.`;
  if (known.length === 1) return [held];
  return lowest === first
    ? [`${held} No later snapshot has less.`]
    : [`${held} Worst: ${place(path, lowest, facts.progress)}, ${formatPercent(share(lowest))}.`];
}

function lossSentences(path: FigurePathInput, progress: Progress): string[] {
  const { trueLoss, recalibratedLoss, planeLoss, evaluated } = path.trajectory;
  if (trueLoss === null || planeLoss === null) return [];
  const pairs = Array.from(evaluated ?? path.snapshots.keys(), (i) => ({
    i,
    own: (recalibratedLoss ?? trueLoss)[i] as number,
    plane: planeLoss[i] as number,
  }));
  const isRecalibrated = recalibratedLoss !== undefined;
  const compared = isRecalibrated ? RECALIBRATED_LOSS : TRUE_LOSS;
  const asTrained = (i: number): string =>
    isRecalibrated ? ` recalibrated, ${formatNumber(trueLoss[i] as number, 3)} as trained` : "";
  const finite = pairs.filter(({ own, plane }) => Number.isFinite(own) && Number.isFinite(plane));
  const sentences: string[] = [];
  if (finite.length > 0) {
    const gaps = finite.map(({ own, plane }) => Math.abs(plane - own));
    const largest = Math.max(...gaps);
    const worst = finite[gaps.indexOf(largest)] as (typeof finite)[number];
    sentences.push(
      largest === 0
        ? `The loss on the plane at the projected snapshots equals their ${compared}.`
        : `The loss on the plane at the projected snapshots differs from their ${compared}${isRecalibrated ? "," : ""} by at most ` +
            `${formatNumber(largest, 2)} (at ${place(path, worst.i, progress)}: ${formatNumber(worst.plane, 3)} ` +
            `on the plane, true loss ${formatNumber(worst.own, 3)}${asTrained(worst.i)}), median ${formatNumber(median(gaps), 2)}.`,
    );
  }
  const left = pairs.length - finite.length;
  if (left > 0) {
    const [has, is] = left === 1 ? ["has", "is"] : ["have", "are"];
    sentences.push(
      `${counted(left, "snapshot")} ${has} no finite loss, true or on the plane, and ${is} left out here.`,
    );
  }
  return sentences;
}

/** "epoch 3": where on the path a snapshot is. */
function place({ snapshots }: FigurePathInput, i: number, progress: Progress): string {
  return `${progress} ${snapshots[i]?.[progress]}`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

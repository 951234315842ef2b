import type { Surface } from "../surface/surface.js";
import { approximationSentences } from "./approximation-sentence.js";
import type { ContourScale } from "./contour-scale.js";
import type { Interpolation } from "./contours.js";
import type { FigurePath, FigurePoint } from "./figure.js";
import { finiteRange } from "./finite-range.js";
import { formatCount, formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";
import { partialSentence } from "./partial-sentence.js";

/** What a caption is about. */
export interface CaptionFacts {
  readonly surface: Surface;
  readonly scale: ContourScale;
  readonly interpolation: Interpolation;
  readonly paths: readonly FigurePath[];
  readonly lossName: string;
  readonly dataName: string | null;
}

/** Returns what is drawn and what is missing from it, in sentences. */
export function captionSentences(facts: CaptionFacts): string[] {
  return [
    ...partialSentence(facts.surface),
    contourSentence(facts),
    ...approximationSentences(facts.surface),
    ...nonFiniteSentence(facts.surface),
    ...missingPointSentences(facts.paths, facts.surface),
  ];
}

/** Returns data, samples, loss mode, clipped share, engine and grid in one line. */
export function provenanceLine(facts: CaptionFacts): string {
  const { surface, dataName } = facts;
  const { engine } = surface;
  const samples = `${formatCount(surface.samples)} ${surface.samples === 1 ? "sample" : "samples"}`;
  const mode = surface.lossMode === "logits" ? "loss from logits, not clipped" : "loss as compiled";
  const clipped =
    surface.clippedShare === null
      ? []
      : [
          surface.clippedShare === 0
            ? "no sample clipped"
            : `probabilities of up to ${formatPercent(surface.clippedShare)} of the samples clipped at 1e-7`,
        ];
  const batch = engine.batchSize > 0 ? `, batches of ${engine.batchSize}` : "";
  const threads =
    engine.threads > 0 ? `, ${engine.threads} ${engine.threads === 1 ? "thread" : "threads"}` : "";
  return [
    dataName === null
      ? samples
      : dataName.includes(formatCount(surface.samples))
        ? dataName
        : `${dataName}, ${samples}`,
    mode,
    ...clipped,
    `engine ${engine.name} (${engine.backend}${batch}${threads})`,
    `grid ${surface.alpha.length} × ${surface.beta.length}`,
  ].join(" · ");
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
    return `The ${facts.lossName} is between ${formatNumber(range[0])} and ${formatNumber(range[1])} at all ${points}: no level lies between.`;
  }
  const levels = scale.kind === "log" ? "logarithmic levels" : "linear levels";
  const between = facts.interpolation;
  return `Contours: ${facts.lossName} on the plane, ${levels}; ${between} interpolation between ${points}.`;
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
  const kinds = [nan > 0 ? `${nan} NaN` : "", infinite > 0 ? `${infinite} infinite` : ""].filter(
    (part) => part !== "",
  );
  return [
    `At ${nan + infinite} grid points the loss is not finite (${kinds.join(", ")}): cells that touch them are hatched.`,
  ];
}

function missingPointSentences(paths: readonly FigurePath[], surface: Surface): string[] {
  const points = paths.flatMap((path) => path.points);
  const lost = points.filter((point) => !isFinitePoint(point)).length;
  const outside = points.filter((point) => isFinitePoint(point) && !isInside(point, surface)).length;
  const of = `of ${points.length} snapshots`;
  return [
    ...(lost > 0
      ? [`${lost} ${of} ${lost === 1 ? "has" : "have"} no finite weights and cannot be drawn.`]
      : []),
    ...(outside > 0 ? [`${outside} ${of} ${outside === 1 ? "lies" : "lie"} outside the drawn range.`] : []),
  ];
}

function isFinitePoint(point: FigurePoint): boolean {
  return Number.isFinite(decodeNumber(point.alpha)) && Number.isFinite(decodeNumber(point.beta));
}

function isInside(point: FigurePoint, { alpha, beta }: Surface): boolean {
  const [a, b] = [decodeNumber(point.alpha), decodeNumber(point.beta)];
  const within = (value: number, axis: Float64Array): boolean =>
    value >= (axis[0] as number) && value <= (axis[axis.length - 1] as number);
  return within(a, alpha) && within(b, beta);
}

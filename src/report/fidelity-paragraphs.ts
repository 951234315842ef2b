import type { FigureAxis, FigurePath, FigurePoint, Progress } from "./figure.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { isCenter } from "./is-center.js";
import { decodeNumber } from "./json-number.js";

/** What the sentences are about. */
export interface FidelityFacts {
  readonly axes: readonly [FigureAxis, FigureAxis];
  readonly paths: readonly FigurePath[];
  readonly progress: Progress;
  /** What distances are measured from, e.g. "the end". */
  readonly centerName: string;
}

/**
 * Returns how faithful the picture is, in plain words: a paragraph about the axes, and one for each path
 * about distance and loss.
 */
export function fidelityParagraphs(facts: FidelityFacts): string[] {
  const paths = facts.paths.map((path) => {
    const sentences = [...distanceSentence(path, facts), ...lossSentences(path, facts.progress)].join(" ");
    if (sentences === "" || facts.paths.length === 1) return sentences;
    return `${path.name}: ${sentences.charAt(0).toLowerCase()}${sentences.slice(1)}`;
  });
  return [...varianceSentence(facts), ...paths].filter((paragraph) => paragraph !== "");
}

function varianceSentence({ axes, paths }: FidelityFacts): string[] {
  const share = axes.reduce((sum, axis) => sum + decodeNumber(axis.explainedVarianceRatio), 0);
  const walk = axes.reduce((sum, axis) => sum + decodeNumber(axis.randomWalkBaseline), 0);
  if (!Number.isFinite(share)) return [];
  const observed = `The two axes explain ${formatPercent(share)} of the ${paths.length > 1 ? "paths'" : "path's"} variance`;
  if (!Number.isFinite(walk)) return [`${observed}.`];
  const meaning =
    share > walk
      ? "so only the difference says something about training"
      : "no less, so that these shares alone say nothing about training";
  return [
    `${observed}; those of a random walk with the same step lengths would explain ${formatPercent(walk)}, ${meaning}.`,
  ];
}

function distanceSentence(path: FigurePath, facts: FidelityFacts): string[] {
  const known = path.points.filter(
    (point) => Number.isFinite(decodeNumber(point.inPlaneShare)) && !isCenter(point),
  );
  const first = known[0];
  if (first === undefined) return [];
  const share = (point: FigurePoint): number => decodeNumber(point.inPlaneShare);
  const lowest = known.reduce((least, point) => (share(point) < share(least) ? point : least), first);
  const start = first === path.points[0] ? "the start's" : `${place(first, facts.progress)}'s`;
  const held = `The plane holds ${formatPercent(share(first))} of ${start} squared distance from ${facts.centerName}`;
  if (known.length === 1) return [`${held}.`];
  return lowest === first
    ? [`${held}, and no less of any later snapshot's.`]
    : [`${held}, and least at ${place(lowest, facts.progress)}: ${formatPercent(share(lowest))}.`];
}

function lossSentences(path: FigurePath, progress: Progress): string[] {
  const pairs = path.points
    .filter((point) => point.trueLoss !== null && point.planeLoss !== null)
    .map((point) => ({ point, own: decodeNumber(point.trueLoss), plane: decodeNumber(point.planeLoss) }));
  const finite = pairs.filter(({ own, plane }) => Number.isFinite(own) && Number.isFinite(plane));
  const sentences: string[] = [];
  if (finite.length > 0) {
    const gaps = finite.map(({ own, plane }) => Math.abs(plane - own));
    const largest = Math.max(...gaps);
    const worst = finite[gaps.indexOf(largest)] as (typeof finite)[number];
    sentences.push(
      largest === 0
        ? "The loss on the plane at the projected snapshots equals their true loss."
        : `The loss on the plane at the projected snapshots differs from their true loss by at most ` +
            `${formatNumber(largest, 2)} (at ${place(worst.point, progress)}: ${formatNumber(worst.plane, 3)} ` +
            `on the plane, ${formatNumber(worst.own, 3)} in truth), in the median by ${formatNumber(median(gaps), 2)}.`,
    );
  }
  const left = pairs.length - finite.length;
  if (left > 0) {
    const noun = left === 1 ? "1 snapshot has" : `${left} snapshots have`;
    sentences.push(`${noun} no finite loss, true or on the plane, and count for nothing here.`);
  }
  return sentences;
}

/** "epoch 3": where on the path a point is. */
function place(point: FigurePoint, progress: Progress): string {
  return `${progress} ${point[progress]}`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

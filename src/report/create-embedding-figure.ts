import type { RunsEmbedding } from "../embedding/runs-embedding.js";
import { InvalidDataError, InvalidOptionError } from "../errors.js";
import { cleanText } from "./clean-text.js";
import { createContourScale } from "./contour-scale.js";
import { embeddingCaption, METHOD_NAMES, parameterLine } from "./embedding-caption.js";
import {
  type ColorScale,
  EMBEDDING_COLORS,
  type EmbeddingColor,
  type EmbeddingFigure,
  type EmbeddingPath,
  type EmbeddingPoint,
} from "./embedding-figure.js";
import type { Progress } from "./figure.js";
import { finiteRange } from "./finite-range.js";
import { formatPercent } from "./format-number.js";
import { encodeNumber } from "./json-number.js";

/** Options of {@link createEmbeddingFigure}. */
export interface EmbeddingFigureOptions {
  /** Title. Default the method and the names of the runs. */
  readonly title?: string;
  /** What points are coloured by. Default the loss where one is known, otherwise the run. */
  readonly color?: EmbeddingColor;
}

/** Ratio of largest to least loss from which its colours are logarithmic: paths end where losses are low and close. */
const LOG_RATIO = 2;
/** Most ticks of the colour bar. */
const TICKS = 7;

/**
 * Returns the figure of an embedding: paths as lines, points by loss, run or step size.
 *
 * @throws {@link InvalidDataError} if there is no snapshot; {@link InvalidOptionError} for a colour that does not
 * exist.
 * @example const figure = createEmbeddingFigure(await embed(runs), { color: "run" });
 */
export function createEmbeddingFigure(
  embedding: RunsEmbedding,
  options: EmbeddingFigureOptions = {},
): EmbeddingFigure {
  if (embedding.run.length === 0) throw new InvalidDataError("embedding", "at least one snapshot", "none");
  const hasLoss = embedding.loss.some(Number.isFinite);
  const { color = hasLoss ? "loss" : "run" } = options;
  if (!EMBEDDING_COLORS.includes(color)) {
    throw new InvalidOptionError("color", `one of ${EMBEDDING_COLORS.join(", ")}`, String(color));
  }
  const paths = pathsOf(embedding);
  const names = embedding.runs.map(({ name }) => cleanText(name));
  const method = METHOD_NAMES[embedding.method];
  const title = cleanText(options.title ?? `${method} of ${listed(names)}`);
  return {
    kind: "embedding",
    version: 1,
    title,
    method: embedding.method,
    dimensions: embedding.components,
    axes: axesOf(embedding),
    color,
    lossName: cleanText(embedding.lossName),
    scale: scaleOf(embedding, color),
    progress: progressOf(paths),
    paths,
    caption: cleanText(embeddingCaption(embedding, color)),
    provenance: cleanText(parameterLine(embedding)),
    notes: [...new Set(embedding.warnings.map(({ message }) => cleanText(message)))],
    description: `${title}. ${paths.length === 1 ? "One path" : `${paths.length} paths`} of snapshots in ${embedding.components} dimensions by ${method}.`,
  };
}

function listed(names: readonly string[]): string {
  if (names.length <= 3) return names.join(" and ");
  return `${names.length} runs`;
}

/** Runs without a snapshot left have no path; the others keep their place in the palette by their order. */
function pathsOf(embedding: RunsEmbedding): EmbeddingPath[] {
  const { components, coordinates, run, step, epoch, iteration, loss, stepSize } = embedding;
  return embedding.runs.map(({ name }, r) => {
    const points: EmbeddingPoint[] = [];
    run.forEach((owner, row) => {
      if (owner !== r) return;
      points.push({
        step: step[row] as number,
        epoch: epoch[row] as number,
        iteration: iteration[row] as number,
        at: Array.from(coordinates.subarray(row * components, (row + 1) * components), encodeNumber),
        loss: encodeNumber(loss[row] as number),
        stepSize: encodeNumber(stepSize[row] as number),
      });
    });
    return { name: cleanText(name), points };
  });
}

function axesOf({ method, components, facts }: RunsEmbedding): string[] {
  const ratios = facts.explainedVarianceRatio;
  return Array.from({ length: components }, (_, axis) => {
    const ratio = Array.isArray(ratios) ? (ratios[axis] as number | undefined) : undefined;
    if (ratio !== undefined) return `PC ${axis + 1}: ${formatPercent(ratio)} of the variance`;
    return `${METHOD_NAMES[method]} ${axis + 1}`;
  });
}

function scaleOf({ loss, lossName, stepSize }: RunsEmbedding, color: EmbeddingColor): ColorScale | null {
  if (color === "run") return null;
  const values = color === "loss" ? loss : stepSize;
  const range = finiteRange(values);
  if (range === null) return null;
  const { kind } = createContourScale([values], color === "loss" ? { logRatio: LOG_RATIO } : {});
  // On a logarithmic scale a value of 0 has the colour of the least positive one.
  const [low, max] = range;
  const positive = finiteRange(values.filter((value) => value > 0));
  const min = kind === "log" && positive !== null ? positive[0] : low;
  const { levels } = max > min ? createContourScale([[min, max]], { kind, count: TICKS }) : { levels: [min] };
  const title = color === "loss" ? cleanText(lossName) : "length of the step";
  return { title, kind, min, max, ticks: levels };
}

/** The count that tells every snapshot of every path from the one before: epochs if they do. */
function progressOf(paths: readonly EmbeddingPath[]): Progress {
  const increases = (key: Progress): boolean =>
    paths.every(({ points }) =>
      points.every((point, index) => index === 0 || point[key] > (points[index - 1] as EmbeddingPoint)[key]),
    );
  return increases("epoch") ? "epoch" : increases("iteration") ? "iteration" : "step";
}

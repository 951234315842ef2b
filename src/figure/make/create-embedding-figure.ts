import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import type { EmbeddingValue, RunsEmbedding } from "../../embedding/runs-embedding.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import { createContourScale, finiteRange } from "../draw/scales.js";
import type { ColorScale, Figure, FigureAxis, Path, RunData, ScatterPanel } from "../figure.js";
import { columnFrom, figureOf } from "./run-data.js";

/** What the points of an embedding are coloured by: loss, run, or length of the step that led there. */
export type EmbeddingColor = "loss" | "run" | "step";

/** The colours, for choices and messages. */
export const EMBEDDING_COLORS: readonly EmbeddingColor[] = ["loss", "run", "step"];

/** Name of the column with the length of the step that led to a snapshot. */
const STEP_LENGTH = "length of the step";

/** Names of the methods as they stand in titles. */
const METHOD_NAMES: Readonly<Record<RunsEmbedding["method"], string>> = {
  phate: "PHATE",
  pca: "PCA",
  umap: "UMAP",
  tsne: "t-SNE",
  inpca: "intensive PCA",
};

/** Every parameter in one line; empty if there is none. */
function parameterLine({ method, parameters }: RunsEmbedding): string {
  const shown = Object.entries(parameters)
    .filter(([name, value]) => name !== "components" && value !== null)
    .map(([name, value]) => `${name} ${valueText(value)}`);
  return shown.length === 0 ? "" : [METHOD_NAMES[method], ...shown].join(" · ");
}

function valueText(value: EmbeddingValue): string {
  if (typeof value === "number") return formatNumber(value);
  return Array.isArray(value) ? value.map((part) => formatNumber(part)).join(", ") : String(value);
}

/** Whether snapshots are placed by what they predict; the last path is then the geodesic from ignorance to truth. */
const isOfPredictions = ({ facts }: RunsEmbedding): boolean => facts.space === "predictions";

function batchNormSentence(policy: EmbeddingValue = null): string {
  if (policy === "recalibrate") return " Batch norm's statistics are recalibrated at each snapshot.";
  if (policy !== "as-trained") return "";
  return " Batch norm has the statistics that training left, which lag behind early in training.";
}

function whatSentence(embedding: RunsEmbedding): string {
  const { run, runs, dimensions, method, facts } = embedding;
  if (isOfPredictions(embedding)) {
    const count = run.filter((r) => r < runs.length - 1).length;
    const by = `what they predict on ${valueText(facts.samples ?? null)} samples of ${valueText(facts.classes ?? null)} classes`;
    return `${formatCount(count)} snapshots of ${runs.length === 2 ? "a run" : `${runs.length - 1} runs`}, placed by ${by}, in ${dimensions} dimensions by ${METHOD_NAMES[method]}. One path more leads on the geodesic from ignorance (every class as likely) to the truth (the labels).${batchNormSentence(facts.batchNorm)}`;
  }
  const weights = typeof facts.weights === "number" ? ` of ${formatCount(facts.weights)} weights` : "";
  const of = runs.length === 1 ? "a run" : `${runs.length} runs`;
  return `${formatCount(run.length)} snapshots${weights} of ${of} in ${dimensions} dimensions by ${METHOD_NAMES[method]}.`;
}

/** What was done to bring the runs into one order of units; empty where they are as they are. */
function alignmentSentence({ facts: { alignment } }: RunsEmbedding): string {
  return typeof alignment === "string" ? cleanText(alignment) : "";
}

function methodSentence({ method, parameters, facts, dimensions }: RunsEmbedding): string {
  const at = (name: string): string => valueText(parameters[name] ?? null);
  const at2 = (value: EmbeddingValue = null): string =>
    typeof value === "number" ? formatNumber(value, 2) : valueText(value);
  const distances = `${at("knnDist")} distances`;
  switch (method) {
    case "phate": {
      const t = `t\u00a0=\u00a0${valueText(facts.t ?? null)}${parameters.t === "auto" ? " (knee of the entropy)" : ""}`;
      const stress =
        typeof facts.normalizedStress === "number"
          ? ` The share of potential distances that the picture cannot show (normalized stress) is ${formatNumber(facts.normalizedStress, 2)}.`
          : "";
      return `From ${distances}, with knn\u00a0=\u00a0${at("knn")}, decay\u00a0=\u00a0${at("decay")}, ${t}, γ\u00a0=\u00a0${at("gamma")}.${stress} Directions and units of the axes mean nothing, nearness does.`;
    }
    case "inpca":
      return `Distances are means over samples of −ln Σ√(p·q). Explained stress ${at2(facts.explainedStress)}: the share of them that the picture holds.${imaginarySentence(facts.eigenvalues, dimensions)}`;
    case "pca":
      return "Axes are in units of the weights; PCA is the one linear method.";
    case "umap":
      return `From ${distances}, with ${at("nNeighbors")} neighbours, minDist\u00a0=\u00a0${at("minDist")}, seed ${at("seed")}. Distances between far groups mean little.`;
    case "tsne":
      return `From ${distances}, with perplexity ${at("perplexity")}, ${at("iterations")} iterations, seed ${at("seed")}. Sizes of groups and distances between them mean little.`;
  }
}

/** Axes whose eigenvalue is negative; empty if there is none. */
function imaginarySentence(eigenvalues: EmbeddingValue = null, dimensions: number): string {
  const values = Array.isArray(eigenvalues) ? (eigenvalues as readonly number[]) : [];
  const axes = values.slice(0, dimensions).flatMap((value, i) => (value < 0 ? [i + 1] : []));
  if (axes.length === 0) return "";
  return ` ${axes.length === 1 ? `Axis ${axes[0]} is` : `Axes ${axes.join(" and ")} are`} imaginary (a negative eigenvalue): points apart along it are nearer than they look.`;
}

function unknownSentence({ loss, stepSize }: RunsEmbedding, color: EmbeddingColor): string {
  if (color === "run") return "";
  const values = color === "loss" ? loss : stepSize;
  const missing = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
  if (missing === 0) return "";
  const what = color === "loss" ? "no known finite loss" : "no step before them";
  return `${missing} of ${values.length} snapshots have ${what} and are grey.`;
}

function qualitySentence(embedding: RunsEmbedding): string {
  const { trustworthiness, pathContinuity, nNeighbors } = embedding.quality;
  const near = nNeighbors === 1 ? "the nearest" : `the ${nNeighbors} nearest`;
  const trust = `Trustworthiness ${formatNumber(trustworthiness, 3)}: how far ${near} in the picture are near in ${isOfPredictions(embedding) ? "what they predict" : "weight space"}.`;
  if (!Number.isFinite(pathContinuity)) return trust;
  return `${trust} Path continuity ${formatNumber(pathContinuity, 3)}: the share of snapshots next to each other in time that are among ${near} in the picture. 1 is best in both.`;
}

function stabilitySentence({ stability }: RunsEmbedding): string {
  if (stability === null || stability.settings.length < 2) return "";
  const [name = ""] = Object.keys(stability.settings[0] ?? {});
  const values = stability.settings.map((setting) => String(setting[name]));
  const { meanDisparity, maxDisparity } = stability;
  return `With ${name} ${values.slice(0, -1).join(", ")} and ${values.at(-1)} the shape changes by a Procrustes disparity of ${formatNumber(meanDisparity, 2)} on average and ${formatNumber(maxDisparity, 2)} at most (0: the same, 1: nothing in common).`;
}

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
 * @example const figure = createEmbeddingFigure(await embedRuns(runs), { color: "run" });
 */
export function createEmbeddingFigure(
  embedding: RunsEmbedding,
  options: EmbeddingFigureOptions = {},
): Figure {
  if (embedding.run.length === 0) throw new InvalidDataError("embedding", "at least one snapshot", "none");
  const hasLoss = embedding.loss.some(Number.isFinite);
  const { color = hasLoss ? "loss" : "run" } = options;
  if (!EMBEDDING_COLORS.includes(color)) {
    throw new InvalidOptionError("color", `one of ${EMBEDDING_COLORS.join(", ")}`, String(color));
  }
  const runs = runsOf(embedding);
  const method = METHOD_NAMES[embedding.method];
  const aligned = alignmentSentence(embedding) === "" ? "" : ", aligned";
  const scale = scaleOf(embedding, color);
  const column = color === "step" ? STEP_LENGTH : cleanText(embedding.lossName);
  const scatter: ScatterPanel = {
    kind: "scatter",
    title: "",
    axes: axesOf(embedding),
    paths: pathsOf(embedding),
    color: scale === null ? "run" : { column, scale },
  };
  return figureOf({
    title: options.title ?? `${method} of ${listed(runs.map(({ name }) => name))}${aligned}`,
    runs,
    panels: [scatter],
    layout: { columns: 1 },
    caption: [
      whatSentence(embedding),
      alignmentSentence(embedding),
      methodSentence(embedding),
      "Lines join snapshots in order of time, from a ring to a star.",
      unknownSentence(embedding, color),
      qualitySentence(embedding),
      stabilitySentence(embedding),
    ],
    provenance: parameterLine(embedding),
    notes: embedding.warnings.map(({ message }) => message),
    description: `${runs.length === 1 ? "One path" : `${runs.length} paths`} of snapshots in ${embedding.dimensions} dimensions by ${method}.`,
  });
}

function listed(names: readonly string[]): string {
  if (names.length <= 3) return names.join(" and ");
  return `${names.length} runs`;
}

/** Rows of the embedding that belong to a run, in order. */
function rowsOf({ run }: RunsEmbedding, owner: number): number[] {
  return Array.from(run, (_, row) => row).filter((row) => run[row] === owner);
}

function runsOf(embedding: RunsEmbedding): RunData[] {
  const { step, epoch, iteration, loss, lossName, stepSize } = embedding;
  return embedding.runs.map(({ name }, color) => {
    const rows = rowsOf(embedding, color);
    const of = (values: ArrayLike<number>): number[] => rows.map((row) => values[row] as number);
    return {
      name: cleanText(name),
      color,
      step: of(step),
      epoch: of(epoch),
      iteration: of(iteration),
      drops: [],
      columns: [
        columnFrom(cleanText(lossName), "known", of(loss)),
        {
          name: STEP_LENGTH,
          form: "number",
          // No step leads to a start.
          values: of(stepSize).map((value) => (Number.isNaN(value) ? null : encodeNumber(value))),
        },
      ],
    };
  });
}

/** Runs without a snapshot left have an empty path. */
function pathsOf(embedding: RunsEmbedding): Path[] {
  const { dimensions, coordinates } = embedding;
  return embedding.runs.map((_, run) => ({
    run,
    at: rowsOf(embedding, run).map((row) =>
      Array.from(coordinates.subarray(row * dimensions, (row + 1) * dimensions), encodeNumber),
    ),
  }));
}

function axesOf({ method, dimensions, facts }: RunsEmbedding): FigureAxis[] {
  if (method === "inpca") return intensiveAxes(facts, dimensions);
  const ratios = facts.explainedVarianceRatio;
  return Array.from({ length: dimensions }, (_, axis) => {
    const ratio = Array.isArray(ratios) ? (ratios[axis] as number | undefined) : undefined;
    const share = ratio === undefined ? "" : `: ${formatPercent(ratio)} of the variance`;
    const label = `${ratio === undefined ? METHOD_NAMES[method] : "PC"} ${axis + 1}`;
    return { label, title: `${label}${share}`, explainedVarianceRatio: null, randomWalkBaseline: null };
  });
}

/** Axes of intensive PCA with their eigenvalues, the imaginary ones marked. */
function intensiveAxes(facts: RunsEmbedding["facts"], dimensions: number): FigureAxis[] {
  const values = Array.isArray(facts.eigenvalues) ? (facts.eigenvalues as readonly number[]) : [];
  return ["x", "y", "z"].slice(0, dimensions).map((symbol, axis) => {
    const value = values[axis];
    const kind = value < 0 ? ", imaginary" : "";
    const title = `InPC ${axis + 1}${kind}${value === undefined ? "" : `: λ\u00a0=\u00a0${formatNumber(value, 3)}`}`;
    return { label: title, title, explainedVarianceRatio: null, randomWalkBaseline: null, symbol };
  });
}

function scaleOf({ loss, lossName, stepSize }: RunsEmbedding, color: EmbeddingColor): ColorScale | null {
  if (color === "run") return null;
  const values = color === "loss" ? loss : stepSize;
  const range = finiteRange(values);
  if (range === null) return null;
  const found = createContourScale([values], color === "loss" ? { logRatio: LOG_RATIO } : {});
  const kind = found.kind === "log" ? "log" : "linear";
  // On a logarithmic scale a value of 0 has the colour of the least positive one.
  const [low, max] = range;
  const positive = finiteRange(values.filter((value) => value > 0));
  const min = kind === "log" && positive !== null ? positive[0] : low;
  const { levels } = max > min ? createContourScale([[min, max]], { kind, count: TICKS }) : { levels: [min] };
  const title = color === "loss" ? cleanText(lossName) : STEP_LENGTH;
  return { title, kind, min, max, ticks: levels };
}

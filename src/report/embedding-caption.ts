import type { EmbeddingMethod, EmbeddingValue, RunsEmbedding } from "../embedding/runs-embedding.js";
import type { EmbeddingColor } from "./embedding-figure.js";
import { formatCount, formatNumber } from "./format-number.js";

/** Names of the methods as they stand in titles. */
export const METHOD_NAMES: Readonly<Record<EmbeddingMethod, string>> = {
  phate: "PHATE",
  pca: "PCA",
  umap: "UMAP",
  tsne: "t-SNE",
};

/** What is drawn, how it was made and how good it is, in sentences. */
export function embeddingCaption(embedding: RunsEmbedding, color: EmbeddingColor): string {
  return [
    whatSentence(embedding),
    methodSentence(embedding),
    "Lines join snapshots in order of time, from a ring to a star.",
    unknownSentence(embedding, color),
    qualitySentence(embedding),
    stabilitySentence(embedding),
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

/** Every parameter in one line; empty if there is none. */
export function parameterLine({ method, parameters }: RunsEmbedding): string {
  const shown = Object.entries(parameters)
    .filter(([name, value]) => name !== "components" && value !== null)
    .map(([name, value]) => `${name} ${valueText(value)}`);
  return shown.length === 0 ? "" : [METHOD_NAMES[method], ...shown].join(" · ");
}

function valueText(value: EmbeddingValue): string {
  if (typeof value === "number") return formatNumber(value);
  return Array.isArray(value) ? value.map((part) => formatNumber(part)).join(", ") : String(value);
}

function whatSentence({ run, runs, components, method, facts }: RunsEmbedding): string {
  const weights = typeof facts.weights === "number" ? ` of ${formatCount(facts.weights)} weights` : "";
  const of = runs.length === 1 ? "a run" : `${runs.length} runs`;
  return `${formatCount(run.length)} snapshots${weights} of ${of} in ${components} dimensions by ${METHOD_NAMES[method]}.`;
}

function methodSentence({ method, parameters, facts }: RunsEmbedding): string {
  const at = (name: string): string => valueText(parameters[name] ?? null);
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
    case "pca":
      return "Axes are in units of the weights; PCA is the one linear method.";
    case "umap":
      return `From ${distances}, with ${at("nNeighbors")} neighbours, minDist\u00a0=\u00a0${at("minDist")}, seed ${at("seed")}. Distances between far groups mean little.`;
    case "tsne":
      return `From ${distances}, with perplexity ${at("perplexity")}, ${at("iterations")} iterations, seed ${at("seed")}. Sizes of groups and distances between them mean little.`;
  }
}

function unknownSentence({ loss, stepSize }: RunsEmbedding, color: EmbeddingColor): string {
  if (color === "run") return "";
  const values = color === "loss" ? loss : stepSize;
  const missing = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
  if (missing === 0) return "";
  const what = color === "loss" ? "no known finite loss" : "no step before them";
  return `${missing} of ${values.length} snapshots have ${what} and are grey.`;
}

function qualitySentence({ quality }: RunsEmbedding): string {
  const { trustworthiness, pathContinuity, nNeighbors } = quality;
  const near = nNeighbors === 1 ? "the nearest" : `the ${nNeighbors} nearest`;
  const trust = `Trustworthiness ${formatNumber(trustworthiness, 3)}: how far ${near} in the picture are near in weight space.`;
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

import { join } from "node:path";
import { type EmbedOptions, embedRuns, type NamedFigure, type Run, type RunsEmbedding } from "tfjs-landscape";
import { createLinearAlgebra, readRunPoints, totalPersistence } from "tfjs-landscape/embedding";
import { createEmbeddingFigure } from "tfjs-landscape/figures";

/** Runs to be embedded together. */
export interface StudyRuns {
  readonly runs: readonly Run[];
  /** Folder for the stored embeddings. */
  readonly directory: string;
  /** What the runs are, for titles and file names. */
  readonly name: string;
  /** Losses that PHATE is coloured by, the one for the other methods and for topology last. */
  readonly losses: readonly StudyLoss[];
  /** Neighbours of PHATE. Default 5. */
  readonly knn?: number;
}

/** A loss of every snapshot: logged under a name, or to be computed. */
export interface StudyLoss {
  readonly name: string;
  readonly source: Pick<EmbedOptions, "lossLog" | "evaluator">;
}

/** Pictures and what they say in numbers. */
export interface StudyEmbeddings {
  readonly figures: readonly NamedFigure[];
  readonly lines: readonly string[];
}

/**
 * Cosine distances between snapshots and between potentials, as Horoi et al. have them, but of the weights as they
 * are: with the mean taken away, jumps of all sizes along one direction would lie at one point.
 */
const COSINE = { knnDist: "cosine", centered: false, nPca: null } as const;
const PHATE = { ...COSINE, method: "phate", mdsDist: "cosine" } as const;

const NAMES = { phate: "PHATE", pca: "PCA", umap: "UMAP", tsne: "t-SNE", inpca: "InPCA" } as const;

/** Embeds runs by PHATE, once for each loss, and by PCA (euclidean), UMAP and t-SNE (cosine) for comparison. */
export async function embedStudy(study: StudyRuns): Promise<StudyEmbeddings> {
  const { runs, directory, name, losses, knn = 5 } = study;
  const linearAlgebra = createLinearAlgebra();
  const points = await readRunPoints(runs, linearAlgebra);
  const common = { linearAlgebra, points: async () => points };
  const figures: NamedFigure[] = [];
  const found: RunsEmbedding[] = [];
  const draw = (embedding: RunsEmbedding, what: string): void => {
    const figure = createEmbeddingFigure(embedding, {
      title: `${name}: ${NAMES[embedding.method]}, ${what}`,
    });
    figures.push({ name: fileName(`${name} ${embedding.method} ${what}`), figure });
  };
  for (const [index, loss] of losses.entries()) {
    const topology = index === losses.length - 1;
    const stored = join(directory, fileName(loss.name));
    const options = { ...common, ...PHATE, knn, ...loss.source, topology, directory: stored };
    const embedding = await embedRuns(runs, options);
    draw(embedding, loss.name);
    if (topology) found.push(embedding);
  }
  const last = losses.at(-1) as StudyLoss;
  for (const method of ["pca", "umap", "tsne"] as const) {
    const distance = method === "pca" ? {} : COSINE;
    const stored = join(directory, fileName(last.name));
    const embedding = await embedRuns(runs, {
      ...common,
      ...distance,
      ...last.source,
      method,
      directory: stored,
    });
    draw(embedding, last.name);
    found.push(embedding);
  }
  const warned = found[0]?.warnings.map(({ message }) => `${name}, phate: warning: ${message}`) ?? [];
  return {
    figures,
    lines: [...qualityLines(name, found), ...topologyLines(name, last.name, found[0]), ...warned],
  };
}

/** Trustworthiness and path continuity of each method. */
function qualityLines(name: string, found: readonly RunsEmbedding[]): string[] {
  return found.map(({ method, quality, run }) => {
    const { trustworthiness, pathContinuity } = quality;
    const numbers = `trustworthiness ${trustworthiness.toFixed(3)}, path continuity ${pathContinuity.toFixed(3)}`;
    return `${name}, ${method.padEnd(5)} of ${run.length} snapshots: ${numbers}`;
  });
}

/** Basins and cycles of the loss, and whether a permutation of it would have as little persistence. */
function topologyLines(name: string, lossName: string, embedding: RunsEmbedding | undefined): string[] {
  if (!embedding?.topology) return [];
  const { loss, topology } = embedding;
  const range = Math.max(...loss) - Math.min(...loss);
  const part = (dimension: 0 | 1, what: string): string => {
    const own = topology.pairs.filter((pair) => pair.dimension === dimension);
    const merging = own.filter(({ death }) => Number.isFinite(death)).length;
    const total = totalPersistence(topology.pairs, dimension);
    const share = ((100 * total) / range).toFixed(1);
    return `${merging} ${what} end and ${own.length - merging} do not, total persistence ${total.toPrecision(3)} (${share} % of the range)`;
  };
  const chance = `as smooth by chance: p = ${topology.null.pLower.toPrecision(2)}`;
  return [`${name}, ${lossName}: ${part(0, "basins")}; ${part(1, "cycles")}; ${chance}`];
}

function fileName(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

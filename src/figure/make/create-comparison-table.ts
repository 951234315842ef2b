import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import type { SolutionDistances } from "../../directions/between-models.js";
import type { EpsilonSharpness } from "../../surface/lines/epsilon-sharpness.js";
import type { LevelSetWidths, MeanLossRise } from "../../surface/lines/level-set-width.js";
import { formatNumber } from "../draw/format-number.js";
import type { Figure, MatrixPanel, TableCell } from "../figure.js";
import { isAccuracy, quantityOf } from "./chart-parts.js";
import { figureOf } from "./run-data.js";
import {
  countCell,
  EMPTY_CELL,
  groupOf,
  numberCell,
  type Rows,
  rangeCell,
  rowOf,
  shareCell,
  tableOf,
  textCell,
} from "./table-parts.js";

/** Loss and metrics of a solution on one evaluation set. */
export interface SetScores {
  readonly set: string;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What is compared of one run. */
export interface ComparedFacts {
  readonly name: string;
  /** Class of the optimizer, or null if unknown. */
  readonly optimizer: string | null;
  readonly epochs: number;
  readonly iterations: number;
  readonly snapshots: number;
  readonly trainableCount: number;
  /** Scores of the final weights, set by set. */
  readonly scores: readonly SetScores[];
  /** Sharpness read-outs of the final weights; null where one cannot be had. */
  readonly width: LevelSetWidths | null;
  readonly rise: MeanLossRise | null;
  readonly epsilonSharpness: EpsilonSharpness | null;
  /** λ₁ of the Hessian at the last snapshot, and its share of the optimizer's threshold; null or absent: not asked for. */
  readonly stability?: { readonly sharpness: number; readonly share: number } | null | undefined;
  /** ‖θ‖ at the end, ‖θ_n − θ_0‖, and the sum of the steps, over the trainable weights. */
  readonly norm: number;
  readonly distance: number;
  readonly pathLength: number;
  /** distance / pathLength; NaN for a path of length 0. */
  readonly straightness: number;
  /** Shares of the run's own variance along its plane, and those of a random walk. */
  readonly explainedVarianceRatio: ArrayLike<number> | null;
  readonly randomWalkBaseline: ArrayLike<number> | null;
}

/** What {@link createComparisonTable} makes a table of. */
export interface ComparisonTableInput {
  readonly runs: readonly ComparedFacts[];
  /** Distances and cosines of the final weights, in the order of the runs; NaN where layouts differ. */
  readonly pairs: SolutionDistances;
  /** Whether the losses of the runs are of one function, so that the least is the best. Default true. */
  readonly hasOneLoss?: boolean | undefined;
  /** Heading. Default "In numbers". */
  readonly title?: string;
  readonly caption?: string;
  readonly provenance?: string;
  readonly notes?: readonly string[];
}

/**
 * Returns runs in numbers, one column each: final losses and metrics, sharpness, weights and path, distances
 * between the solutions, explained variance beside that of a random walk; with what each number is.
 *
 * @throws {@link InvalidDataError} if there is no run, or the pairs are of another number of runs.
 * @example
 * const { runs, pairs } = await compareRuns([sgd, adam], { data, directory: "comparison" });
 * const figure = createComparisonTable({ runs, pairs, title: "SGD and Adam in numbers" });
 */
export function createComparisonTable(input: ComparisonTableInput): Figure {
  const { runs, pairs, hasOneLoss = true, title = "In numbers" } = input;
  if (runs.length === 0) throw new InvalidDataError("runs", "at least one run", "none");
  if (pairs.distance.length !== runs.length ** 2 || pairs.cosine.length !== runs.length ** 2) {
    throw new InvalidDataError("pairs", `${runs.length} × ${runs.length} pairs`, `${pairs.distance.length}`);
  }
  const drafts = [
    groupOf("Training", trainingRows(runs)),
    groupOf("Final loss and metrics", scoreRows(runs, hasOneLoss)),
    groupOf("Sharpness of the final weights", sharpnessRows(runs)),
    groupOf("Weights and path", pathRows(runs)),
    groupOf(BETWEEN, runs.length > MOST_ROWS_OF_PAIRS ? [] : pairRows(runs, pairs)),
    groupOf("Explained variance of the run's own plane", varianceRows(runs)),
  ].flat();
  const names = runs.map(({ name }) => cleanText(name));
  const table = tableOf(
    "Quantity",
    names.map((name, color) => ({ title: name, color })),
    drafts,
  );
  const matrix = pairsOf(runs, pairs);
  const described = `A table of ${drafts.map((group) => group.title.toLowerCase()).join(", ")} of ${names.join(", ")}.`;
  return figureOf({
    title,
    panels: matrix === null ? [table] : [table, matrix],
    layout: { columns: 1 },
    caption: [input.caption ?? "", ...(matrix === null ? [] : pairsCaption(matrix))],
    provenance: input.provenance,
    notes: input.notes ?? [],
    description: matrix === null ? described : `${described} ${describePairs(names, pairs)}`,
  });
}

const BETWEEN = "Between the final weights";
/** Two runs are in the table; of more a heat map shows at a glance which are near. */
const MOST_ROWS_OF_PAIRS = 2;
const DISTANCE = "Euclidean distance between the final trainable weights; only between runs of one layout.";
const COSINE = "Cosine of the angle between the final trainable weights, seen from the origin.";
const PAIRS_CAPTION =
  "Heat map: below the diagonal the Euclidean distance between the final trainable weights, above it the cosine of the angle between them, seen from the origin; dark is near.";
const NO_PAIR = "Hatched cells are pairs of different layouts, which have no distance.";

/** Distances and cosines of more than two runs as one heat map; null where there are none. */
function pairsOf(
  runs: readonly ComparedFacts[],
  { distance, cosine }: SolutionDistances,
): MatrixPanel | null {
  if (runs.length <= MOST_ROWS_OF_PAIRS || !hasPairs(runs.length, distance)) return null;
  const known = (values: Float64Array) =>
    Array.from(values, (value) => (Number.isNaN(value) ? null : encodeNumber(value)));
  return {
    kind: "matrix",
    title: BETWEEN,
    items: runs.map(({ name }, color) => ({ title: cleanText(name), color })),
    below: {
      quantity: "distance",
      phrase: "distance to",
      definition: DISTANCE,
      values: known(distance),
      isNearHigh: false,
    },
    above: {
      quantity: "cosine",
      phrase: "cosine with",
      definition: COSINE,
      values: known(cosine),
      isNearHigh: true,
    },
  };
}

function pairsCaption({ items, below: { values } }: MatrixPanel): string[] {
  const hasGap = values.some((value, index) => index % (items.length + 1) !== 0 && value === null);
  return hasGap ? [PAIRS_CAPTION, NO_PAIR] : [PAIRS_CAPTION];
}

function hasPairs(count: number, values: Float64Array): boolean {
  return values.some((value, index) => index % (count + 1) !== 0 && !Number.isNaN(value));
}

/** The heat map in a sentence: which runs end nearest to each other, and which farthest apart. */
function describePairs(names: readonly string[], { distance }: SolutionDistances): string {
  const found = names.flatMap((a, i) =>
    names.slice(0, i).flatMap((b, j) => {
      const value = distance[i * names.length + j] as number;
      return Number.isNaN(value) ? [] : [{ text: `${b} and ${a}, ${formatNumber(value)}`, value }];
    }),
  );
  const sorted = found.sort((a, b) => a.value - b.value);
  return `A heat map of the distances and cosines between their final weights: the nearest are ${sorted[0]?.text}, the farthest apart ${sorted.at(-1)?.text}.`;
}

function trainingRows(runs: readonly ComparedFacts[]): Rows {
  const counts = (name: string, of: (run: ComparedFacts) => number) =>
    rowOf(
      name,
      runs.map((run) => countCell(of(run))),
    );
  const optimizers = runs.map(({ optimizer }) => textCell(optimizer));
  return [
    rowOf("optimizer", optimizers),
    counts("epochs", ({ epochs }) => epochs),
    counts("updates", ({ iterations }) => iterations),
    counts("snapshots", ({ snapshots }) => snapshots),
    counts("trainable weights", ({ trainableCount }) => trainableCount),
  ];
}

function scoreRows(runs: readonly ComparedFacts[], hasOneLoss: boolean): Rows {
  const scores = runs.flatMap((run) => run.scores);
  const sets = [...new Set(scores.map(({ set }) => set))];
  const metrics = [...new Set(scores.flatMap((score) => Object.keys(score.metrics)))];
  const definition = "Of the last snapshot: mean over the whole set in evaluation mode, without penalties.";
  return ["loss", ...metrics].flatMap((quantity) =>
    sets.map((set) => {
      const cells = runs.map((run): TableCell => {
        const score = run.scores.find((candidate) => candidate.set === set);
        const value = quantity === "loss" ? score?.loss : score?.metrics[quantity];
        if (value === undefined) return EMPTY_CELL;
        if (Number.isNaN(value)) return { text: "NaN", value: "NaN", range: null };
        return isAccuracy(quantity) ? shareCell(value) : numberCell(value);
      });
      const name = quantity === "loss" ? "loss" : quantityOf(quantity, "accuracy").title;
      const ofLoss = hasOneLoss ? "least" : undefined;
      const best = quantity === "loss" ? ofLoss : isAccuracy(quantity) ? "greatest" : undefined;
      return rowOf(`${name}, ${set}`, cells, { definition, best });
    }),
  );
}

function sharpnessRows(runs: readonly ComparedFacts[]): Rows {
  const first = <T>(of: (run: ComparedFacts) => T | null): T | null =>
    runs.map(of).find((one) => one !== null) ?? null;
  const width = first((run) => run.width);
  const rise = first((run) => run.rise);
  const sharpness = first((run) => run.epsilonSharpness);
  return [
    rowOf(
      "λ₁ of the Hessian",
      runs.map(({ stability }) => numberCell(stability?.sharpness ?? null)),
      {
        definition:
          "Largest eigenvalue of the Hessian of the training loss, with penalties, at the last snapshot.",
      },
    ),
    rowOf(
      "share of the stability threshold",
      runs.map(({ stability }) => shareCell(stability?.share ?? null)),
      {
        definition:
          "λ₁ as a share of what the optimizer of the run is stable up to: 2/η for SGD, (2+2β)/η with momentum; for Adam 38/η and RMSProp (2+2μ)/η, of λ₁ in their own scale of each weight, which needs their recorded state.",
      },
    ),
    width &&
      rowOf(
        `width at a rise of ${formatNumber(width.rise)}`,
        runs.map(
          ({ width: own }) => own && rangeCell(own.median, own.low, own.high, own.open > 0 ? "≥ " : ""),
        ),
        {
          unit: "α",
          definition: `Width of the stretch of α around the solution in which the training loss is less than ${formatNumber(width.rise)} above its value there: median over ${width.bySeed.length} random lines, quartiles in brackets. "≥": on some line the loss does not rise that far within the range (Li et al. 2018, section 5).`,
        },
      ),
    rise &&
      rowOf(
        `mean rise at α = ±${formatNumber(rise.radius)}`,
        runs.map(({ rise: own }) => own && rangeCell(own.mean, own.low, own.high)),
        {
          definition: `Training loss at α = ±${formatNumber(rise.radius)} minus the loss at the solution: mean over ${rise.bySeed.length} random lines and both sides, quartiles over the lines in brackets.`,
        },
      ),
    sharpness &&
      rowOf(
        `ε-sharpness, ε = ${formatNumber(sharpness.epsilon)}`,
        runs.map(({ epsilonSharpness: own }) => numberCell(own?.sharpness ?? null)),
        {
          unit: "%",
          definition:
            "100·(max L − L(θ*)) / (1 + L(θ*)) over the box |z_k| ≤ ε·(|(A⁺θ*)_k| + 1) of one random plane, on a grid: a lower bound (Keskar et al. 2017, metric 2.1; there ε = 0.001 and other planes).",
        },
      ),
  ];
}

function pathRows(runs: readonly ComparedFacts[]): Rows {
  const row = (name: string, of: (run: ComparedFacts) => number, definition: string) =>
    rowOf(
      name,
      runs.map((run) => numberCell(of(run))),
      { definition },
    );
  return [
    row(
      "norm of the weights",
      ({ norm }) => norm,
      "Euclidean, over the trainable weights. Where batch norm or ReLU leaves the function unchanged under scaling, norms and distances of different networks cannot be compared.",
    ),
    row("distance travelled", ({ distance }) => distance, "From the first snapshot to the last."),
    row(
      "length of the path",
      ({ pathLength }) => pathLength,
      "Sum of the distances between successive snapshots: a lower bound, since the path need not be straight between them.",
    ),
    row(
      "straightness",
      ({ straightness }) => straightness,
      "Distance travelled divided by the length of the path; 1 is a straight line.",
    ),
  ];
}

function pairRows(runs: readonly ComparedFacts[], { distance, cosine }: SolutionDistances): Rows {
  if (runs.length < 2) return [];
  const rows = (what: string, values: Float64Array, definition: string) =>
    runs.map(({ name }, i) => {
      const cells = runs.map((_, j) => numberCell(i === j ? null : (values[i * runs.length + j] as number)));
      return rowOf(`${what} ${cleanText(name)}`, cells, { definition });
    });
  return [...rows("distance to", distance, DISTANCE), ...rows("cosine with", cosine, COSINE)];
}

function varianceRows(runs: readonly ComparedFacts[]): Rows {
  const row = (name: string, of: (run: ComparedFacts) => number | undefined, definition: string) =>
    rowOf(
      name,
      runs.map((run) => shareCell(of(run) ?? null)),
      { definition },
    );
  return ["first axis", "second axis"].flatMap((name, k) => [
    row(
      name,
      (run) => run.explainedVarianceRatio?.[k],
      "Share of the variance of the run's own snapshots along its own axes.",
    ),
    row(
      `${name}, random walk`,
      (run) => run.randomWalkBaseline?.[k],
      "The share that a random walk with steps of the same lengths, in as many dimensions, would have.",
    ),
  ]);
}

import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import type { SolutionDistances } from "../../directions/between-models.js";
import type { EpsilonSharpness } from "../../surface/lines/epsilon-sharpness.js";
import type { LevelSetWidths, MeanLossRise } from "../../surface/lines/level-set-width.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import type { Figure, TableCell, TableGroup, TablePanel, TableRow } from "../figure.js";
import { isAccuracy, quantityOf } from "./chart-parts.js";

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
  const { runs, pairs, title = "In numbers" } = input;
  if (runs.length === 0) throw new InvalidDataError("runs", "at least one run", "none");
  if (pairs.distance.length !== runs.length ** 2 || pairs.cosine.length !== runs.length ** 2) {
    throw new InvalidDataError("pairs", `${runs.length} × ${runs.length} pairs`, `${pairs.distance.length}`);
  }
  const definitions = new Definitions();
  const groups = [
    ...runGroup(runs),
    ...scoreGroup(runs, definitions),
    ...sharpnessGroup(runs, definitions),
    ...pathGroup(runs, definitions),
    ...pairGroup(runs, pairs, definitions),
    ...varianceGroup(runs, definitions),
  ];
  const names = runs.map(({ name }) => cleanText(name));
  const heading = cleanText(title);
  const table: TablePanel = {
    kind: "table",
    title: "",
    rowTitle: "Quantity",
    columns: names.map((name, color) => ({ title: name, color })),
    groups,
    definitions: definitions.texts,
  };
  return {
    version: 2,
    title: heading,
    progress: "epoch",
    runs: [],
    panels: [table],
    layout: { columns: 1 },
    fidelity: [],
    caption: cleanText(input.caption ?? ""),
    provenance: cleanText(input.provenance ?? ""),
    notes: [...new Set(input.notes ?? [])].map(cleanText),
    description: `${heading}: ${groups.map((group) => group.title.toLowerCase()).join(", ")} of ${names.join(", ")}.`,
  };
}

function runGroup(runs: readonly ComparedFacts[]): TableGroup[] {
  const counts = (of: (run: ComparedFacts) => number) => runs.map((run) => countCell(of(run)));
  return groupOf("Training", [
    rowOf(
      "optimizer",
      runs.map(({ optimizer }) => textCell(optimizer)),
    ),
    rowOf(
      "epochs",
      counts(({ epochs }) => epochs),
    ),
    rowOf(
      "updates",
      counts(({ iterations }) => iterations),
    ),
    rowOf(
      "snapshots",
      counts(({ snapshots }) => snapshots),
    ),
    rowOf(
      "trainable weights",
      counts(({ trainableCount }) => trainableCount),
    ),
  ]);
}

function scoreGroup(runs: readonly ComparedFacts[], definitions: Definitions): TableGroup[] {
  const sets = [...new Set(runs.flatMap(({ scores }) => scores.map(({ set }) => set)))];
  const metrics = [
    ...new Set(runs.flatMap(({ scores }) => scores.flatMap((score) => Object.keys(score.metrics)))),
  ];
  const definition = definitions.place(
    "Of the last snapshot: mean over the whole set in evaluation mode, penalties left out.",
  );
  const rows = ["loss", ...metrics].flatMap((quantity) =>
    sets.map((set) => {
      const cells = runs.map(({ scores }): TableCell => {
        const score = scores.find((candidate) => candidate.set === set);
        const value = quantity === "loss" ? score?.loss : score?.metrics[quantity];
        if (value === undefined) return EMPTY_CELL;
        if (Number.isNaN(value)) return { text: "NaN", value: "NaN", range: null };
        return isAccuracy(quantity) ? shareCell(value) : numberCell(value);
      });
      const name = quantity === "loss" ? "loss" : quantityOf(quantity, "accuracy").title;
      return rowOf(`${name}, ${set}`, cells, { definition });
    }),
  );
  return groupOf("Final loss and metrics", rows);
}

function sharpnessGroup(runs: readonly ComparedFacts[], definitions: Definitions): TableGroup[] {
  const width = runs.find((run) => run.width !== null)?.width ?? null;
  const rise = runs.find((run) => run.rise !== null)?.rise ?? null;
  const sharpness = runs.find((run) => run.epsilonSharpness !== null)?.epsilonSharpness ?? null;
  const rows = [];
  if (width !== null) {
    const cells = runs.map(({ width: own }) =>
      own === null ? EMPTY_CELL : rangeCell(own.median, own.low, own.high, own.open > 0 ? "≥ " : ""),
    );
    const definition = definitions.place(
      `Width of the stretch of α around the solution in which the training loss stays less than ${formatNumber(width.rise)} above its value there; median over ${width.bySeed.length} random lines, quartiles in brackets. "≥": on some line the loss does not rise so far within the range (Li et al. 2018, section 5).`,
    );
    rows.push(rowOf(`width at a rise of ${formatNumber(width.rise)}`, cells, { unit: "α", definition }));
  }
  if (rise !== null) {
    const cells = runs.map(({ rise: own }) =>
      own === null ? EMPTY_CELL : rangeCell(own.mean, own.low, own.high),
    );
    const definition = definitions.place(
      `Training loss at α = ±${formatNumber(rise.radius)} less that at the solution: mean over ${rise.bySeed.length} random lines and both sides, quartiles over the lines in brackets.`,
    );
    rows.push(rowOf(`mean rise at α = ±${formatNumber(rise.radius)}`, cells, { definition }));
  }
  if (sharpness !== null) {
    const cells = runs.map(({ epsilonSharpness: own }) => numberCell(own?.sharpness ?? null));
    const definition = definitions.place(
      `100·(max L − L(θ*)) / (1 + L(θ*)) over the box |z_k| ≤ ε·(|(A⁺θ*)_k| + 1) of one random plane, on a grid: a lower bound (Keskar et al. 2017, metric 2.1; there ε = 0.001 and other planes).`,
    );
    rows.push(rowOf(`ε-sharpness, ε = ${formatNumber(sharpness.epsilon)}`, cells, { unit: "%", definition }));
  }
  return groupOf("Sharpness of the final weights", rows);
}

function pathGroup(runs: readonly ComparedFacts[], definitions: Definitions): TableGroup[] {
  const cells = (of: (run: ComparedFacts) => number) => runs.map((run) => numberCell(of(run)));
  return groupOf("Weights and path", [
    rowOf(
      "norm of the weights",
      cells(({ norm }) => norm),
      {
        definition: definitions.place(
          "Euclidean, over the trainable weights. Where batch norm or ReLU leaves the function unchanged under scaling, norms and distances of different networks say little.",
        ),
      },
    ),
    rowOf(
      "distance travelled",
      cells(({ distance }) => distance),
      { definition: definitions.place("From the first snapshot to the last.") },
    ),
    rowOf(
      "length of the path",
      cells(({ pathLength }) => pathLength),
      {
        definition: definitions.place(
          "Sum of the distances between successive snapshots: a lower bound, since the path need not be straight between them.",
        ),
      },
    ),
    rowOf(
      "straightness",
      cells(({ straightness }) => straightness),
      {
        definition: definitions.place(
          "Distance travelled divided by the length of the path; 1 is a straight line.",
        ),
      },
    ),
  ]);
}

function pairGroup(
  runs: readonly ComparedFacts[],
  { distance, cosine }: SolutionDistances,
  definitions: Definitions,
): TableGroup[] {
  if (runs.length < 2) return [];
  const rows = (what: string, values: Float64Array, definition: string) =>
    runs.map(({ name }, i) => {
      const cells = runs.map((_, j) => numberCell(i === j ? null : (values[i * runs.length + j] as number)));
      return rowOf(`${what} ${cleanText(name)}`, cells, { definition: definitions.place(definition) });
    });
  return groupOf("Between the final weights", [
    ...rows(
      "distance to",
      distance,
      "Euclidean distance of the final trainable weights; only between runs of one layout.",
    ),
    ...rows(
      "cosine with",
      cosine,
      "Cosine of the angle between the final trainable weights, seen from the origin.",
    ),
  ]);
}

function varianceGroup(runs: readonly ComparedFacts[], definitions: Definitions): TableGroup[] {
  const share = (of: (run: ComparedFacts) => ArrayLike<number> | null, k: number) =>
    runs.map((run) => shareCell(of(run)?.[k] ?? null));
  const definition = definitions.place(
    "Share of the variance of the run's own snapshots along its own axes.",
  );
  const walk = definitions.place(
    "What a walk of independent steps of the same lengths would show in as many dimensions.",
  );
  return groupOf("Explained variance of the run's own plane", [
    ...["first axis", "second axis"].flatMap((name, k) => [
      rowOf(
        name,
        share((run) => run.explainedVarianceRatio, k),
        { definition },
      ),
      rowOf(
        `${name}, random walk`,
        share((run) => run.randomWalkBaseline, k),
        { definition: walk },
      ),
    ]),
  ]);
}

/** A cell without a value. */
export const EMPTY_CELL: TableCell = { text: "–", value: null, range: null };

/** A cell with a number; null and NaN where there is none. */
export function numberCell(
  value: number | null,
  format: (value: number) => string = formatNumber,
): TableCell {
  if (value === null || Number.isNaN(value)) return EMPTY_CELL;
  return { text: format(value), value: encodeNumber(value), range: null };
}

/** A cell with a whole number. */
export function countCell(value: number): TableCell {
  return numberCell(value, formatCount);
}

/** A cell with a share of 1, shown in percent. */
export function shareCell(value: number | null): TableCell {
  return numberCell(value, formatPercent);
}

/** A cell with a number and its bounds: "1.14 [1.02, 1.3]". */
export function rangeCell(value: number, low: number, high: number, prefix = ""): TableCell {
  const cell = numberCell(value, (shown) => `${prefix}${formatNumber(shown, 3)}`);
  if (cell.value === null) return cell;
  const text = `${cell.text} [${formatNumber(low, 3)}, ${formatNumber(high, 3)}]`;
  return { ...cell, text, range: [encodeNumber(low), encodeNumber(high)] };
}

/** A cell with words. */
export function textCell(text: string | null): TableCell {
  return text === null || text === "" ? EMPTY_CELL : { text: cleanText(text), value: null, range: null };
}

/** The definitions of a table, each once, in the order in which its rows ask for them. */
export class Definitions {
  readonly texts: string[] = [];

  /** Position of a definition, which is added where it is new. */
  place(text: string): number {
    const found = this.texts.indexOf(text);
    return found >= 0 ? found : this.texts.push(text) - 1;
  }
}

/** A row; null where no column has a value. */
export function rowOf(
  name: string,
  cells: readonly TableCell[],
  parts: Partial<Pick<TableRow, "unit" | "definition">> = {},
): TableRow | null {
  if (cells.every((cell) => cell === EMPTY_CELL)) return null;
  return { name: cleanText(name), unit: "", definition: null, cells, ...parts };
}

/** A group of the rows that have values, or none if there is no row. */
export function groupOf(title: string, rows: readonly (TableRow | null)[]): TableGroup[] {
  const present = rows.filter((row) => row !== null);
  return present.length === 0 ? [] : [{ title, rows: present }];
}

import pick from "lodash/pick.js";
import type { BackendChoice } from "../../backend/backend-info.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import type { EmbeddingMethod, RunsEmbedding } from "../../embedding/runs-embedding.js";
import { toRows } from "../../json.js";
import type { LossEvaluator } from "../../model/loss-evaluator.js";
import { embed } from "../../pipeline/embed.js";
import { type EmbedOptions, type EmbedStep, METHOD_OPTIONS } from "../../pipeline/embed-options.js";
import { type RunPoints, readRunPoints } from "../../pipeline/run-points.js";
import type { NamedFigure } from "../../pipeline/write-report.js";
import { createEmbeddingFigure } from "../../report/create-embedding-figure.js";
import { createTopologyFigure } from "../../report/create-topology-figure.js";
import type { EmbeddingColor } from "../../report/embedding-figure.js";
import { openRun } from "../../store/open-run.js";
import type { Run } from "../../store/run.js";
import { defined } from "../defined.js";
import { interruptible } from "../interruption.js";
import type { Output } from "../output.js";
import { outputFolder } from "../output-folder.js";
import type { Progress } from "../progress.js";
import { openSliceTools, type PictureCommandOptions, writePictures } from "../slice-tools.js";
import { startBackend } from "../start-backend.js";
import { refuseStray } from "../stray-options.js";

/** Options of `embed`. */
export interface EmbedCommandOptions
  extends PictureCommandOptions,
    Omit<
      EmbedOptions,
      | "method"
      | "components"
      | "lossLog"
      | "evaluator"
      | "nonFinite"
      | "directory"
      | "linearAlgebra"
      | "points"
    > {
  readonly method?: readonly EmbeddingMethod[];
  readonly dimensions?: 2 | 3;
  readonly color?: EmbeddingColor;
  readonly log?: string;
  readonly data?: string;
  readonly dropNonFinite?: boolean;
  readonly backend?: BackendChoice;
}

/** Options that every method takes. */
const COMMON = ["weights", "knnDist", "nPca", "center", "seed", "stability", "force"] as const;

/** `embed RUN…`: snapshots of runs in two or three dimensions, by one method or several. */
export async function embedCommand(
  directories: readonly string[],
  options: EmbedCommandOptions,
  output: Output,
): Promise<void> {
  const methods = [...new Set(options.method ?? (["phate"] as const))];
  checkOwners(options, methods);
  const runs: Run[] = [];
  for (const directory of directories) runs.push(await openRun(directory));
  const [first] = runs as [Run];
  await interruptible(output, async (signal) => {
    const { data } = options;
    const given = defined(pick(options, ["backend"]));
    const tools =
      data === undefined ? null : await openSliceTools(first, { data, ...given }, output, undefined, signal);
    if (tools === null) await startBackend(options.backend, output);
    try {
      const evaluator = tools?.sets[0]?.evaluator;
      await embedRuns(runs, methods, { ...options, signal }, evaluator, output);
    } finally {
      tools?.dispose();
    }
  });
}

async function embedRuns(
  runs: readonly Run[],
  methods: readonly EmbeddingMethod[],
  options: EmbedCommandOptions,
  evaluator: LossEvaluator | undefined,
  output: Output,
): Promise<void> {
  const [first] = runs as [Run];
  const folder = outputFolder(options.out, first.directory);
  const linearAlgebra = createLinearAlgebra();
  const steps = createSteps(output);
  const nonFinite = options.dropNonFinite === true ? ("drop" as const) : ("error" as const);
  const { weights = "trainable" } = options;
  let known: Promise<RunPoints> | undefined;
  const points = (): Promise<RunPoints> => {
    const onProgress = (done: number, total: number): void => steps.update("", "rows", done, total);
    const asked = { weights, nonFinite, onProgress };
    known ??= readRunPoints(runs, linearAlgebra, { ...asked, ...defined(pick(options, ["signal"])) });
    return known;
  };
  const found: RunsEmbedding[] = [];
  for (const method of methods) {
    const given = {
      ...pick(options, COMMON),
      ...pick(options, METHOD_OPTIONS[method]),
      ...defined({ components: options.dimensions, lossLog: options.log, evaluator, signal: options.signal }),
    };
    // PCA has nothing to vary: beside other methods it is left out of the comparison.
    const isStable = method === "pca" && methods.length > 1 ? { stability: false } : {};
    const onProgress = (step: EmbedStep, done: number, total: number): void =>
      steps.update(method, step, done, total);
    found.push(
      await embed(runs, {
        ...given,
        ...isStable,
        method,
        nonFinite,
        directory: folder,
        linearAlgebra,
        points,
        onProgress,
      }).finally(() => steps.stop()),
    );
  }
  output.warn([...runs.flatMap((run) => run.warnings), ...found.flatMap(({ warnings }) => warnings)]);
  const figures = figuresOf(found, options);
  const title = options.title ?? `Embedding of ${runs.map(({ manifest }) => manifest.name).join(" and ")}`;
  const files = await writePictures("embedding", folder, figures, { ...options, title }, output);
  const results = found.map(jsonOf);
  output.result(results.length === 1 ? { ...results[0], files } : { methods: results, files });
  for (const line of comparison(found)) output.print(line);
}

function figuresOf(found: readonly RunsEmbedding[], options: EmbedCommandOptions): NamedFigure[] {
  return found.flatMap((embedding) => {
    const figure = createEmbeddingFigure(embedding, defined(pick(options, ["color"])));
    const name = `embedding-${embedding.method}-${embedding.components}d`;
    const title = options.title ?? figure.title;
    return [
      { name, figure: { ...figure, title } },
      ...(embedding.topology === null ? [] : [{ name: "topology", figure: createTopologyFigure(embedding) }]),
    ];
  });
}

/** An option that none of the methods takes would be without effect. */
function checkOwners(options: EmbedCommandOptions, methods: readonly EmbeddingMethod[]): void {
  for (const [owner, names] of Object.entries(METHOD_OPTIONS)) {
    if (methods.includes(owner as EmbeddingMethod)) continue;
    refuseStray(options, names, `--method ${owner}, which takes it`, `--method ${methods.join(", ")}`);
  }
}

function jsonOf(embedding: RunsEmbedding) {
  const { coordinates, topology, ...rest } = embedding;
  return { ...rest, coordinates: toRows(coordinates, embedding.run.length), topology };
}

/** A table: method, trustworthiness, path continuity. */
function comparison(found: readonly RunsEmbedding[]): string[] {
  const number = (value: number): string => (Number.isFinite(value) ? value.toFixed(4) : "–");
  const rows = [
    ["method", "trustworthiness", "path continuity"],
    ...found.map(({ method, quality }) => [
      method,
      number(quality.trustworthiness),
      number(quality.pathContinuity),
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const table = rows.map((row) =>
    row
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c] as number) : cell.padStart(widths[c] as number)))
      .join("  "),
  );
  const stable = found.flatMap(({ method, stability }) =>
    stability === null
      ? []
      : [
          `${method}: Procrustes disparity over ${stability.settings.length} settings ${number(stability.meanDisparity)} on average, ${number(stability.maxDisparity)} at most (0: same shape)`,
        ],
  );
  const topology = found.flatMap(({ topology: found }) => {
    if (found === null) return [];
    const basins = found.pairs.filter(({ dimension }) => dimension === 0).length;
    const cycles = found.pairs.length - basins;
    const { pLower, pUpper } = found.null;
    return [
      `topology: ${basins} basins, ${cycles} cycles; smoother than chance p = ${number(pLower)}, rougher p = ${number(pUpper)}`,
    ];
  });
  return [...table, ...stable, ...topology];
}

const TITLES: Readonly<Record<EmbedStep, string>> = {
  rows: "inner products of snapshots",
  losses: "losses of snapshots",
  embedding: "embedding",
  stability: "stability",
  topology: "topology",
};

/** One progress bar for each step of each method. */
function createSteps(output: Output) {
  let key = "";
  let bar: Progress | undefined;
  return {
    update(method: string, step: EmbedStep, done: number, total: number): void {
      const title = [method, TITLES[step]].filter((part) => part !== "").join(": ");
      if (title !== key) {
        bar?.stop();
        bar = output.progress(title);
        key = title;
      }
      bar?.update(done, total);
    },
    stop(): void {
      bar?.stop();
      bar = undefined;
      key = "";
    },
  };
}

import { type Command, InvalidArgumentError, Option } from "commander";
import pick from "lodash/pick.js";
import { embedRuns as computeEmbedding } from "../../analysis/embed.js";
import { type EmbedOptions, type EmbedStep, METHOD_OPTIONS } from "../../analysis/embed-options.js";
import { checkAlignment, readEmbedPoints } from "../../analysis/embed-points.js";
import { openRunPart } from "../../analysis/model-point.js";
import type { RunPoints } from "../../analysis/run-points.js";
import type { NamedFigure } from "../../analysis/write-report.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined, toRows } from "../../base/json.js";
import { ALIGN_METHODS, type AlignMethod } from "../../between/align-models.js";
import {
  EMBEDDING_METHODS,
  type EmbeddingMethod,
  type RunsEmbedding,
} from "../../embedding/runs-embedding.js";
import {
  createEmbeddingFigure,
  EMBEDDING_COLORS,
  type EmbeddingColor,
} from "../../figure/make/create-embedding-figure.js";
import { createTopologyFigure } from "../../figure/make/create-topology-figure.js";
import { titleOfRuns } from "../../figure/make/run-data.js";
import type { Run } from "../../store/run/run.js";
import {
  alignMethodOf,
  backendOption,
  outputFolder,
  parseCount,
  parseModuleFile,
  refuseStray,
  stepOptions,
  triesOption,
} from "../command-options.js";
import { interruptible } from "../interruption.js";
import { type Evaluation, evaluationOf, type SliceTools, startBackend } from "../open-evaluator.js";
import { createOutput, type Output, type Progress } from "../output.js";
import { type PictureCommandOptions, pictureOptions, writePictures } from "../pictures.js";
import { embedPredictionsCommand } from "./embed-predictions.js";

/** Options of `embed`. */
export interface EmbedCommandOptions
  extends PictureCommandOptions,
    Omit<
      EmbedOptions,
      "method" | "lossLog" | "evaluator" | "nonFinite" | "directory" | "linearAlgebra" | "points" | "align"
    > {
  readonly method?: readonly (EmbeddingMethod | "inpca")[];
  readonly space?: "weights" | "predictions";
  readonly probe?: number;
  readonly test?: boolean;
  readonly batchNorm?: "keep" | "recalibrate";
  readonly dimensions?: 2 | 3;
  readonly align?: AlignMethod | true;
  readonly tries?: number;
  readonly color?: EmbeddingColor;
  readonly log?: string;
  readonly data?: string;
  readonly dropNonFinite?: boolean;
  readonly backend?: BackendChoice;
}

/** Options that every method takes. */
const COMMON = ["weights", "knnDist", "nPca", "centered", "seed", "stability", "force"] as const;

/** `embed RUN…`: snapshots of runs in two or three dimensions, by one method or several. */
export async function embedCommand(
  directories: readonly string[],
  options: EmbedCommandOptions,
  evaluation: Evaluation | null,
  output: Output,
): Promise<void> {
  if (options.space === "predictions") return embedPredictionsCommand(directories, options, output);
  refuseStray(
    options,
    ["probe", "test", "batchNorm"],
    "--space predictions, which takes it",
    "--space weights",
  );
  const methods = [...new Set(options.method ?? (["phate"] as const))].map((method) => {
    if (method !== "inpca") return method;
    throw new InvalidOptionError(
      "--method inpca",
      "--space predictions, whose distances it is for",
      "--space weights",
    );
  });
  checkOwners(options, methods);
  const method = alignMethodOf(options);
  const runs: Run[] = [];
  for (const reference of directories) runs.push(await openRunPart(reference, options));
  const [first] = runs as [Run];
  const { data, tries } = options;
  if (method !== undefined) checkAlign(runs, method, data);
  await interruptible(output, async (signal) => {
    const tools = evaluation === null ? null : await evaluation.open(first, output, { signal });
    if (tools === null) await startBackend(options.backend, output);
    try {
      const align =
        method === undefined || tools === null
          ? undefined
          : { method, tries, ...alignedBy(tools, directories) };
      const given = { align, evaluator: tools?.sets[0]?.evaluator };
      await embedRuns(runs, methods, { ...options, signal }, defined(given), output);
    } finally {
      tools?.dispose();
    }
  });
}

/** Refuses what cannot be aligned before any data is read. */
function checkAlign(runs: readonly Run[], method: AlignMethod, data: string | undefined): void {
  if (data === undefined) {
    throw new InvalidOptionError("--align", "--data MODULE, on whose samples units are checked", "none");
  }
  checkAlignment(runs, { method });
}

function alignedBy({ model, data }: SliceTools, directories: readonly string[]) {
  if (model !== null) return { model, data };
  throw new InvalidOptionError("--align", "runs of a model", `variables in ${directories.join(", ")}`);
}

async function embedRuns(
  runs: readonly Run[],
  methods: readonly EmbeddingMethod[],
  options: EmbedCommandOptions,
  tools: Pick<EmbedOptions, "align" | "evaluator">,
  output: Output,
): Promise<void> {
  const [first] = runs as [Run];
  const folder = outputFolder(options.out, first.directory);
  const linearAlgebra = createLinearAlgebra();
  const steps = createSteps(output);
  const nonFinite = options.dropNonFinite === true ? ("drop" as const) : ("error" as const);
  const shared: EmbedOptions = { ...defined(pick(options, ["weights", "signal"])), ...tools, nonFinite };
  let known: Promise<RunPoints> | undefined;
  const points = (): Promise<RunPoints> => {
    const onProgress = (step: EmbedStep, done: number, total: number): void =>
      steps.update("", step, done, total);
    known ??= readEmbedPoints(runs, linearAlgebra, { ...shared, onProgress });
    return known;
  };
  const found: RunsEmbedding[] = [];
  for (const method of methods) {
    const given = {
      ...pick(options, COMMON),
      ...pick(options, METHOD_OPTIONS[method]),
      ...defined({ dimensions: options.dimensions, lossLog: options.log }),
    };
    // PCA has nothing to vary: beside other methods it is left out of the comparison.
    const isStable = method === "pca" && methods.length > 1 ? { stability: false } : {};
    const onProgress = (step: EmbedStep, done: number, total: number): void =>
      steps.update(method, step, done, total);
    found.push(
      await computeEmbedding(runs, {
        ...shared,
        ...given,
        ...isStable,
        method,
        directory: folder,
        linearAlgebra,
        points,
        onProgress,
      }).finally(() => steps.stop()),
    );
  }
  output.warn([...runs.flatMap((run) => run.warnings), ...found.flatMap(({ warnings }) => warnings)]);
  const figures = figuresOf(found, options);
  const suffix = tools.align === undefined ? "" : "aligned";
  const names = titleOfRuns(runs.map(({ manifest }) => manifest.name));
  const title = options.title ?? `Embedding of ${[names, suffix].filter(Boolean).join(", ")}`;
  const page = ["embedding", suffix].filter(Boolean).join("-");
  const files = await writePictures(page, folder, figures, { ...options, title }, output);
  const results = found.map(jsonOf);
  output.result(results.length === 1 ? { ...results[0], files } : { methods: results, files });
  for (const line of comparison(found)) output.print(line);
}

function figuresOf(found: readonly RunsEmbedding[], options: EmbedCommandOptions): NamedFigure[] {
  return found.flatMap((embedding) => {
    const figure = createEmbeddingFigure(embedding, defined(pick(options, ["color"])));
    const { alignment } = embedding.facts;
    const suffix = alignment === undefined ? "" : "-aligned";
    const name = `embedding-${embedding.method}-${embedding.dimensions}d${suffix}`;
    const title = options.title ?? figure.title;
    return [
      { name, figure: { ...figure, title } },
      ...(embedding.topology === null
        ? []
        : [{ name: `topology${suffix}`, figure: createTopologyFigure(embedding) }]),
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

/** Declares the arguments and options of `embed`. */
export function declareEmbed(command: Command): void {
  triesOption(stepOptions(command))
    .argument("<runs...>", "run directories of one layout; RUN@A..B is a part of a run")
    .addOption(
      new Option("--method <methods...>", "how to embed; several are compared").choices([
        ...EMBEDDING_METHODS,
        "inpca",
      ]),
    )
    .addOption(
      new Option(
        "--space <what>",
        "place snapshots by their weights (default), or by predictions, of networks of any shape",
      ).choices(["weights", "predictions"]),
    )
    .option("--probe <n>", "predictions: samples that are predicted (default: 1000)", parseCount("--probe"))
    .option("--test", "predictions: of the module's loadTestData()")
    .addOption(
      new Option("--batch-norm <policy>", "predictions: moving statistics (default: recalibrate)").choices([
        "keep",
        "recalibrate",
      ]),
    )
    .addOption(
      new Option(
        "--align [how]",
        "weights: bring the units of each run into the order of the first one's, with --data (default: weights)",
      ).choices(ALIGN_METHODS),
    )
    .option("--dimensions <n>", "2 or 3", parseDimensions)
    .addOption(new Option("--color <what>", "colour of points (default: loss)").choices(EMBEDDING_COLORS))
    .option("--log <name>", "log that is the loss, such as val_loss (default: loss)")
    .option(
      "--data <module>",
      "JS or TS module that exports loadData(): colours by the true loss",
      parseModuleFile,
    )
    .addOption(new Option("--weights <which>", "weights that count").choices(["trainable", "all"]))
    .addOption(
      new Option("--knn-dist <metric>", "distance between snapshots").choices(["euclidean", "cosine"]),
    )
    .option("--n-pca <n>", "principal components kept before distances, or none", parseOrNone("--n-pca"))
    .option("--centered", "subtract the mean snapshot before cosine distances")
    .option("--no-centered", "do not")
    .addOption(new Option("--center").hideHelp())
    .addOption(new Option("--no-center").hideHelp())
    .option("--seed <n>", "seed of what is random (default: 0)", parseCount("--seed", 0))
    .option("--drop-non-finite", "leave out snapshots with weights that are not finite")
    .option("--stability", "embed with several settings and compare the shapes")
    .option("--topology", "PHATE: persistence of the loss on the neighbour graph")
    .option("--force", "compute again, also where stored results are up to date")
    .addOption(backendOption());
  // Without a default: both forms undefined leaves the choice to PHATE's own rule.
  command.setOptionValue("centered", undefined).setOptionValue("center", undefined);
  pictureOptions(methodOptions(command)).action((runs, options) =>
    embedCommand(runs, libraryOptions(options), evaluationIn(options), createOutput(options)),
  );
}

/** How the losses of snapshots are evaluated, where data are given. */
function evaluationIn({ data, backend }: EmbedCommandOptions): Evaluation | null {
  return data === undefined ? null : evaluationOf({ data, ...defined({ backend }) });
}

function methodOptions(command: Command): Command {
  return command
    .option("--knn <n>", "PHATE: neighbour that sets the bandwidth (default: 5)", parseCount("--knn"))
    .option("--knn-max <n>", "PHATE: most neighbours of a point", parseCount("--knn-max"))
    .option("--decay <x>", 'PHATE: exponent of the kernel, or "none" (default: 40)', parseOrNone("--decay"))
    .option("--t <n>", 'PHATE: steps of diffusion, or "auto"', parseSteps)
    .option("--t-max <n>", "PHATE: powers tried for t (default: 100)", parseCount("--t-max"))
    .option("--gamma <x>", "PHATE: potential, from -1 to 1 (default: 1)", parseNumber("--gamma"))
    .addOption(
      new Option("--mds-dist <metric>", "PHATE: distance of potentials").choices(["euclidean", "cosine"]),
    )
    .addOption(new Option("--mds <kind>", "PHATE: scaling").choices(["classic", "metric", "nonmetric"]))
    .addOption(
      new Option("--mds-solver <name>", "PHATE: solver of metric scaling").choices(["smacof", "sgd"]),
    )
    .option(
      "--n-landmark <n>",
      'PHATE: most landmarks, or "none" (default: 2000)',
      parseOrNone("--n-landmark"),
    )
    .option(
      "--n-neighbors <n>",
      "UMAP: size of a neighbourhood (default: 15)",
      parseCount("--n-neighbors", 2),
    )
    .option("--min-dist <x>", "UMAP: least distance in the picture (default: 0.1)", parseNumber("--min-dist"))
    .option("--spread <x>", "UMAP: spread of the picture (default: 1)", parseNumber("--spread"))
    .addOption(new Option("--init <places>", "UMAP: start (default: pca)").choices(["pca", "random"]))
    .option("--n-epochs <n>", "UMAP: sweeps (default: 500)", parseCount("--n-epochs"))
    .option("--perplexity <x>", "t-SNE: effective neighbours (default: 30)", parseNumber("--perplexity"))
    .option("--epsilon <x>", "t-SNE: learning rate (default: 10)", parseNumber("--epsilon"))
    .option("--iterations <n>", "t-SNE: iterations (default: 1000)", parseCount("--iterations"));
}

function parseDimensions(text: string): 2 | 3 {
  if (text === "2") return 2;
  if (text === "3") return 3;
  throw new InvalidArgumentError(`--dimensions: expected 2 or 3, got "${text}".`);
}

function parseNumber(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value)) return value;
    throw new InvalidArgumentError(`${name}: expected a number, got "${text}".`);
  };
}

function parseOrNone(name: string): (text: string) => number | "none" {
  return (text) => {
    const value = Number(text);
    if (text === "none") return text;
    if (text.trim() !== "" && Number.isFinite(value)) return value;
    throw new InvalidArgumentError(`${name}: expected a number or none, got "${text}".`);
  };
}

/**
 * Options as the library has them: the flag that was renamed under its new name, and "none" as null (commander
 * makes an empty text of a null that a parser returns).
 */
function libraryOptions(
  options: EmbedCommandOptions & { readonly center?: boolean | null },
): EmbedCommandOptions {
  const { center, ...given } = options;
  const values: Readonly<Record<string, unknown>> = given;
  const none = ["nPca", "decay", "nLandmark"].filter((name) => values[name] === "none");
  const nulls = Object.fromEntries(none.map((name) => [name, null]));
  return { ...given, ...defined({ centered: given.centered ?? center }), ...nulls };
}

function parseSteps(text: string): number | "auto" {
  const value = Number(text);
  if (text === "auto") return text;
  if (text.trim() !== "" && Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(`--t: expected auto or an integer of at least 1, got "${text}".`);
}

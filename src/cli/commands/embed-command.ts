import { type Command, InvalidArgumentError, Option } from "commander";
import { EMBEDDING_METHODS } from "../../embedding/runs-embedding.js";
import { EMBEDDING_COLORS } from "../../report/embedding-figure.js";
import { backendOption, pictureOptions, subcommand } from "../command-options.js";
import { createOutput } from "../output.js";
import { parseCount } from "../parse-arguments.js";
import { type EmbedCommandOptions, embedCommand } from "./embed.js";

/** Registers `embed RUN…`. */
export function addEmbed(program: Command): void {
  const command = subcommand(program, "embed")
    .description("snapshots of runs in two or three dimensions by PHATE, PCA, UMAP or t-SNE")
    .argument("<runs...>", "run directories of one layout")
    .addOption(
      new Option("--method <methods...>", "how to embed; several are compared").choices(EMBEDDING_METHODS),
    )
    .option("--dimensions <n>", "2 or 3", parseDimensions)
    .addOption(new Option("--color <what>", "colour of points (default: loss)").choices(EMBEDDING_COLORS))
    .option("--log <name>", "log that is the loss, such as val_loss (default: loss)")
    .option("--data <module>", "JS or TS module that exports loadData(): colours by the true loss")
    .addOption(new Option("--weights <which>", "weights that count").choices(["trainable", "all"]))
    .addOption(
      new Option("--knn-dist <metric>", "distance between snapshots").choices(["euclidean", "cosine"]),
    )
    .option("--n-pca <n>", "principal components kept before distances, or none", parseOrNone("--n-pca"))
    .option("--center", "subtract the mean snapshot before cosine distances")
    .option("--no-center", "do not")
    .option("--seed <n>", "seed of what is random (default: 0)", parseCount("--seed", 0))
    .option("--drop-non-finite", "leave out snapshots with weights that are not finite")
    .option("--stability", "embed with several settings and compare the shapes")
    .option("--topology", "PHATE: persistence of the loss on the neighbour graph")
    .option("--force", "compute again, also where stored results are up to date")
    .addOption(backendOption());
  // Without a default: both forms undefined leaves the choice to PHATE's own rule.
  command.setOptionValue("center", undefined);
  pictureOptions(methodOptions(command)).action((runs, options) =>
    embedCommand(runs, withNulls(options), createOutput(options.json)),
  );
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

/** "none" means null to the library; commander makes an empty text of a null that a parser returns. */
function withNulls(options: EmbedCommandOptions): EmbedCommandOptions {
  const given: Readonly<Record<string, unknown>> = { ...options };
  const none = ["nPca", "decay", "nLandmark"].filter((name) => given[name] === "none");
  return { ...options, ...Object.fromEntries(none.map((name) => [name, null])) };
}

function parseSteps(text: string): number | "auto" {
  const value = Number(text);
  if (text === "auto") return text;
  if (text.trim() !== "" && Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(`--t: expected auto or an integer of at least 1, got "${text}".`);
}

import { Command, Option } from "commander";
import { SLICE_PLANES } from "../analysis/plane-points.js";
import { ownPackageVersion } from "../base/package-files.js";
import {
  approximateOptions,
  backendOption,
  interruptionOptions,
  lineOptions,
  normalizationOptions,
  parseCount,
  parseMargin,
  parsePoints,
  parseSeeds,
  pictureOptions,
  planeOptions,
  sliceOptions,
  subcommand,
} from "./command-options.js";
import { addCompare } from "./commands/compare.js";
import { demo } from "./commands/demo.js";
import { addEmbed } from "./commands/embed.js";
import { addExport } from "./commands/export-command.js";
import { inspect } from "./commands/inspect.js";
import { interpolate, line } from "./commands/interpolate.js";
import { addJump } from "./commands/jump-command.js";
import { pca } from "./commands/pca.js";
import { plot } from "./commands/plot.js";
import { surface } from "./commands/surface.js";
import { addWatch } from "./commands/watch-command.js";
import { weights } from "./commands/weights.js";
import { createOutput, EXIT, reportError, usageMessage } from "./output.js";

/**
 * Runs the command line and returns its exit code: 0 done, 2 bad input (one line on stderr says what),
 * 1 anything unexpected.
 *
 * @param args - arguments after the program's name.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    return reportError(error);
  }
}

function createProgram(): Command {
  const program = new Command("tfjs-landscape")
    .description("Loss landscapes and optimizer trajectories for TensorFlow.js")
    .version(ownPackageVersion())
    .configureOutput({
      outputError: (text, write) => write(`tfjs-landscape: ${usageMessage(text)} (see --help)\n`),
    })
    .exitOverride();
  addDemo(program);
  addInspect(program);
  addPca(program);
  addSurface(program);
  addPlot(program);
  addInterpolate(program);
  addLine(program);
  addWeights(program);
  addJump(program);
  addEmbed(program);
  addExport(program);
  addWatch(program);
  addCompare(program);
  return program;
}

function addDemo(program: Command): void {
  subcommand(program, "demo")
    .description("train a LeNet on MNIST with SGD and with Adam, and draw where both went")
    .option("--out <dir>", "folder for the runs and the report", "landscape-demo")
    .option("--overwrite", "replace the runs and the report of an earlier demo in that folder")
    .option("--epochs <n>", "epochs of each training", parseCount("--epochs", 2), 12)
    .option("--images <n>", "training images", parseCount("--images"), 3000)
    .option("--points <n>", "grid points a side", parsePoints, [15, 15] as const)
    .option("--seed <n>", "seed of weights and batches", parseCount("--seed", 0), 1)
    .addOption(backendOption())
    .action((options) => demo(options, createOutput(options.json)));
}

function addInspect(program: Command): void {
  subcommand(program, "inspect")
    .description("say what a run directory holds")
    .argument("<run>", "run directory")
    .action((run, options) => inspect(run, createOutput(options.json)));
}

function addPca(program: Command): void {
  planeOptions(subcommand(program, "pca"))
    .description("principal components of a run's trajectory, and the path on them")
    .argument("<run>", "run directory")
    .addOption(backendOption())
    .action((run, options) => pca(run, options, createOutput(options.json)));
}

function addSurface(program: Command): void {
  const command = planeOptions(subcommand(program, "surface"))
    .description("loss surface on a plane: of a run's principal components, or another one with --plane")
    .argument("<runs...>", "run directories; RUN@STEP is a snapshot of a run (with --plane)")
    .addOption(new Option("--plane <plane>", "where the surface lies").choices(SLICE_PLANES).default("pca"))
    .option("--points <n>", "grid points: 21, or 21x15 (first axis x second axis)", parsePoints)
    .option("--margin <share>", "margin around the path as a share of its extent", parseMargin)
    .option("--range <range>", 'literal range "x0:x1:nx,y0:y1:ny" instead of one around the path')
    .option("--seed <n>", "seed of random directions (default: 0)", parseCount("--seed", 0))
    .option("--directions <file>", "Arrow file of directions for --plane custom")
    .option("--metric <name>", "metric to draw instead of the loss")
    .option("--error", "show error instead of accuracy, with --metric");
  const slice = normalizationOptions(sliceOptions(command));
  pictureOptions(approximateOptions(interruptionOptions(slice))).action((runs, options) =>
    surface(runs, options, createOutput(options.json)),
  );
}

function addInterpolate(program: Command): void {
  const command = subcommand(program, "interpolate")
    .description("loss and metric on the line between two models or snapshots")
    .argument("<a>", "run directory, or RUN@STEP for a snapshot of it")
    .argument("<b>", "run directory, or RUN@STEP");
  lineOptions(command).action((a, b, options) => interpolate(a, b, options, createOutput(options.json)));
}

function addLine(program: Command): void {
  const command = subcommand(program, "line")
    .description("loss and metric along random directions from a model, with a band over seeds")
    .argument("<run>", "run directory, or RUN@STEP for a snapshot of it")
    .option("--seeds <seeds>", "one direction for each: 0,1,2 or 0..9 (default: 0)", parseSeeds);
  normalizationOptions(lineOptions(command)).action((run, options) =>
    line(run, options, createOutput(options.json)),
  );
}

function addWeights(program: Command): void {
  const command = subcommand(program, "weights")
    .description("training curves, weight norms, distances and histograms of runs, and angles of their steps")
    .argument("<runs...>", "run directories")
    .option("--accuracy", "show accuracy instead of error")
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(command).action((runs, options) => weights(runs, options, createOutput(options.json)));
}

function addPlot(program: Command): void {
  subcommand(program, "plot")
    .description("draw all that a run directory holds as SVG, PNG and one HTML page")
    .argument("<run>", "run directory with a surface, lines or weights that have been computed")
    .option("--out <dir>", "folder for the files (default: the run directory)")
    .addOption(new Option("--format <formats...>", "files to write").choices(["svg", "png", "html"]))
    .addOption(new Option("--error", "show errors instead of accuracies everywhere").conflicts("accuracy"))
    .option("--accuracy", "show accuracies instead of errors everywhere")
    .option("--title <text>", "title of the figure (default: the run's name)")
    .option("--width <px>", "width of the pictures", parseCount("--width", 200))
    .option("--height <px>", "height of the pictures", parseCount("--height", 200))
    .action((run, options) => plot(run, options, createOutput(options.json)));
}

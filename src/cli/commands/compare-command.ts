import { type Command, Option } from "commander";
import {
  evaluationOptions,
  normalizationOptions,
  planeOptions,
  subcommand,
  workerOptions,
} from "../command-options.js";
import { createOutput } from "../output.js";
import {
  parseCount,
  parseLineRange,
  parseMargin,
  parsePoints,
  parsePositive,
  parseSeeds,
} from "../parse-arguments.js";
import { compare } from "./compare.js";

/** Adds `compare` to the program. */
export function addCompare(program: Command): void {
  const command = normalizationOptions(
    planeOptions(workerOptions(evaluationOptions(subcommand(program, "compare")))),
  );
  command
    .description("runs against each other: one plane for all, planes side by side, sharpness, a table")
    .argument("<runs...>", "run directories, at least two")
    .option("--points <n>", "grid points: 21, or 21x15 (first axis x second axis)", parsePoints)
    .option("--margin <share>", "margin around the paths as a share of their extent", parseMargin)
    .option("--seeds <seeds>", "seeds of the random lines: 0,1,2 or 0..9 (default: 0..4)", parseSeeds)
    .option("--range <range>", 'range of the random lines, "x0:x1:n" (default: -1:1:41)', parseLineRange)
    .option("--rise <loss>", "rise of the loss at which widths are read", parsePositive("--rise"))
    .option("--radius <alpha>", "distance at which the mean rise is read", parsePositive("--radius"))
    .option("--epsilon <size>", "box of the epsilon-sharpness (default: 0.05)", parsePositive("--epsilon"))
    .option("--accuracy", "show accuracies instead of errors in the figures")
    .option("--out <dir>", "folder for results and pictures", "comparison")
    .addOption(new Option("--format <formats...>", "files to write").choices(["svg", "png", "html", "csv"]))
    .option("--title <text>", "title of the page (default: the names of the runs)")
    .option("--width <px>", "width of the pictures", parseCount("--width", 200))
    .option("--height <px>", "height of the pictures", parseCount("--height", 200))
    .action((runs, options) => compare(runs, options, createOutput(options.json)));
}

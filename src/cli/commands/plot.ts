import { type Command, Option } from "commander";
import { readFigures } from "../../analysis/read-figures.js";
import { MOVIE_FORMATS, writeReport } from "../../analysis/write-report.js";
import { defined } from "../../base/json.js";
import { openRun } from "../../store/run/open-run.js";
import { outputFolder } from "../command-options.js";
import { createOutput, type Output } from "../output.js";
import {
  type AccuracyCommandOptions,
  accuracyFormOf,
  type PictureCommandOptions,
  styleOf,
  styleOptions,
} from "../pictures.js";

/** Options of `plot`. */
export interface PlotCommandOptions extends PictureCommandOptions, AccuracyCommandOptions {
  readonly surface?: string;
}

/** `plot RUN`: draws again what `surface`, `line`, `interpolate` and `weights` stored in the run's directory. */
export async function plot(directory: string, options: PlotCommandOptions, output: Output): Promise<void> {
  const style = styleOf(options);
  const run = await openRun(directory);
  const out = outputFolder(options.out, run.directory);
  const { title, surface } = options;
  const { figures, warnings } = await readFigures(run, {
    title,
    surface,
    accuracyAs: accuracyFormOf(options),
  });
  output.warn(warnings);
  const files = await writeReport(out, figures, { ...style, ...defined({ formats: options.format }) });
  output.result({ files });
  for (const file of files) output.print(file);
}

/** Declares the arguments and options of `plot`. */
export function declarePlot(command: Command): void {
  styleOptions(command)
    .argument("<run>", "run directory with a surface, lines or weights that have been computed")
    .option(
      "--surface <name>",
      "stored surface to draw, as inspect lists them (default: the newest of each plane)",
    )
    .option("--out <dir>", "folder for the files (default: the run directory)")
    .addOption(
      new Option("--format <formats...>", "files to write").choices([
        "svg",
        "png",
        "pdf",
        ...MOVIE_FORMATS,
        "html",
      ]),
    )
    .addOption(new Option("--error", "show errors instead of accuracies everywhere").conflicts("accuracy"))
    .option("--accuracy", "show accuracies instead of errors everywhere")
    .option("--title <text>", "title of the figure (default: the run's name)")
    .action((run, options) => plot(run, options, createOutput(options)));
}

import { type Command, Option } from "commander";
import { readFigures } from "../../analysis/read-figures.js";
import { type ReportFormat, writeReport } from "../../analysis/write-report.js";
import { openRun } from "../../store/run/open-run.js";
import { accuracyFormOf, defined, outputFolder, parseCount } from "../command-options.js";
import { createOutput, type Output } from "../output.js";

/** Options of `plot`. */
export interface PlotCommandOptions {
  readonly out?: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
  readonly error?: boolean;
  readonly accuracy?: boolean;
  readonly surface?: string;
}

/** `plot RUN`: draws again what `surface`, `line`, `interpolate` and `weights` stored in the run's directory. */
export async function plot(directory: string, options: PlotCommandOptions, output: Output): Promise<void> {
  const run = await openRun(directory);
  const out = outputFolder(options.out, run.directory);
  const { title, surface } = options;
  const { figures, warnings } = await readFigures(run, {
    title,
    surface,
    accuracyAs: accuracyFormOf(options),
  });
  output.warn(warnings);
  const { format: formats, width, height } = options;
  const files = await writeReport(out, figures, defined({ formats, width, height }));
  output.result({ files });
  for (const file of files) output.print(file);
}

/** Declares the arguments and options of `plot`. */
export function declarePlot(command: Command): void {
  command
    .argument("<run>", "run directory with a surface, lines or weights that have been computed")
    .option(
      "--surface <name>",
      "stored surface to draw, as inspect lists them (default: the newest of each plane)",
    )
    .option("--out <dir>", "folder for the files (default: the run directory)")
    .addOption(new Option("--format <formats...>", "files to write").choices(["svg", "png", "html"]))
    .addOption(new Option("--error", "show errors instead of accuracies everywhere").conflicts("accuracy"))
    .option("--accuracy", "show accuracies instead of errors everywhere")
    .option("--title <text>", "title of the figure (default: the run's name)")
    .option("--width <px>", "width of the pictures", parseCount("--width", 200))
    .option("--height <px>", "height of the pictures", parseCount("--height", 200))
    .action((run, options) => plot(run, options, createOutput(options)));
}

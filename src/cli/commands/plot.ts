import { readStoredFigures } from "../../analysis/read-stored-figures.js";
import { type ReportFormat, writeReport } from "../../analysis/write-report.js";
import { openRun } from "../../store/run/open-run.js";
import { accuracyFormOf, defined, outputFolder } from "../command-options.js";
import type { Output } from "../output.js";

/** Options of `plot`. */
export interface PlotCommandOptions {
  readonly out?: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
  readonly error?: boolean;
  readonly accuracy?: boolean;
}

/** `plot RUN`: draws again what `surface`, `line`, `interpolate` and `weights` stored in the run's directory. */
export async function plot(directory: string, options: PlotCommandOptions, output: Output): Promise<void> {
  const run = await openRun(directory);
  const out = outputFolder(options.out, run.directory);
  const { figures, warnings } = await readStoredFigures(run, options.title, accuracyFormOf(options));
  output.warn(warnings);
  const { format: formats, width, height } = options;
  const files = await writeReport(out, figures, defined({ formats, width, height }));
  output.result({ files });
  for (const file of files) output.print(file);
}

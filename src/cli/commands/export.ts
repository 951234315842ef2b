import { type Command, Option } from "commander";
import { EXPORT_FORMATS, type ExportFormat, exportRun } from "../../analysis/export/export-run.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { TABLE_KINDS, type TableKind } from "../../figure/files/export-table.js";
import { openRun } from "../../store/run/open-run.js";
import { outputFolder, parsePositive, renamedOption } from "../command-options.js";
import { createOutput, type Output } from "../output.js";
import { type StyleCommandOptions, styleOf, styleOptions } from "../pictures.js";

interface ExportCommandOptions extends StyleCommandOptions {
  readonly format?: readonly ExportFormat[];
  readonly what?: readonly TableKind[];
  readonly out?: string;
  readonly scale?: number;
  readonly duration?: number;
  readonly clip?: number;
  readonly surface?: string;
}

/** Declares the arguments and options of `export`. */
export function declareExport(command: Command): void {
  const formats = new Option("--format <formats...>", "formats to write").choices(EXPORT_FORMATS);
  renamedOption(styleOptions(command), formats, "to")
    .argument("<run>", "run directory")
    .addOption(new Option("--what <kinds...>", "kinds of results (default: all)").choices(TABLE_KINDS))
    .option(
      "--surface <name>",
      "stored surface to draw, as inspect lists them (default: the newest of each plane)",
    )
    .option("--out <dir>", "folder for the files (default: export in the run directory)")
    .option(
      "--scale <n>",
      "pixels of PNG, GIF and MP4 per px (default: 2, of a GIF or movie 1)",
      parsePositive("--scale"),
    )
    .option(
      "--duration <ms>",
      "milliseconds that the path of a GIF or movie takes to grow (default: 6000)",
      parsePositive("--duration"),
    )
    .option("--clip <loss>", "loss above which heights in VTK files are cut off", parsePositive("--clip"))
    .action((run, options) => exportCommand(run, options, createOutput(options)));
}

async function exportCommand(
  directory: string,
  options: ExportCommandOptions,
  output: Output,
): Promise<void> {
  const { format, out, scale, duration, clip, what, surface } = options;
  if (format === undefined)
    throw new InvalidOptionError("--format", `some of ${EXPORT_FORMATS.join(", ")}`, "none");
  const style = styleOf(options);
  const run = await openRun(directory);
  const { files, warnings } = await exportRun(run, {
    ...style,
    formats: [...new Set(format)],
    ...defined({
      scale,
      duration,
      clip,
      what,
      surface,
      directory: out === undefined ? undefined : outputFolder(out, "."),
    }),
  }).finally(() => run.close());
  output.warn([...run.warnings, ...warnings]);
  output.result({ files });
  for (const { file } of files) output.print(file);
}

import { type Command, Option } from "commander";
import { EXPORT_FORMATS, type ExportFormat, exportRun } from "../../analysis/export/export-run.js";
import { TABLE_KINDS, type TableKind } from "../../figure/files/export-table.js";
import { openRun } from "../../store/run/open-run.js";
import { defined, outputFolder, parseCount, parsePositive } from "../command-options.js";
import { createOutput, type Output } from "../output.js";

interface ExportCommandOptions {
  readonly to: readonly ExportFormat[];
  readonly what?: readonly TableKind[];
  readonly out?: string;
  readonly width?: number;
  readonly height?: number;
  readonly scale?: number;
  readonly duration?: number;
  readonly theme?: "light" | "dark";
  readonly clip?: number;
  readonly surface?: string;
}

/** Declares the arguments and options of `export`. */
export function declareExport(command: Command): void {
  command
    .argument("<run>", "run directory")
    .addOption(
      new Option("--to <formats...>", "formats to write").choices(EXPORT_FORMATS).makeOptionMandatory(),
    )
    .addOption(new Option("--what <kinds...>", "kinds of results (default: all)").choices(TABLE_KINDS))
    .option(
      "--surface <name>",
      "stored surface to draw, as inspect lists them (default: the newest of each plane)",
    )
    .option("--out <dir>", "folder for the files (default: export in the run directory)")
    .option(
      "--width <px>",
      "width of pictures (default: 1100, of a GIF 800, of a movie 1280)",
      parseCount("--width", 200),
    )
    .option("--height <px>", "height of pictures", parseCount("--height", 200))
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
    .addOption(new Option("--theme <name>", "colours of pictures").choices(["light", "dark"]))
    .option("--clip <loss>", "loss above which heights in VTK files are cut off", parsePositive("--clip"))
    .action((run, options) => exportCommand(run, options, createOutput(options)));
}

async function exportCommand(
  directory: string,
  options: ExportCommandOptions,
  output: Output,
): Promise<void> {
  const { to, out, width, height, scale, duration, theme, clip, what, surface } = options;
  const run = await openRun(directory);
  const { files, warnings } = await exportRun(run, {
    formats: [...new Set(to)],
    ...defined({
      width,
      height,
      scale,
      duration,
      theme,
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

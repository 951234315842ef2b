import { type Command, InvalidArgumentError, Option } from "commander";
import omit from "lodash/omit.js";
import pick from "lodash/pick.js";
import { type NamedFigure, type ReportFormat, writeReport } from "../analysis/write-report.js";
import { LandscapeError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { COLOR_MAPS } from "../figure/draw/palette.js";
import { FIGURE_PARTS } from "../figure/figure.js";
import {
  checkStyle,
  type PictureStyle,
  readStyleFile,
  STYLE_NAMES,
  STYLE_OPTION_NAMES,
} from "../figure/files/picture-style.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import type { SliceTools } from "./open-evaluator.js";
import type { Output } from "./output.js";

/** How pictures look, as the command line says it. */
export interface StyleCommandOptions extends PictureStyle {
  readonly styleFile?: string;
  readonly faceted?: boolean;
}

/** Options of the commands that write pictures. */
export interface PictureCommandOptions extends StyleCommandOptions {
  readonly out?: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
}

/** How accuracies are shown; each command has one of the two. */
export interface AccuracyCommandOptions {
  readonly error?: boolean;
  readonly accuracy?: boolean;
}

/** Options of the commands that draw. */
export function pictureOptions(command: Command): Command {
  return styleOptions(command)
    .option("--out <dir>", "folder for results and pictures (default: the first run's directory)")
    .addOption(
      new Option("--format <formats...>", "pictures to write").choices(["svg", "png", "pdf", "html"]),
    )
    .option("--title <text>", "title of the figure");
}

/** Options of how pictures look, which every command that draws has. */
export function styleOptions(command: Command): Command {
  const choice = (flags: string, text: string, choices: readonly string[]): Option =>
    new Option(flags, text).choices(choices);
  return command
    .hook("preAction", () => {
      styleOf(command.opts());
    })
    .addOption(choice("--style <name>", "what pictures are made for (default: page)", STYLE_NAMES))
    .option("--style-file <file>", "JSON file of these options; those given beside it go first")
    .addOption(choice("--theme <name>", "colours of pictures (default: light)", ["light", "dark"]))
    .option(
      "--width <length>",
      "width of pictures: 800px, 82mm, 3.25in, one-column, two-column; a number is px, for paper and talk inches",
      parseStyleValue("width"),
    )
    .option("--height <length>", "height of pictures", parseStyleValue("height"))
    .option("--aspect <ratio>", "equal, fill, or width / height of maps", parseStyleValue("aspect"))
    .option("--dpi <n>", "pixels per inch of PNG (default: 192, paper 300)", parseStyleValue("dpi"))
    .option("--font-size <pt>", "size of type (default: 9, paper 8, talk 18)", parseStyleValue("fontSize"))
    .option("--font <file>", "TrueType or OpenType file (.ttf, .otf) whose letters pictures have")
    .option("--font-bold <file>", "the file of titles and ends beside it (default: that of --font)")
    .addOption(choice("--colormap <name>", "colours of values", COLOR_MAPS))
    .option("--levels <levels>", "number of contour levels, or levels: 0.1,1,10", parseStyleValue("levels"))
    .option("--vmin <value>", "values below have the colour of the low end", parseStyleValue("vmin"))
    .option("--vmax <value>", "values above have the colour of the high end", parseStyleValue("vmax"))
    .addOption(choice("--loss-scale <kind>", "colour and height of values", ["linear", "log", "symlog"]))
    .option("--xlabel <text>", "name of the horizontal axis of maps and embeddings")
    .option("--ylabel <text>", "name of the vertical axis of maps and embeddings")
    .option("--zlabel <text>", "name of the values")
    .option("--faceted", "surfaces in 3-D as the flat cells of the evaluated grid")
    .addOption(choice("--show <parts...>", "parts to draw that the style leaves out", FIGURE_PARTS))
    .addOption(choice("--hide <parts...>", "parts to leave out", FIGURE_PARTS));
}

/** Returns how pictures look: options, and under them those of the style file. */
export function styleOf(options: StyleCommandOptions): PictureStyle {
  const named = pick(options, Object.keys(STYLE_OPTION_NAMES) as (keyof PictureStyle)[]);
  const given = defined({ ...named, isFaceted: options.faceted ?? named.isFaceted });
  const stored: PictureStyle = options.styleFile === undefined ? {} : readStyleFile(options.styleFile);
  // The bold letters of a style file belong to its own font.
  const below = given.font === undefined ? stored : omit(stored, "fontBold");
  const style = { ...below, ...given };
  checkStyle(style, "--");
  return style;
}

/** Returns a parser of an option of a style, checked by the schema of styles. */
function parseStyleValue(name: keyof PictureStyle): (text: string) => PictureStyle[typeof name] {
  return (text) => {
    const list = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    const value = list.some(Number.isNaN) ? text : list.length === 1 ? list[0] : list;
    try {
      checkStyle({ [name]: value }, "--");
    } catch (error) {
      if (!(error instanceof LandscapeError)) throw error;
      throw new InvalidArgumentError(`${error.message}.`);
    }
    return value as PictureStyle[typeof name];
  };
}

/** How accuracies are to be shown, where `--error` or `--accuracy` says so. */
export function accuracyFormOf(options: AccuracyCommandOptions): AccuracyForm | undefined {
  if (options.error === true) return "error";
  return options.accuracy === true ? "accuracy" : undefined;
}

/** What a figure of lines shows, as the command's options say it; `--metric none` shows no metric. */
export function lineFigureOptions(
  options: AccuracyCommandOptions & { readonly title?: string; readonly metric?: string },
  { dataName }: Pick<SliceTools, "dataName">,
) {
  const { title, metric } = options;
  return {
    title,
    metric: metric === "none" ? null : metric,
    accuracyAs: accuracyFormOf(options),
    names: { data: dataName },
  };
}

/** Writes pictures of a command's figures, and one page with all, named after the command. */
export async function writePictures(
  name: string,
  directory: string,
  figures: readonly NamedFigure[],
  options: PictureCommandOptions,
  output: Output,
): Promise<string[]> {
  const { format: formats, title } = options;
  const files = await writeReport(directory, figures, {
    ...styleOf(options),
    ...defined({ formats, title }),
    page: `${name}.html`,
  });
  for (const file of files) output.print(file);
  return files;
}

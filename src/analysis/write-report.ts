import { join } from "node:path";
import pick from "lodash/pick.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { type OptionNames, refuseUnknown } from "../base/option-names.js";
import { isDeviceName } from "../base/platform.js";
import { figureOption, figureSize } from "../figure/draw/layout-figure.js";
import type { Figure } from "../figure/figure.js";
import { tableCsv } from "../figure/files/export-table.js";
// Figures display themselves in notebooks.
import "../figure/files/notebook.js";
import { renderHtml } from "../figure/files/render-html.js";
import { renderPng, renderSvg } from "../figure/files/render-picture.js";
import { inSpace } from "../figure/space/surface-panel.js";
import { writeFileAtomic } from "../store/arrow/atomic-file.js";

/** Options of {@link writeReport}. */
export interface WriteReportOptions {
  /** Which files to write; default all. "csv" is for tables only. */
  readonly formats?: readonly ReportFormat[];
  /** Width of the pictures in CSS pixels; default 1100. */
  readonly width?: number;
  /** Height of the pictures in CSS pixels; default as much as the figure needs. */
  readonly height?: number;
  /** Pixels of the PNG per CSS pixel; default 2. */
  readonly scale?: number;
  /** Title of the page; default the first figure's title. */
  readonly title?: string;
  /** A paragraph under the heading of the page; default none. */
  readonly introduction?: string;
  /** File name of the page; default "report.html". */
  readonly page?: string;
}

/** Kinds of files a report consists of. */
export type ReportFormat = "svg" | "png" | "html" | "csv";

const FORMATS: readonly ReportFormat[] = ["svg", "png", "html", "csv"];

const REPORT_OPTION_NAMES: OptionNames<WriteReportOptions> = {
  formats: true,
  width: true,
  height: true,
  scale: true,
  title: true,
  introduction: true,
  page: true,
};

/**
 * Checks the options of a report before anything is computed for it.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function checkReportOptions(options: WriteReportOptions): void {
  refuseUnknown(options, REPORT_OPTION_NAMES, "report");
  const { formats, width, height, scale, page } = options;
  const check = (name: string, isValid: boolean, expected: string, got: unknown) => {
    if (!isValid)
      throw new InvalidOptionError(`report.${name}`, expected, JSON.stringify(got) ?? String(got));
  };
  const areFormats =
    Array.isArray(formats) && formats.length > 0 && formats.every((one) => FORMATS.includes(one));
  check("formats", formats === undefined || areFormats, `some of ${FORMATS.join(", ")}`, formats);
  for (const [name, value] of Object.entries({ width, height, scale })) {
    check(name, value === undefined || (Number.isFinite(value) && value > 0), "a number above 0", value);
  }
  if (page !== undefined) fileName("report.page", page);
}

/** One figure and the name of its picture files, without extension. */
export interface NamedFigure {
  readonly name: string;
  readonly figure: Figure;
}

/**
 * Writes `NAME.svg` and `NAME.png` for each figure, `NAME-3d.svg` and `NAME-3d.png` for the surface of each
 * trajectory in space, `NAME.csv` for each table, and one page with all of them into `directory`, each complete or
 * not at all.
 *
 * @returns the paths of the files, in the order written.
 * @throws {@link InvalidDataError} if there is no figure; {@link InvalidOptionError} if `page` or a figure's
 * name is not a file name.
 * @example await writeReport("report", [{ name: "plot", figure }], { page: "report.html" });
 */
export async function writeReport(
  directory: string,
  figures: readonly NamedFigure[],
  options: WriteReportOptions = {},
): Promise<string[]> {
  const [first] = figures;
  if (first === undefined) throw new InvalidDataError("figures", "at least one figure", "none");
  // Checked before anything is written.
  const pageFile = fileName("page", options.page ?? "report.html");
  for (const { name } of figures) fileName("figures.name", name);
  checkReportOptions(options);
  const { formats = ["svg", "png", "html", "csv"], scale = 2 } = options;
  const asked = { ...pick(options, ["width", "height"]), pixelRatio: scale };
  const written: string[] = [];
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    written.push(join(directory, name));
    await writeFileAtomic(join(directory, name), bytes);
  };
  for (const { name, figure } of figures) {
    const table = figure.panels.find((panel) => panel.kind === "table");
    if (formats.includes("csv") && table !== undefined) await write(`${name}.csv`, tableCsv(table));
    if (!formats.includes("svg") && !formats.includes("png")) continue;
    const surface = inSpace(figure);
    const pictures = [
      { file: name, figure },
      ...(surface === null ? [] : [{ file: `${name}-3d`, figure: surface }]),
    ];
    for (const { file, figure: drawn } of pictures) {
      const svg = renderSvg(figureOption(drawn, asked), figureSize(drawn, asked));
      if (formats.includes("svg")) await write(`${file}.svg`, svg);
      if (formats.includes("png")) await write(`${file}.png`, renderPng(svg, { scale }));
    }
  }
  if (formats.includes("html")) {
    const title = options.title ?? first.figure.title;
    const page = renderHtml({
      title,
      figures: figures.map(({ figure }) => figure),
      ...pick(options, ["introduction"]),
    });
    await write(pageFile, page);
  }
  return written;
}

/**
 * A file name that comes from elsewhere (options, names of runs): it must stay in its folder.
 *
 * @throws {@link InvalidOptionError} if it is a path, or a name that Windows keeps for a device.
 */
function fileName(where: string, name: string): string {
  if (/[\\/\0]/.test(name) || /^\.*$/.test(name) || /^[A-Za-z]:/.test(name) || isDeviceName(name)) {
    throw new InvalidOptionError(where, "a file name, without a folder", JSON.stringify(name));
  }
  return name;
}

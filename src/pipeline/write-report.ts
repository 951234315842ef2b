import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InvalidDataError } from "../errors.js";
import type { TrajectoryFigure } from "../report/figure.js";
import { renderHtml } from "../report/render-html.js";
import { renderPng } from "../report/render-png.js";
import { renderSvg } from "../report/render-svg.js";
import { trajectoryOption } from "../report/trajectory-option.js";

/** Options of {@link writeReport}. */
export interface WriteReportOptions {
  /** Which files to write; default all three. */
  readonly formats?: readonly ReportFormat[];
  /** Width of the pictures in CSS pixels; default 1200. */
  readonly width?: number;
  /** Height of the pictures in CSS pixels; default 760. */
  readonly height?: number;
  /** Pixels of the PNG per CSS pixel; default 2. */
  readonly scale?: number;
  /** Title of the page; default the first figure's title. */
  readonly title?: string;
}

/** Kinds of files a report consists of. */
export type ReportFormat = "svg" | "png" | "html";

/** One figure and the name of its picture files, without extension. */
export interface NamedFigure {
  readonly name: string;
  readonly figure: TrajectoryFigure;
}

/**
 * Writes `NAME.svg` and `NAME.png` for each figure and `report.html` with all of them into `directory`,
 * each complete or not at all.
 *
 * @returns the paths of the files, in the order written.
 */
export async function writeReport(
  directory: string,
  figures: readonly NamedFigure[],
  options: WriteReportOptions = {},
): Promise<string[]> {
  const [first] = figures;
  if (first === undefined) throw new InvalidDataError("figures", "at least one figure", "none");
  const { formats = ["svg", "png", "html"], width = 1200, height = 760, scale = 2 } = options;
  const written: string[] = [];
  for (const { name, figure } of figures) {
    if (!formats.includes("svg") && !formats.includes("png")) break;
    const size = { width, height };
    const svg = renderSvg(trajectoryOption(figure, size), size);
    if (formats.includes("svg")) written.push(await replaceFile(join(directory, `${name}.svg`), svg));
    if (formats.includes("png")) {
      written.push(await replaceFile(join(directory, `${name}.png`), renderPng(svg, { scale })));
    }
  }
  if (formats.includes("html")) {
    const title = options.title ?? first.figure.title;
    const page = renderHtml({ title, figures: figures.map(({ figure }) => figure) });
    written.push(await replaceFile(join(directory, "report.html"), page));
  }
  return written;
}

async function replaceFile(path: string, content: string | Uint8Array): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return path;
}

import { rm } from "node:fs/promises";
import { join } from "node:path";
import pick from "lodash/pick.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { type OptionNames, refuseUnknown } from "../base/option-names.js";
import { isDeviceName } from "../base/platform.js";
import type { Figure } from "../figure/figure.js";
import { tableCsv, tableOfFigure } from "../figure/files/export-table.js";
import type { RenderMp4Options } from "../figure/files/render-movie.js";
// Figures display themselves in notebooks.
import "../figure/files/notebook.js";
import {
  checkStyle,
  type PictureStyle,
  resolveStyle,
  STYLE_OPTION_NAMES,
  styleFigure,
} from "../figure/files/picture-style.js";
import { renderHtml } from "../figure/files/render-html.js";
import { inSpace, isInSpace } from "../figure/space/surface-panel.js";
import { writeFileAtomic } from "../store/arrow/atomic-file.js";

/** Options of {@link writeReport}: how pictures look, and the rest of the page. */
export interface WriteReportOptions extends PictureStyle {
  /**
   * Which files to write; default svg, png, html and csv (for tables only), of a paper or a talk pdf too. "mp4" and "webp"
   * make movies of paths, flat and in 3-D, and take a minute each.
   */
  readonly formats?: readonly ReportFormat[] | undefined;
  /** Pixels of the PNG per CSS pixel, in place of `dpi`; default 2. */
  readonly scale?: number | undefined;
  /** Title of the page; default the first figure's title. */
  readonly title?: string | undefined;
  /** A paragraph under the heading of the page; default none. */
  readonly introduction?: string | undefined;
  /** File name of the page; default "report.html". */
  readonly page?: string | undefined;
}

/** Kinds of files a report consists of. */
export type ReportFormat = "svg" | "png" | "pdf" | MovieFormat | "html" | "csv";

/** Kinds of files with a movie. */
export type MovieFormat = "mp4" | "webp";

/** Formats of movies. */
export const MOVIE_FORMATS: readonly MovieFormat[] = ["mp4", "webp"];

/** Every kind of file. */
export const REPORT_FORMATS: readonly ReportFormat[] = ["svg", "png", "pdf", ...MOVIE_FORMATS, "html", "csv"];
/** What is written where nobody says otherwise; of a paper or a talk pdf too. */
const DEFAULT_FORMATS: readonly ReportFormat[] = ["svg", "png", "html", "csv"];

/** Endings of the files with a caption, for a text and for LaTeX. */
const CAPTION_ENDINGS = ["txt", "tex"];

const REPORT_OPTION_NAMES: OptionNames<WriteReportOptions> = {
  ...STYLE_OPTION_NAMES,
  formats: true,
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
  const { formats, scale, page } = options;
  const check = (name: string, isValid: boolean, expected: string, got: unknown) => {
    if (!isValid)
      throw new InvalidOptionError(`report.${name}`, expected, JSON.stringify(got) ?? String(got));
  };
  const areFormats =
    Array.isArray(formats) && formats.length > 0 && formats.every((one) => REPORT_FORMATS.includes(one));
  check("formats", formats === undefined || areFormats, `some of ${REPORT_FORMATS.join(", ")}`, formats);
  check("scale", scale === undefined || (Number.isFinite(scale) && scale > 0), "a number above 0", scale);
  checkStyle(options, "report.");
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
 * not at all. In the styles "paper" and "talk" `NAME.pdf` too, and the caption as `NAME.txt` and, for LaTeX, `NAME.tex`.
 *
 * @returns the paths of the files, in the order written.
 * @throws {@link InvalidDataError} if there is no figure; {@link InvalidOptionError} if `page` or a figure's
 * name is not a file name.
 * @example
 * await writeReport("report", [{ name: "plot", figure }], { page: "report.html" });
 * await writeReport("paper", [{ name: "plot", figure }], { style: "paper", width: "one-column" });
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
  const { scale } = options;
  const { hasCaptionFiles } = resolveStyle(options);
  const formats = options.formats ?? [...(hasCaptionFiles ? (["pdf"] as const) : []), ...DEFAULT_FORMATS];
  const movies = MOVIE_FORMATS.filter((format) => formats.includes(format));
  if (movies.length > 0 && !figures.some(({ figure }) => isMovable(figure)))
    throw new InvalidOptionError(
      "formats",
      `a figure with a path on a plane or in 3-D, for ${movies.join(" and ")}`,
      "none",
    );
  const written: string[] = [];
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    written.push(join(directory, name));
    await writeFileAtomic(join(directory, name), bytes);
  };
  for (const { name, figure } of figures) {
    const table = formats.includes("csv") ? tableOfFigure(figure) : null;
    if (table !== null) await write(`${name}.csv`, tableCsv(table));
    for (const format of movies)
      for (const movie of moviesOf({ name, figure }, format, options))
        await write(movie.file, await movie.bytes());
    if (!formats.some((one) => one === "svg" || one === "png" || one === "pdf")) continue;
    // What draws picture files is loaded when there is something to draw: it takes a second.
    const { styledPicture } = await import("../figure/files/styled-picture.js");
    const surface = inSpace(figure);
    const pictures = [
      { file: name, figure },
      ...(surface === null ? [] : [{ file: `${name}-3d`, figure: surface }]),
    ];
    for (const { file, figure: drawn } of pictures) {
      const picture = styledPicture(drawn, options, scale);
      if (formats.includes("svg")) await write(`${file}.svg`, picture.svg);
      if (formats.includes("png")) await write(`${file}.png`, picture.png());
      if (formats.includes("pdf")) await write(`${file}.pdf`, await picture.pdf());
      for (const [ending, text] of Object.entries(picture.captions ?? {}))
        await write(`${file}.${ending}`, text);
    }
  }
  if (formats.includes("html")) {
    const title = options.title ?? first.figure.title;
    const page = renderHtml({
      title,
      // A page has its own size and sets texts itself: the style gives colours, levels and names.
      figures: figures.map(({ figure }) =>
        styleFigure(figure, { ...options, style: "page", width: undefined, height: undefined }),
      ),
      ...pick(options, ["introduction", "theme", "font", "fontBold"]),
    });
    await write(pageFile, page);
  }
  return written;
}

/** Whether something grows in a movie of a figure: a path on its plane, or in three dimensions. */
export function isMovable(figure: Figure): boolean {
  const [lead] = figure.panels;
  const isPlane = figure.layout === "lead" && lead?.kind === "map" && lead.paths.length > 0;
  return isPlane || isInSpace(figure);
}

/** A movie that is made when it is asked for. */
export interface PlannedMovie {
  readonly file: string;
  bytes(): Promise<Uint8Array>;
}

/**
 * Returns the movies of a figure: its path growing over the contours, and in 3-D while that turns round once; none of
 * a figure without a path on a plane or in three dimensions. They have the look of a page, since nobody prints them.
 *
 * @example for (const { file, bytes } of moviesOf({ name: "plot", figure }, "mp4")) writeFileSync(file, await bytes());
 */
export function moviesOf(
  { name, figure }: NamedFigure,
  format: MovieFormat,
  options: PictureStyle & Pick<RenderMp4Options, "scale" | "duration" | "signal"> = {},
): PlannedMovie[] {
  if (!isMovable(figure)) return [];
  const { draw } = resolveStyle({ ...options, style: "page" });
  const look = {
    ...pick(draw, ["width", "height", "theme", "isFaceted"]),
    ...pick(options, ["scale", "duration", "signal", "font", "fontBold"]),
  };
  const styled = styleFigure(figure, { ...options, style: "page" });
  const surface = inSpace(styled);
  // What draws is loaded when there is something to draw.
  const render = async (drawn: Figure): Promise<Uint8Array> => {
    const { renderMp4, renderWebp } = await import("../figure/files/render-movie.js");
    return await (format === "mp4" ? renderMp4 : renderWebp)(drawn, look);
  };
  const first = { file: `${name}.${format}`, bytes: () => render(styled) };
  if (surface === null) return [first];
  return [first, { file: `${name}-3d.${format}`, bytes: () => render(surface) }];
}

/**
 * Removes what an earlier report of these figures has left in a folder, in whatever formats and style: pictures of other
 * snapshots must not stand beside new ones.
 *
 * @param names - names of the figures' files, without extension.
 */
export async function removeReport(
  directory: string,
  names: readonly string[],
  { page = "report.html" }: Pick<WriteReportOptions, "page"> = {},
): Promise<void> {
  const endings = [...REPORT_FORMATS, ...CAPTION_ENDINGS].filter((one) => one !== "html");
  const files = names.flatMap((name) =>
    [name, `${name}-3d`].flatMap((file) => endings.map((ending) => `${file}.${ending}`)),
  );
  await Promise.all([...files, page].map((file) => rm(join(directory, file), { force: true })));
}

/**
 * A file name that comes from elsewhere (options, names of runs): it must stay in its folder.
 *
 * @throws {@link InvalidOptionError} if it is a path, or a name that Windows keeps for a device.
 */
export function fileName(where: string, name: string): string {
  if (/[\\/\0]/.test(name) || /^\.*$/.test(name) || /^[A-Za-z]:/.test(name) || isDeviceName(name)) {
    throw new InvalidOptionError(where, "a file name, without a folder", JSON.stringify(name));
  }
  return name;
}

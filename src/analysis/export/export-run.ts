import { join } from "node:path";
import once from "lodash/once.js";
import pick from "lodash/pick.js";
import { InvalidOptionError, RunStateError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { Stoppable } from "../../base/work.js";
import type { Figure } from "../../figure/figure.js";
import { encodeNpz } from "../../figure/files/encode-npz.js";
import { encodeCsv, TABLE_KINDS, type TableKind, unitsOf } from "../../figure/files/export-table.js";
import {
  checkStyle,
  type PictureStyle,
  resolveStyle,
  styleFigure,
} from "../../figure/files/picture-style.js";
import { vtkFiles } from "../../figure/files/vtk-files.js";
import { writeFileAtomic } from "../../store/arrow/atomic-file.js";
import type { Run } from "../../store/run/run.js";
import { readFigures } from "../read-figures.js";
import { MOVIE_FORMATS, type MovieFormat, moviesOf, type NamedFigure } from "../write-report.js";
import { collectTables, planesOfTables } from "./collect-tables.js";

/** What a run is exported to; "vtk" writes `.vts` and `.vtp` files. */
export type ExportFormat = "svg" | "png" | "pdf" | "gif" | MovieFormat | "csv" | "npz" | "vtk";

/** Every format. */
export const EXPORT_FORMATS: readonly ExportFormat[] = [
  "svg",
  "png",
  "pdf",
  "gif",
  ...MOVIE_FORMATS,
  "csv",
  "npz",
  "vtk",
];

const MOVING_FORMATS: ReadonlySet<ExportFormat> = new Set(["gif", ...MOVIE_FORMATS]);
const PICTURE_FORMATS: ReadonlySet<ExportFormat> = new Set(["svg", "png", "pdf", ...MOVING_FORMATS]);

/** Options of {@link exportRun}. */
export interface ExportOptions extends PictureStyle, Stoppable {
  /** Formats to write. Required: at least one. */
  readonly formats: readonly ExportFormat[];
  /** Folder for the files. Default `export` in the run directory. */
  readonly directory?: string;
  /** Kinds of results; default all. */
  readonly what?: readonly TableKind[];
  /** Name of the stored surface that is drawn. Default the newest of each kind of plane. */
  readonly surface?: string;
  /** Pixels of PNG, GIF and movies for each CSS pixel. Default 2, of a GIF and a movie 1. */
  readonly scale?: number;
  /** Milliseconds that the path of a GIF or a movie takes to grow. Default 6000; no frame stands for less than 40 ms. */
  readonly duration?: number;
  /** Loss above which the heights of VTK files are cut off. Default none. */
  readonly clip?: number;
}

/**
 * Checks everything that can be checked before a file is read.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function checkExportOptions(options: ExportOptions): void {
  const { formats, what, scale, duration, clip } = options;
  oneOfEach("formats", formats, EXPORT_FORMATS);
  if (what !== undefined) oneOfEach("what", what, TABLE_KINDS);
  for (const [name, value] of Object.entries({ scale, duration, clip })) {
    if (value === undefined || (value > 0 && Number.isFinite(value))) continue;
    throw new InvalidOptionError(name, "a positive number", String(value));
  }
  const mostScale = formats.some((format) => MOVING_FORMATS.has(format)) ? 4 : 16;
  if (scale !== undefined && scale > mostScale) {
    throw new InvalidOptionError("scale", `at most ${mostScale}`, String(scale));
  }
  checkStyle(options);
}

function oneOfEach(where: string, given: readonly string[], known: readonly string[]): void {
  if (given.length === 0) throw new InvalidOptionError(where, `some of ${known.join(", ")}`, "none");
  const wrong = given.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new InvalidOptionError(where, `some of ${known.join(", ")}`, `"${wrong}"`);
}

/** A file that was written. */
export interface ExportedFile {
  readonly file: string;
  readonly format: ExportFormat;
  readonly bytes: number;
}

/** What {@link exportRun} wrote, and what the user should know of it. */
export interface ExportResult {
  readonly files: readonly ExportedFile[];
  readonly warnings: readonly LandscapeWarning[];
}

/** A file on its way: its name and a function that makes its content. */
interface Planned {
  readonly name: string;
  readonly format: ExportFormat;
  readonly content: () => string | Uint8Array | Promise<Uint8Array>;
}

/**
 * Writes every result that is stored in a run directory (each surface, line and path, weight statistics, and
 * the facts of the snapshots) in other formats. Nothing is computed anew, and the run is not changed.
 *
 * Pictures: the plane of principal components with its path, every other plane, every line; GIF and movies where there
 * is a path, movies of its surface in 3-D, too. CSV and npz: everything. VTK: surfaces and paths on them. Every file is complete or not there.
 *
 * @throws {@link InvalidOptionError} for options that cannot be used, before anything is read.
 * @throws {@link RunStateError} if there is nothing to write in any of the formats.
 * @throws {@link FormatError} if a stored result is damaged.
 * @example await exportRun(await openRun("runs/adam"), { formats: ["gif", "csv"] });
 */
export async function exportRun(run: Run, options: ExportOptions): Promise<ExportResult> {
  checkExportOptions(options);
  const { formats, what = TABLE_KINDS, directory = join(run.directory, "export"), signal } = options;
  const { tables, warnings: found } = await collectTables(run, what);
  const warnings = [...found];
  const planned: Planned[] = [];
  for (const format of ["csv", "npz"] as const) {
    if (!formats.includes(format)) continue;
    for (const table of tables) {
      const content = () => (format === "csv" ? encodeCsv(table) : encodeNpz(table));
      planned.push({ name: `${table.name}.${format}`, format, content });
    }
  }
  if (formats.includes("csv") && tables.length > 0) {
    // Header lines hold names alone, so that programs find columns by them.
    const content = () => `${JSON.stringify(unitsOf(tables), null, 2)}\n`;
    planned.push({ name: "units.json", format: "csv", content });
  }
  if (formats.includes("vtk")) {
    planned.push(...(await vtkFiles(run, tables, await planesOfTables(run, tables), options.clip)));
  }
  if (formats.some((format) => PICTURE_FORMATS.has(format))) {
    const { figures, warnings: undrawn } = await drawnFigures(run, what, options.surface);
    warnings.push(...undrawn);
    for (const { name, figure } of figures) planned.push(...(await pictures(name, figure, options)));
  }
  if (planned.length === 0) throw nothing(run, formats, warnings);
  warnings.push(
    ...formats.filter((format) => planned.every((plan) => plan.format !== format)).map(emptyFormat),
  );
  const files: ExportedFile[] = [];
  for (const { name, format, content } of planned) {
    signal?.throwIfAborted();
    const made = await content();
    const bytes = typeof made === "string" ? new TextEncoder().encode(made) : made;
    const file = join(directory, name);
    await writeFileAtomic(file, bytes);
    files.push({ file, format, bytes: bytes.length });
  }
  return { files, warnings };
}

/** The figures that `plot` draws, of the kinds of results that are exported. */
async function drawnFigures(
  run: Run,
  what: readonly TableKind[],
  surface: string | undefined,
): Promise<{ readonly figures: readonly NamedFigure[]; readonly warnings: readonly LandscapeWarning[] }> {
  const notDrawn = (message: string): LandscapeWarning => ({ code: "not-drawn", message });
  try {
    const { figures, warnings } = await readFigures(run, { surface });
    const left = warnings.flatMap(({ code, message }) =>
      code === "no-analysis" && message.includes("other snapshots") ? [notDrawn(message)] : [],
    );
    const named = figures.flatMap(({ name, figure }) => {
      const [kind, shown] = exportedName(name);
      return kind.some((one) => what.includes(one)) ? [{ name: shown, figure }] : [];
    });
    return { figures: named, warnings: left };
  } catch (error) {
    if (!(error instanceof RunStateError)) throw error;
    const isOther = error.message.includes("other snapshots");
    return { figures: [], warnings: isOther ? [notDrawn(error.message)] : [] };
  }
}

/** What kinds of results a figure shows, and the name of its files. */
function exportedName(name: string): readonly [readonly TableKind[], string] {
  if (name === "plot") return [["surface", "trajectory"], "plane-pca"];
  const rest = name.replace(/^plot-/, "");
  if (/^(curvature(-\d+)?|convexity-.*)$/.test(rest)) return [["curvature"], rest];
  if (rest.startsWith("weights-")) return [["weights"], rest];
  if (/^(interpolate|random|along)-/.test(rest)) return [["line"], `lines-${rest}`];
  return [["surface"], rest === "pca" ? "plane-pca-sets" : `plane-${rest}`];
}

async function pictures(name: string, figure: Figure, options: ExportOptions): Promise<Planned[]> {
  // As in writeReport: what draws is loaded when there is something to draw.
  const [{ styledPicture }, { renderGif }] = await Promise.all([
    import("../../figure/files/styled-picture.js"),
    import("../../figure/files/encode-gif.js"),
  ]);
  const picture = once(() => styledPicture(figure, options, options.scale));
  const known: Planned[] = [
    { name: `${name}.svg`, format: "svg", content: () => picture().svg },
    { name: `${name}.png`, format: "png", content: () => picture().png() },
    { name: `${name}.pdf`, format: "pdf", content: () => picture().pdf() },
  ];
  const { captions } = resolveStyle(options).hasCaptionFiles ? picture() : { captions: null };
  const beside = options.formats.find((format) => known.some((plan) => plan.format === format));
  if (beside !== undefined) {
    const files = Object.entries(captions ?? {});
    known.push(
      ...files.map(([ending, text]) => ({ name: `${name}.${ending}`, format: beside, content: () => text })),
    );
  }
  // What grows in a moving picture is the path on its plane.
  if (figure.layout === "lead") {
    const { draw } = resolveStyle({ ...options, style: "page" });
    const look = {
      ...pick(draw, ["width", "height", "theme"]),
      ...pick(options, ["scale", "duration", "font", "fontBold"]),
    };
    const styled = styleFigure(figure, { ...options, style: "page" });
    const content = () => renderGif(styled, look);
    known.push({ name: `${name}.gif`, format: "gif", content });
  }
  for (const format of MOVIE_FORMATS)
    for (const { file, bytes } of moviesOf({ name, figure }, format, options))
      known.push({ name: file, format, content: bytes });
  return known.filter(({ format }) => options.formats.includes(format));
}

function emptyFormat(format: ExportFormat): LandscapeWarning {
  return { code: "nothing-to-export", message: `Nothing stored in the run can be written as ${format}.` };
}

function nothing(run: Run, formats: readonly string[], warnings: readonly LandscapeWarning[]): RunStateError {
  const got = warnings.length === 0 ? "none" : warnings.map(({ message }) => message).join(" ");
  const hint = `compute a surface with: tfjs-landscape surface ${run.directory} --data MODULE`;
  return new RunStateError(run.directory, `results to write as ${formats.join(", ")}`, got, { hint });
}

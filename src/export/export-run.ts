import { join } from "node:path";
import { RunStateError } from "../errors.js";
import { figureOption, figureSize } from "../report/any-figure.js";
import { renderPng } from "../report/render-png.js";
import { renderSvg } from "../report/render-svg.js";
import { writeFileAtomic } from "../store/atomic-file.js";
import type { Run } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import { collectTables } from "./collect-tables.js";
import { encodeCsv } from "./encode-csv.js";
import { encodeNpz } from "./encode-npz.js";
import { checkExportOptions, type ExportFormat, type ExportOptions } from "./export-options.js";
import { TABLE_KINDS } from "./export-table.js";
import { renderGif } from "./render-gif.js";
import { runFigures } from "./run-figures.js";
import { vtkFiles } from "./vtk-files.js";

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
  readonly content: () => string | Uint8Array;
}

/**
 * Writes every result that is stored in a run directory (each surface, line and path, weight statistics, and
 * the facts of the snapshots) in other formats. Nothing is computed anew, and the run is not changed.
 *
 * Pictures: the plane of principal components with its path, every other plane, every line; GIF where there is
 * a path. CSV and npz: everything. VTK: surfaces and paths on them. Every file is complete or not there.
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
  if (formats.includes("vtk")) planned.push(...(await vtkFiles(run, tables, options.clip)));
  if (formats.some((format) => format === "svg" || format === "png" || format === "gif")) {
    const { figures, warnings: undrawn } = await runFigures(run, tables);
    warnings.push(...undrawn);
    planned.push(...figures.flatMap(({ name, figure }) => pictures(name, figure, options)));
  }
  if (planned.length === 0) throw nothing(run, formats, warnings);
  warnings.push(
    ...formats.filter((format) => planned.every((plan) => plan.format !== format)).map(emptyFormat),
  );
  const files: ExportedFile[] = [];
  for (const { name, format, content } of planned) {
    signal?.throwIfAborted();
    const made = content();
    const bytes = typeof made === "string" ? new TextEncoder().encode(made) : made;
    const file = join(directory, name);
    await writeFileAtomic(file, bytes);
    files.push({ file, format, bytes: bytes.length });
  }
  return { files, warnings };
}

function pictures(
  name: string,
  figure: Parameters<typeof figureOption>[0],
  { formats, width, height, scale, theme }: ExportOptions,
): Planned[] {
  const size = { ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }) };
  const look = { ...size, ...(theme === undefined ? {} : { theme }) };
  const svg = () => renderSvg(figureOption(figure, look), figureSize(figure, size));
  const times = scale === undefined ? {} : { scale };
  const known: Planned[] = [
    { name: `${name}.svg`, format: "svg", content: svg },
    { name: `${name}.png`, format: "png", content: () => renderPng(svg(), times) },
  ];
  if (figure.kind === "trajectory") {
    known.push({
      name: `${name}.gif`,
      format: "gif",
      content: () => renderGif(figure, { ...look, ...times }),
    });
  }
  return known.filter(({ format }) => formats.includes(format));
}

function emptyFormat(format: ExportFormat): LandscapeWarning {
  return { code: "nothing-to-export", message: `Nothing stored in the run can be written as ${format}.` };
}

function nothing(run: Run, formats: readonly string[], warnings: readonly LandscapeWarning[]): RunStateError {
  const got = warnings.length === 0 ? "none" : warnings.map(({ message }) => message).join(" ");
  const hint = `compute a surface with: tfjs-landscape surface ${run.directory} --data MODULE`;
  return new RunStateError(run.directory, `results to write as ${formats.join(", ")}`, got, { hint });
}

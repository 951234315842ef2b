import { InvalidOptionError } from "../errors.js";
import type { ThemeName } from "../report/palette.js";
import { TABLE_KINDS, type TableKind } from "./export-table.js";

/** What a run is exported to; "vtk" writes `.vts` and `.vtp` files. */
export type ExportFormat = "svg" | "png" | "gif" | "csv" | "npz" | "vtk";

/** Every format. */
export const EXPORT_FORMATS: readonly ExportFormat[] = ["svg", "png", "gif", "csv", "npz", "vtk"];

/** Options of {@link exportRun}. */
export interface ExportOptions {
  /** Formats to write. Required: at least one. */
  readonly formats: readonly ExportFormat[];
  /** Folder for the files. Default `export` in the run directory. */
  readonly directory?: string;
  /** Kinds of results; default all. */
  readonly what?: readonly TableKind[];
  /** Width of pictures in CSS pixels. Default 1100, of a GIF 800. */
  readonly width?: number;
  /** Height of pictures in CSS pixels. Default as much as they need. */
  readonly height?: number;
  /** Pixels of PNG and GIF for each CSS pixel. Default 2, of a GIF 1. */
  readonly scale?: number;
  /** Colours of pictures for light (default) or dark surroundings. */
  readonly theme?: ThemeName;
  /** Loss above which the heights of VTK files are cut off. Default none. */
  readonly clip?: number;
  readonly signal?: AbortSignal;
}

/**
 * Checks everything that can be checked before a file is read.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function checkExportOptions(options: ExportOptions): void {
  const { formats, what, width, height, scale, clip, theme } = options;
  oneOfEach("formats", formats, EXPORT_FORMATS);
  if (what !== undefined) oneOfEach("what", what, TABLE_KINDS);
  for (const [name, value] of Object.entries({ width, height, scale, clip })) {
    if (value === undefined || (value > 0 && Number.isFinite(value))) continue;
    throw new InvalidOptionError(name, "a positive number", String(value));
  }
  const mostScale = formats.includes("gif") ? 4 : 16;
  if (scale !== undefined && scale > mostScale) {
    throw new InvalidOptionError("scale", `at most ${mostScale}`, String(scale));
  }
  if (theme !== undefined && theme !== "light" && theme !== "dark") {
    throw new InvalidOptionError("theme", '"light" or "dark"', JSON.stringify(theme));
  }
}

function oneOfEach(where: string, given: readonly string[], known: readonly string[]): void {
  if (given.length === 0) throw new InvalidOptionError(where, `some of ${known.join(", ")}`, "none");
  const wrong = given.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new InvalidOptionError(where, `some of ${known.join(", ")}`, `"${wrong}"`);
}

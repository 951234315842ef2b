import { join } from "node:path";
import { LandscapeError, RunStateError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { ExportTable } from "../../figure/files/export-table.js";
import { createLineFigure } from "../../figure/make/create-line-figure.js";
import { createMapsFigure } from "../../figure/make/create-maps-figure.js";
import { readDirections } from "../../store/kinds/directions-file.js";
import { readLineSlice } from "../../store/kinds/line-file.js";
import { exactFile, readSurface } from "../../store/kinds/surface-file.js";
import type { Run } from "../../store/run/run.js";
import { readAnalysis } from "../read-analysis.js";
import type { NamedFigure } from "../write-report.js";

/** Whether a table is a surface of the principal components, exact or approximate: its figure shows the path. */
function isPcaSurface({ source }: ExportTable): boolean {
  return exactFile(source) === "surfaces/pca.arrow";
}

/** Figures of a run's stored results, and what could not be drawn. */
export interface RunFigures {
  readonly figures: readonly NamedFigure[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Makes the figures of tables again: the plane of principal components with the path, the other planes (one
 * figure for each evaluation set), and the lines. A result that cannot be drawn as it is stored, such as a
 * plane of other snapshots than the run holds now, is left out with a warning.
 */
export async function runFigures(run: Run, tables: readonly ExportTable[]): Promise<RunFigures> {
  const figures: NamedFigure[] = [];
  const warnings: LandscapeWarning[] = [];
  const hasPca = tables.some(isPcaSurface);
  const wantsPath = tables.some(({ kind }) => kind === "trajectory");
  const drawable = tables.filter(
    (table) => (table.kind === "surface" && !isPcaSurface(table)) || table.kind === "line",
  );
  const add = async (name: string, make: () => Promise<NamedFigure["figure"]>): Promise<void> => {
    try {
      figures.push({ name, figure: await make() });
    } catch (error) {
      if (!(error instanceof LandscapeError)) throw error;
      warnings.push({ code: "not-drawn", message: `${name} is not drawn: ${error.message}` });
    }
  };
  if (hasPca || wantsPath) await add("plane-pca", async () => (await readAnalysis(run)).figure);
  for (const table of drawable) {
    await add(table.name, () => (table.kind === "line" ? lineFigure(run, table) : mapFigure(run, table)));
  }
  return { figures, warnings };
}

async function lineFigure(run: Run, { source }: ExportTable) {
  const slice = await readLineSlice(join(run.directory, source));
  if (slice === null) throw gone(run, source);
  return createLineFigure(slice, { title: `${run.manifest.name}: ${slice.axis}` });
}

async function mapFigure(run: Run, { source, provenance }: ExportTable) {
  const surface = await readSurface(join(run.directory, source));
  if (surface === null) throw gone(run, source);
  const { plane, batchNorm, sets } = provenance?.options ?? {};
  const name = typeof plane === "string" ? plane : (source.match(/([^/]*)\.arrow$/)?.[1] ?? source);
  // A plane's name is one of a few words, but this one comes out of a file: it must not choose the folder.
  const isPlain = /^[\w-]+$/.test(name);
  const directions = isPlain
    ? await readDirections(join(run.directory, "directions", `${name}.arrow`))
    : null;
  const labels = directions?.labels ?? [];
  const set = firstSetName(sets);
  return createMapsFigure({
    title: `${run.manifest.name}: ${name} plane${set === null ? "" : `, ${set} set`}`,
    surfaces: [{ set: set ?? "", surface }],
    labels: labels.length >= 2 ? labels : ["first direction", "second direction"],
    ...(typeof batchNorm === "string" ? { batchNorm } : {}),
  });
}

function firstSetName(sets: unknown): string | null {
  const [first] = Array.isArray(sets) ? (sets as readonly unknown[]) : [];
  const name = typeof first === "object" && first !== null && "name" in first ? first.name : null;
  return typeof name === "string" ? name : null;
}

function gone(run: Run, source: string): RunStateError {
  return new RunStateError(join(run.directory, source), "the file that was there", "none");
}

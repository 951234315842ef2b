import { join } from "node:path";
import type { Run } from "../store/run.js";
import { readSurface } from "../store/surface-file.js";
import { readTrajectory } from "../store/trajectory-file.js";
import type { Surface } from "../surface/surface.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import { encodeVtp } from "./encode-vtp.js";
import { encodeVts } from "./encode-vts.js";
import type { ExportTable } from "./export-table.js";
import { heightScale } from "./height-scale.js";

/** A VTK file on its way. */
export interface VtkFile {
  readonly name: string;
  readonly format: "vtk";
  readonly content: () => string;
}

/** A plane's surface, the path on it, or both, by what their files are called. */
interface Place {
  readonly surface: { readonly name: string; readonly values: Surface } | null;
  readonly path: { readonly name: string; readonly values: Trajectory } | null;
}

/**
 * Returns the VTK files of a run's planes: `.vts` for each surface and `.vtp` for the path on it, with heights
 * on one scale. Paths with losses (`fidelity/`) go before those without.
 */
export async function vtkFiles(run: Run, tables: readonly ExportTable[], clip?: number): Promise<VtkFile[]> {
  const planes = tables.filter(({ kind, grid }) => kind === "surface" && grid !== null);
  const paths = tables.filter(({ kind }) => kind === "trajectory");
  const bases = [...new Set([...planes, ...paths].map(({ source }) => baseOf(source)))];
  const files: VtkFile[] = [];
  for (const base of bases) {
    const place = await readPlace(run, base, planes, paths);
    const { surface, path } = place;
    const losses = [surface?.values.loss, path?.values.trueLoss, path?.values.planeLoss];
    const scale = heightScale(
      losses.filter((values) => values != null),
      extentOf(place),
      clip,
    );
    if (surface !== null) {
      const content = () => encodeVts(surface.values, scale);
      files.push({ name: `${surface.name}.vts`, format: "vtk", content });
    }
    if (path !== null) {
      const content = () => encodeVtp(path.values, run.snapshots, scale);
      files.push({ name: `${path.name}.vtp`, format: "vtk", content });
    }
  }
  return files;
}

async function readPlace(
  run: Run,
  base: string,
  planes: readonly ExportTable[],
  paths: readonly ExportTable[],
): Promise<Place> {
  const plane = planes.find(({ source }) => baseOf(source) === base);
  const own = paths.filter(({ source }) => baseOf(source) === base);
  const path = own.find(({ source }) => source.startsWith("fidelity/")) ?? own[0];
  const surface = plane === undefined ? null : await readSurface(join(run.directory, plane.source));
  const trajectory = path === undefined ? null : await readTrajectory(join(run.directory, path.source));
  const isOfRun =
    trajectory !== null &&
    trajectory.dimensions >= 2 &&
    trajectory.coordinates.length === run.snapshots.length * trajectory.dimensions;
  return {
    surface: surface === null || plane === undefined ? null : { name: plane.name, values: surface },
    path: path === undefined || !isOfRun ? null : { name: path.name, values: trajectory },
  };
}

function baseOf(source: string): string {
  return source.slice(source.lastIndexOf("/") + 1);
}

/** The longer side of the plane. */
function extentOf({ surface, path }: Place): number {
  if (surface !== null) return Math.max(span(surface.values.alpha), span(surface.values.beta));
  if (path === null) return 1;
  const { coordinates, dimensions } = path.values;
  const along = (axis: number) => coordinates.filter((_, i) => i % dimensions === axis);
  return Math.max(span(along(0)), span(along(1))) || 1;
}

function span(values: Float64Array): number {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return largest - least;
}

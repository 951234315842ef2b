import { join } from "node:path";
import { exactFile } from "../pipeline/approximate-stage.js";
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

/** A plane's surfaces, exact and approximate, and the path on it, by what their files are called. */
interface Place {
  readonly surfaces: readonly { readonly name: string; readonly values: Surface }[];
  readonly path: { readonly name: string; readonly values: Trajectory } | null;
}

/**
 * Returns the VTK files of a run's planes: `.vts` for each surface and `.vtp` for the path on it, with heights
 * on one scale for each plane, be its surface exact or approximate. Paths with losses (`fidelity/`) go before
 * those without.
 */
export async function vtkFiles(run: Run, tables: readonly ExportTable[], clip?: number): Promise<VtkFile[]> {
  const planes = tables.filter(({ kind, grid }) => kind === "surface" && grid !== null);
  const paths = tables.filter(({ kind }) => kind === "trajectory");
  const bases = [...new Set([...planes, ...paths].map(({ source }) => baseOf(source)))];
  const files: VtkFile[] = [];
  for (const base of bases) {
    const place = await readPlace(run, base, planes, paths);
    const { surfaces, path } = place;
    const losses = [
      ...surfaces.map(({ values }) => values.loss),
      path?.values.trueLoss,
      path?.values.planeLoss,
    ];
    const scale = heightScale(
      losses.filter((values) => values != null),
      extentOf(place),
      clip,
    );
    for (const { name, values } of surfaces) {
      files.push({ name: `${name}.vts`, format: "vtk", content: () => encodeVts(values, scale) });
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
  const own = paths.filter(({ source }) => baseOf(source) === base);
  const path = own.find(({ source }) => source.startsWith("fidelity/")) ?? own[0];
  const surfaces: { readonly name: string; readonly values: Surface }[] = [];
  for (const { name, source } of planes.filter((plane) => baseOf(plane.source) === base)) {
    const values = await readSurface(join(run.directory, source));
    if (values !== null) surfaces.push({ name, values });
  }
  const trajectory = path === undefined ? null : await readTrajectory(join(run.directory, path.source));
  const isOfRun =
    trajectory !== null &&
    trajectory.dimensions >= 2 &&
    trajectory.coordinates.length === run.snapshots.length * trajectory.dimensions;
  return {
    surfaces,
    path: path === undefined || !isOfRun ? null : { name: path.name, values: trajectory },
  };
}

/** What the files of one plane have in common. */
function baseOf(source: string): string {
  return exactFile(source.slice(source.lastIndexOf("/") + 1));
}

/** The longer side of the plane: of its largest surface, or of the path. */
function extentOf({ surfaces, path }: Place): number {
  if (surfaces.length > 0) {
    return Math.max(...surfaces.flatMap(({ values: { alpha, beta } }) => [span(alpha), span(beta)]));
  }
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

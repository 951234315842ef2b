import { join } from "node:path";
import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import type { Trajectory } from "../../directions/project.js";
import { readSurface } from "../../store/kinds/surface-file.js";
import { readTrajectory } from "../../store/kinds/trajectory-file.js";
import type { Run, SnapshotInfo } from "../../store/run/run.js";
import type { Surface } from "../../surface/surface.js";
import { type ExportTable, littleEndian } from "./export-table.js";
import { escapeHtml } from "./page-data.js";

/** A named array of a VTK data set. */
export interface VtkArray {
  readonly name: string;
  readonly values: Float64Array | Int32Array | Uint8Array;
  /** Values for each point; default 1. */
  readonly components?: number;
  /** Values in all, where the array belongs to the whole data set. */
  readonly tuples?: number;
}

const TYPES = [
  [Float64Array, "Float64"],
  [Int32Array, "Int32"],
  [Uint8Array, "UInt8"],
] as const;

/**
 * Returns a complete VTK XML document around a data set.
 *
 * @see The VTK XML file formats, version 1.0 with 64-bit headers, in VTK's documentation.
 */
export function vtkDocument(type: "StructuredGrid" | "PolyData", attributes: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<VTKFile type="${type}" version="1.0" byte_order="LittleEndian" header_type="UInt64">
<${type}${attributes}>
${body}
</${type}>
</VTKFile>
`;
}

/** Returns an element with arrays in it. */
export function vtkElement(tag: string, arrays: readonly VtkArray[], attributes = ""): string {
  return `<${tag}${attributes}>\n${arrays.map(vtkArray).join("\n")}\n</${tag}>`;
}

/** Returns an array in base64: its length in bytes (uint64), then its values, little-endian. */
function vtkArray({ name, values, components = 1, tuples }: VtkArray): string {
  const [, type] = TYPES.find(([kind]) => values instanceof kind) ?? TYPES[0];
  const label = escapeHtml(cleanText(name));
  const count = tuples === undefined ? "" : ` NumberOfTuples="${tuples}"`;
  const per = components === 1 ? "" : ` NumberOfComponents="${components}"`;
  return `<DataArray type="${type}" Name="${label}"${per}${count} format="binary">${base64(values)}</DataArray>`;
}

function base64(values: VtkArray["values"]): string {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(values.byteLength));
  return Buffer.concat([length, littleEndian(values)]).toString("base64");
}

/** Facts of a height scale, as arrays that belong to the whole data set. */
export function fieldData(facts: Readonly<Record<string, number>>): string {
  const arrays = Object.entries(facts).map(([name, value]) => ({
    name,
    values: Float64Array.of(value),
    tuples: 1,
  }));
  return vtkElement("FieldData", arrays);
}

/** How a loss becomes a height over the plane, for three-dimensional tools. */
export interface HeightScale {
  /** Losses are clipped to [low, high] before their logarithm is taken. */
  readonly low: number;
  readonly high: number;
  /** Units of the plane for each factor of 10 in the loss. */
  readonly unitsPerDecade: number;
}

/** Height of the highest loss as a share of the plane's longer side. */
const HEIGHT_SHARE = 0.5;

/**
 * Returns a scale on which the losses given fill half the longer side of the plane.
 *
 * `low` is the least positive loss and `high` the largest finite one, or `clip` where that is lower: a loss
 * of 0 stands at `low`, one that is not finite at `high`. That is an approximation for looking at; the losses
 * themselves are exported beside it.
 *
 * @param extent - the longer side of the plane, in its own units.
 */
export function heightScale(
  losses: readonly ArrayLike<number>[],
  extent: number,
  clip: number = Number.POSITIVE_INFINITY,
): HeightScale {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const values of losses) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!(value > 0 && value < Number.POSITIVE_INFINITY)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (high === 0) return { low: 1, high: 1, unitsPerDecade: 1 };
  const top = Math.max(low, Math.min(high, clip));
  const decades = Math.log10(top / low);
  return { low, high: top, unitsPerDecade: decades > 0 ? (HEIGHT_SHARE * extent) / decades : 1 };
}

/** log10 of a loss clipped to the scale; that of `high` where it is not finite. */
export function clippedLog(loss: number, { low, high }: HeightScale): number {
  const value = Number.isFinite(loss) ? Math.min(high, Math.max(low, loss)) : high;
  return Math.log10(value);
}

/** Height of a loss over the plane: 0 for `low` and what is below. */
export function heightOf(loss: number, scale: HeightScale): number {
  return scale.unitsPerDecade * (clippedLog(loss, scale) - Math.log10(scale.low));
}

/** A point of a polyline. */
interface PathPoint {
  readonly index: number;
  readonly loss: number;
  /** 1 at the height of the true loss, 0 at that of the plane. */
  readonly isTrueLoss: 0 | 1;
}

/**
 * Encodes a path on a plane as VTK poly data (`.vtp`) for ParaView: one polyline at the height of the plane's
 * loss below the path and one at that of the snapshots' own loss, or a flat one where no loss is known.
 *
 * Point data: `step`, `epoch`, `iteration`, `learningRate`, `loss`, and `isTrueLoss`, which distinguishes the lines
 * apart. A line is broken where a loss is not finite. Where the plane has recalibrated batch-norm statistics, the
 * snapshots' own loss is recalibrated too.
 *
 * @param scale - that of the surface below; see `heightScale`.
 * @throws {@link InvalidDataError} if there are not as many snapshots as points on the path.
 */
export function encodeVtp(
  trajectory: Trajectory,
  snapshots: readonly SnapshotInfo[],
  scale: HeightScale,
): string {
  const { coordinates, dimensions, planeLoss, evaluated } = trajectory;
  if (coordinates.length !== snapshots.length * dimensions || dimensions < 2) {
    const got = `${coordinates.length / dimensions} in ${dimensions} dimensions`;
    throw new InvalidDataError("path", `${snapshots.length} points in at least 2 dimensions`, got);
  }
  const known = [planeLoss, comparedLosses(trajectory)].flatMap((losses, i) =>
    losses === null ? [] : [{ losses, isTrueLoss: i as 0 | 1 }],
  );
  const flat = { losses: new Float64Array(snapshots.length).fill(scale.low), isTrueLoss: 0 as const };
  const lines = (known.length === 0 ? [flat] : known).flatMap(({ losses, isTrueLoss }) =>
    finitePieces(losses, isTrueLoss, known.length === 0 ? undefined : evaluated),
  );
  const points = lines.flat();
  const position = ({ index, loss }: PathPoint): number[] => [
    coordinates[index * dimensions] as number,
    coordinates[index * dimensions + 1] as number,
    heightOf(loss, scale),
  ];
  const snapshotOf = ({ index }: PathPoint) => snapshots[index] as SnapshotInfo;
  const counts = (["step", "epoch", "iteration"] as const).map((name) => ({
    name,
    values: Int32Array.from(points, (point) => snapshotOf(point)[name]),
  }));
  const losses =
    known.length === 0 ? [] : [{ name: "loss", values: Float64Array.from(points, ({ loss }) => loss) }];
  const data: VtkArray[] = [
    ...losses,
    ...counts,
    { name: "learningRate", values: Float64Array.from(points, (point) => snapshotOf(point).learningRate) },
    { name: "isTrueLoss", values: Uint8Array.from(points, ({ isTrueLoss }) => isTrueLoss) },
  ];
  const places = Float64Array.from(points.flatMap(position));
  const ends = lines.map((_, i) => lines.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0));
  const body = [
    fieldData({ ...scale }),
    `<Piece NumberOfPoints="${points.length}" NumberOfVerts="0" NumberOfLines="${lines.length}" NumberOfStrips="0" NumberOfPolys="0">`,
    vtkElement("PointData", data),
    vtkElement("Points", [{ name: "Points", values: places, components: 3 }]),
    vtkElement("Lines", [
      { name: "connectivity", values: Int32Array.from(points, (_, i) => i) },
      { name: "offsets", values: Int32Array.from(ends) },
    ]),
    "</Piece>",
  ].join("\n");
  return vtkDocument("PolyData", "", body);
}

/** The losses of the snapshots that the plane's are compared with. */
function comparedLosses({ trueLoss, recalibratedLoss }: Trajectory): Float64Array | null {
  return recalibratedLoss ?? trueLoss;
}

/** Stretches of the path whose losses are finite; a line joins snapshots over those that were not evaluated. */
function finitePieces(losses: Float64Array, isTrueLoss: 0 | 1, evaluated?: Int32Array): PathPoint[][] {
  const pieces: PathPoint[][] = [[]];
  for (const index of evaluated ?? losses.keys()) {
    const loss = losses[index] as number;
    if (Number.isFinite(loss)) pieces[pieces.length - 1]?.push({ index, loss, isTrueLoss });
    else pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Marks a point that is not to be drawn (vtkDataSetAttributes::HIDDENPOINT). */
const HIDDEN_POINT = 2;

/**
 * Encodes a surface as a VTK structured grid (`.vts`) for ParaView.
 *
 * Points are (alpha, beta, height) in units of the plane, the height that of the clipped logarithm of the
 * loss. Point data: `loss` as it is, `logLoss` (log10, clipped), the metrics, `isFinite`, `evaluated` where not
 * every point was, and `vtkGhostType`,
 * which blanks the points whose loss is not finite. The scale of the heights stands in the field data.
 */
export function encodeVts(
  { alpha, beta, loss, metrics, partial }: Pick<Surface, "alpha" | "beta" | "loss" | "metrics" | "partial">,
  scale: HeightScale,
): string {
  const [width, height] = [alpha.length, beta.length];
  const points = new Float64Array(3 * loss.length);
  loss.forEach((value, i) => {
    points.set(
      [alpha[i % width] as number, beta[Math.floor(i / width)] as number, heightOf(value, scale)],
      3 * i,
    );
  });
  const finite = Uint8Array.from(loss, (value) => (Number.isFinite(value) ? 1 : 0));
  const data: VtkArray[] = [
    { name: "loss", values: loss },
    { name: "logLoss", values: loss.map((value) => clippedLog(value, scale)) },
    ...Object.entries(metrics).map(([name, values]) => ({ name: `metric:${name}`, values })),
    { name: "isFinite", values: finite },
    ...(partial === undefined ? [] : [{ name: "evaluated", values: Int32Array.from(partial.evaluated) }]),
    { name: "vtkGhostType", values: finite.map((is) => (is === 1 ? 0 : HIDDEN_POINT)) },
  ];
  const extent = `0 ${width - 1} 0 ${height - 1} 0 0`;
  const piece = [
    `<Piece Extent="${extent}">`,
    vtkElement("PointData", data, ' Scalars="loss"'),
    vtkElement("Points", [{ name: "Points", values: points, components: 3 }]),
    "</Piece>",
  ].join("\n");
  return vtkDocument("StructuredGrid", ` WholeExtent="${extent}"`, `${fieldData({ ...scale })}\n${piece}`);
}

/** A VTK file on its way. */
export interface VtkFile {
  readonly name: string;
  readonly format: "vtk";
  readonly content: () => string;
}

/** A plane's surfaces and the path on it. */
interface Place {
  readonly surfaces: readonly { readonly name: string; readonly values: Surface }[];
  readonly path: { readonly name: string; readonly values: Trajectory } | null;
}

/**
 * Returns the VTK files of a run's planes: `.vts` for each surface and `.vtp` for the path on it, with heights
 * on one scale for each plane, whatever the set and the grid. Paths with losses (`fidelity/`) go before those
 * without.
 *
 * @param placeOf - names the plane of a table by its source: equal names, one plane.
 */
export async function vtkFiles(
  run: Run,
  tables: readonly ExportTable[],
  placeOf: (source: string) => string,
  clip?: number,
): Promise<VtkFile[]> {
  const planes = tables.filter(({ kind, grid }) => kind === "surface" && grid !== null);
  const paths = tables.filter(({ kind }) => kind === "trajectory");
  const names = [...new Set([...planes, ...paths].map(({ source }) => placeOf(source)))];
  const files: VtkFile[] = [];
  for (const name of names) {
    const isHere = ({ source }: ExportTable): boolean => placeOf(source) === name;
    const place = await readPlace(run, planes.filter(isHere), paths.filter(isHere));
    const { surfaces, path } = place;
    const losses = [
      ...surfaces.map(({ values }) => values.loss),
      path && comparedLosses(path.values),
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
  planes: readonly ExportTable[],
  paths: readonly ExportTable[],
): Promise<Place> {
  const path = paths.find(({ source }) => source.startsWith("fidelity/")) ?? paths[0];
  const surfaces: { readonly name: string; readonly values: Surface }[] = [];
  for (const { name, source } of planes) {
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

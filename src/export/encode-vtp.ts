import { InvalidDataError } from "../errors.js";
import type { SnapshotInfo } from "../store/run.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import { type HeightScale, heightOf } from "./height-scale.js";
import { fieldData, type VtkArray, vtkDocument, vtkElement } from "./vtk-xml.js";

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
 * Point data: `step`, `epoch`, `iteration`, `learningRate`, `loss`, and `isTrueLoss`, which tells the lines
 * apart. A line is broken where a loss is not finite.
 *
 * @param scale - that of the surface below; see `heightScale`.
 * @throws {@link InvalidDataError} if there are not as many snapshots as points on the path.
 */
export function encodeVtp(
  trajectory: Trajectory,
  snapshots: readonly SnapshotInfo[],
  scale: HeightScale,
): string {
  const { coordinates, dimensions, trueLoss, planeLoss } = trajectory;
  if (coordinates.length !== snapshots.length * dimensions || dimensions < 2) {
    const got = `${coordinates.length / dimensions} in ${dimensions} dimensions`;
    throw new InvalidDataError("path", `${snapshots.length} points in at least 2 dimensions`, got);
  }
  const known = [planeLoss, trueLoss].flatMap((losses, i) =>
    losses === null ? [] : [{ losses, isTrueLoss: i as 0 | 1 }],
  );
  const flat = { losses: new Float64Array(snapshots.length).fill(scale.low), isTrueLoss: 0 as const };
  const lines = (known.length === 0 ? [flat] : known).flatMap(({ losses, isTrueLoss }) =>
    finitePieces(losses, isTrueLoss),
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

function finitePieces(losses: Float64Array, isTrueLoss: 0 | 1): PathPoint[][] {
  const pieces: PathPoint[][] = [[]];
  losses.forEach((loss, index) => {
    if (Number.isFinite(loss)) pieces[pieces.length - 1]?.push({ index, loss, isTrueLoss });
    else pieces.push([]);
  });
  return pieces.filter((piece) => piece.length > 0);
}

import type { Surface } from "../surface/surface.js";
import { clippedLog, type HeightScale, heightOf } from "./height-scale.js";
import { fieldData, type VtkArray, vtkDocument, vtkElement } from "./vtk-xml.js";

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

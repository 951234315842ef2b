import { encodeNumber } from "../../base/json.js";
import { type ConvexityMap, convexityRatio } from "../../curvature/convexity-map.js";
import type { CurvatureFacts } from "../../curvature/curvature-file.js";
import { formatCount, formatNumber } from "../draw/format-number.js";
import { createContourScale, finiteRange, niceTicks } from "../draw/scales.js";
import type { Figure, MapPanel } from "../figure.js";

/**
 * Returns the figure of a plane with its convexity beside the loss: the share |λ_min/λ_max|, the largest and the smallest
 * Hessian eigenvalue at every point of the same grid.
 *
 * @param figure - of the plane: its first map is the loss.
 * @see Li et al. 2018 (NeurIPS), section 6.
 */
export function withConvexity(figure: Figure, map: ConvexityMap, facts: CurvatureFacts): Figure {
  const loss = figure.panels.find((panel) => panel.kind === "map");
  if (loss === undefined) return figure;
  const numbers = (of: (point: ConvexityMap["points"][0]) => number) => Float64Array.from(map.points, of);
  const ratio = convexityRatio(map);
  const smallest = numbers(({ smallest: value }) => value);
  const products = map.points.map((point) => point.products).filter((count) => count > 0);
  const mean = products.reduce((a, b) => a + b, 0) / Math.max(1, products.length);
  const share = ({ residual, largest, smallest: least }: ConvexityMap["points"][0]) =>
    residual / Math.max(Math.abs(largest), Math.abs(least)) || 0;
  const most = map.points.reduce((sum, point) => Math.max(sum, share(point)), 0);
  return {
    ...figure,
    layout: { columns: 2 },
    panels: [
      { ...loss, title: "Loss", aspect: "fill" },
      panelOf(loss, map, "|λ min / λ max|", ratio),
      panelOf(
        loss,
        map,
        "Largest eigenvalue",
        numbers(({ largest }) => largest),
      ),
      panelOf(loss, map, "Smallest eigenvalue", smallest),
    ],
    fidelity: [],
    caption: [
      figure.caption,
      `Smallest and largest eigenvalue of the ${facts.matrix === "hessian" ? "Hessian" : "Gauss-Newton matrix"} over all ${formatCount(facts.size)} trained weights at every point, not within the plane alone.`,
      "Where |λ min / λ max| is near 0 the loss is almost convex there, and a dip of the picture is one of the loss; where it is not, directions outside the plane lead down.",
      `${formatNumber(mean, 3)} Hessian-vector products per point on average; residuals are at most ${formatNumber(100 * most, 2)} % of the larger |λ| of the point: an eigenvalue lies so near to each number.`,
    ]
      .filter((text) => text !== "")
      .join(" "),
    notes: [...new Set([...figure.notes, ...map.warnings.map(({ message }) => message)])],
    description: `${figure.description} Beside it maps of the eigenvalues' ratio, the largest and the smallest eigenvalue.`,
  };
}

/** A map of the eigenvalues; below zero and above it where they have both signs. */
function panelOf(loss: MapPanel, map: ConvexityMap, title: string, values: Float64Array): MapPanel {
  const range = finiteRange(values);
  const isSigned = range !== null && range[0] < 0 && range[1] > 0;
  const reach = range === null ? 0 : Math.max(Math.abs(range[0]), Math.abs(range[1]));
  return {
    ...loss,
    title,
    aspect: "fill",
    quantity: title,
    alpha: [...map.alpha],
    beta: [...map.beta],
    values: Array.from(values, encodeNumber),
    scale: isSigned
      ? { kind: "linear", levels: niceTicks(-reach, reach, 10).filter((level) => Math.abs(level) < reach) }
      : createContourScale([values]),
    palette: isSigned ? "difference" : "value",
    interpolation: "linear",
    outlines: undefined,
  };
}

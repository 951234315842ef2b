import type { ProjectedHessian } from "../../curvature/plane-curvature.js";
import { formatNumber } from "../draw/format-number.js";
import type { Figure, MapOutline, MapPanel } from "../figure.js";

/** Points of an ellipse. */
const POINTS = 97;
/** The longest half axis, as a share of the way from the centre to the nearest edge of the map. */
const REACH = 0.6;

/**
 * Returns the figure of a plane with the Hessian within it, drawn at θ* on every map: the ellipse on which the quadratic
 * part of the loss has risen by c, and its axes. Where an eigenvalue is negative the loss falls along its axis, which is
 * dashed with the ellipse: it has |λ| in its place.
 *
 * @param hessian - at the centre, in the plane's coordinates (2 × 2).
 */
export function withEllipse(figure: Figure, hessian: ProjectedHessian): Figure {
  const [first] = figure.panels.filter((panel) => panel.kind === "map");
  if (first === undefined || hessian.values.length !== 2) return figure;
  const rise = riseOf(first, hessian);
  const outlines = rise === null ? [] : outlinesOf(hessian, rise);
  return {
    ...figure,
    panels: figure.panels.map((panel) => (panel.kind === "map" ? { ...panel, outlines } : panel)),
    caption: [figure.caption, sentenceOf(hessian, rise)].filter((text) => text !== "").join(" "),
  };
}

/** A round rise whose ellipse lies well inside the map; null where the plane is flat or the centre outside. */
function riseOf({ alpha, beta }: MapPanel, { values, axes }: ProjectedHessian): number | null {
  const [a, b] = [alpha, beta].map((axis) => Math.min(-(axis[0] as number), axis[axis.length - 1] as number));
  const [rooms, curvatures] = [
    [0, 1].map((k) => {
      const [x, y] = [Math.abs(axes[2 * k] as number), Math.abs(axes[2 * k + 1] as number)];
      return REACH * Math.min(x > 0 ? (a as number) / x : Infinity, y > 0 ? (b as number) / y : Infinity);
    }),
    Array.from(values, Math.abs),
  ];
  const rises = rooms.map((room, k) => 0.5 * (curvatures[k] as number) * room * room);
  const most = Math.min(...rises);
  if (!(most > 0 && Number.isFinite(most) && Math.min(a as number, b as number) > 0)) return null;
  const scale = 10 ** Math.floor(Math.log10(most));
  return scale * ([5, 2, 1].find((step) => step * scale <= most) ?? 1);
}

function outlinesOf({ values, axes }: ProjectedHessian, rise: number): MapOutline[] {
  const half = Array.from(values, (value) => Math.sqrt((2 * rise) / Math.abs(value)));
  const at = (first: number, second: number): readonly [number, number] => [
    first * (axes[0] as number) + second * (axes[2] as number),
    first * (axes[1] as number) + second * (axes[3] as number),
  ];
  const [p, q] = half as [number, number];
  const ring = Array.from({ length: POINTS }, (_, i) => {
    const angle = (2 * Math.PI * i) / (POINTS - 1);
    return at(p * Math.cos(angle), q * Math.sin(angle));
  });
  const isSaddle = values.some((value) => value < 0);
  return [
    { points: ring, isDashed: isSaddle },
    { points: [at(-p, 0), at(p, 0)], isDashed: (values[0] as number) < 0 },
    { points: [at(0, -q), at(0, q)], isDashed: (values[1] as number) < 0 },
  ];
}

function sentenceOf({ values }: ProjectedHessian, rise: number | null): string {
  const numbers = Array.from(values, (value) => formatNumber(value, 3)).join(" and ");
  const known = `The Hessian within the plane has the eigenvalues ${numbers} at its centre`;
  if (rise === null) return `${known}; no ellipse of it fits into the map.`;
  const falls = values.some((value) => value < 0)
    ? "; dashed: the loss falls along this axis, and the ellipse is drawn with |λ|"
    : "";
  return `${known}. Ellipse: its quadratic part has risen by ${formatNumber(rise, 2)}${falls}.`;
}

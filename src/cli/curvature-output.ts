import { toRows } from "../base/json.js";
import { type ConvexityMap, convexityRatio } from "../curvature/convexity-map.js";
import type { CurvatureSummary, Eigenvalues } from "../curvature/curvature-file.js";
import type { StabilityPath } from "../store/kinds/stability-file.js";
import { alignedTable } from "./output.js";

/** The curvature at a model, as `--json` has it: eigenvectors are in a file of their own. */
export function summaryFacts({ facts, eigenvalues, trace, density, layers }: CurvatureSummary) {
  const values = (found: Eigenvalues | null) =>
    found === null
      ? null
      : { values: found.values, residuals: found.residuals, isConverged: found.isConverged };
  return {
    ...facts,
    eigenvalues: values(eigenvalues),
    trace,
    density: density === null ? null : { ...density, outliers: values(density.outliers) },
    layers,
  };
}

/** The curvature at a model, as lines for a person. */
export function summaryLines({ facts, eigenvalues, trace, density, layers }: CurvatureSummary): string[] {
  const number = (value: number) => value.toPrecision(4);
  const error = (value: number) => (value === 0 ? "exact" : `± ${value.toPrecision(2)}`);
  const matrix = facts.matrix === "hessian" ? "Hessian" : "Gauss-Newton matrix";
  return [
    `${facts.name}: ${matrix} over ${facts.size.toLocaleString("en")} weights, ${facts.samples.toLocaleString("en")} samples; loss ${number(facts.loss)}, gradient norm ${number(facts.gradientNorm)}`,
    ...(eigenvalues === null
      ? []
      : alignedTable(
          Array.from(eigenvalues.values, (value, i) => [
            `eigenvalue ${i + 1}`,
            number(value),
            `residual ${(eigenvalues.residuals[i] as number).toPrecision(2)}`,
          ]),
        )),
    ...(trace === null
      ? []
      : [`trace ${number(trace.value)} (${error(trace.standardError)}, ${trace.method})`]),
    ...(density === null
      ? []
      : [
          `density between ${number(density.values[0] as number)} and ${number(density.values[density.values.length - 1] as number)}, details finer than ${density.width.toPrecision(2)} not resolved`,
        ]),
    ...(layers === null
      ? []
      : alignedTable([
          ["layer", "weights", "largest |λ|", "residual", "trace", "error"],
          ...layers.map((one) => [
            one.layer,
            one.size.toLocaleString("en"),
            number(one.eigenvalue),
            one.residual.toPrecision(2),
            number(one.trace),
            error(one.standardError),
          ]),
        ])),
  ];
}

/** A convexity map, as `--json` has it: a row for each beta. */
export function mapFacts({ alpha, beta, points }: ConvexityMap) {
  const rows = (of: (point: ConvexityMap["points"][0]) => number) =>
    toRows(Float64Array.from(points, of), beta.length);
  return {
    alpha,
    beta,
    smallest: rows(({ smallest }) => smallest),
    largest: rows(({ largest }) => largest),
    residual: rows(({ residual }) => residual),
    products: rows(({ products }) => products),
  };
}

/** A convexity map in one line. */
export function mapLine(map: ConvexityMap): string {
  const ratio = convexityRatio(map).filter(Number.isFinite);
  const number = (value: number | undefined) => (value ?? Number.NaN).toPrecision(3);
  const sorted = ratio.slice().sort();
  const products = map.points.reduce((sum, point) => sum + point.products, 0) / map.points.length;
  return `map of ${map.alpha.length} × ${map.beta.length} points: |λ min / λ max| from ${number(sorted[0])} to ${number(sorted.at(-1))}, ${number(products)} products per point`;
}

/** The stability along a run as a table, of what is known there. */
export function stabilityLines({ points }: StabilityPath): string[] {
  const number = (value: number) => (Number.isFinite(value) ? value.toPrecision(4) : "-");
  const columns = [
    ["step", ({ step }) => String(step)],
    ["loss", ({ loss }) => number(loss)],
    ["|gradient|", ({ gradientNorm }) => number(gradientNorm)],
    ["λ₁", ({ sharpness }) => number(sharpness)],
    ["λ₁, own scale", ({ preconditioned }) => number(preconditioned)],
    ["threshold", ({ threshold }) => number(threshold)],
    ["critical", ({ criticalSharpness }) => number(criticalSharpness)],
    ["batch", ({ batchSharpness }) => number(batchSharpness)],
    ["2/rate", ({ learningRate }) => number(2 / learningRate)],
    ["trace", ({ trace }) => number(trace)],
  ] as const satisfies readonly (readonly [string, (point: StabilityPath["points"][number]) => string])[];
  const rows = [
    columns.map(([name]): string => name),
    ...points.map((point) => columns.map(([, of]) => of(point))),
  ];
  // A column without any value says nothing.
  const kept = columns.map((_, i) => i).filter((i) => rows.slice(1).some((row) => row[i] !== "-"));
  return alignedTable(rows.map((row) => kept.map((i) => row[i] as string)));
}

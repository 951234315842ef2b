import { describe, expect, test } from "vitest";
import type { CurvatureSummary, StoredDensity } from "../../src/curvature/curvature-file.js";
import type { CurvesPanel } from "../../src/figure/figure.js";
import { createCurvatureFigure } from "../../src/figure/make/create-curvature-figure.js";

/** Bumps of `width` at places of the bulk, with one outlier. */
function summaryOf(places: readonly number[], width: number, outlier: number): CurvatureSummary {
  const size = places.length + 1;
  const [low, high] = [Math.min(...places) - 4 * width, Math.max(...places) + 4 * width];
  const values = Float64Array.from({ length: 512 }, (_, i) => low + ((high - low) * i) / 511);
  const density = values.map(
    (x) =>
      places.reduce((sum, place) => sum + Math.exp(-(((x - place) / width) ** 2) / 2), 0) /
      (size * width * Math.sqrt(2 * Math.PI)),
  );
  const outliers = {
    values: Float64Array.of(outlier),
    residuals: Float64Array.of(0),
    products: 9,
    isConverged: true,
  };
  const found: StoredDensity = { values, density, width, outliers, products: 9 };
  const facts = {
    ...{
      name: "net",
      dataName: null,
      matrix: "hessian" as const,
      size,
      ignore: [],
      samples: 9,
      lossMode: "logits",
    },
    ...{ loss: 1, gradientNorm: 1 },
  } as const;
  return { facts, eigenvalues: null, trace: null, density: found, layers: null };
}

/** The bulk as it is drawn. */
function drawn(summary: CurvatureSummary) {
  const figure = createCurvatureFigure(summary);
  const panel = figure.panels.find(({ title }) => title === "Spectral density") as CurvesPanel;
  const [bulk] = panel.series;
  const { x, y, name } = bulk as (typeof panel.series)[0];
  const shown = Array.from(y, (value, i) => [x[i] as number, Number(value)] as const).filter(
    ([, value]) => value > 0,
  );
  const tops = shown.filter(
    ([, value], i) => value > (shown[i - 1]?.[1] ?? 0) && value >= (shown[i + 1]?.[1] ?? 0),
  );
  const step = (x[1] as number) - (x[0] as number);
  return {
    name,
    caption: figure.caption,
    tops: tops.length,
    mass: step * shown.reduce((sum, [, value]) => sum + value, 0),
  };
}

describe("the spectral density", () => {
  const bulk = [-0.016, -0.011, -0.009, -0.004, 0, 0.001, 0.006, 0.009];

  test("of a tiny network is one hump beside its outliers, not a needle for each eigenvalue", () => {
    const { name, tops, mass, caption } = drawn(summaryOf(bulk, 1e-4, 1));
    expect(name).toBe("bulk, 8 eigenvalues");
    expect(tops).toBeLessThanOrEqual(2);
    expect(mass).toBeCloseTo(8 / 9, 2);
    expect(caption).toContain("details finer than 0.0068 are not resolved");
  });

  test("that is wide enough to be seen is drawn as it is", () => {
    const { tops, mass, caption } = drawn(summaryOf([0, 0.2, 0.4, 0.6], 0.02, 1));
    expect(tops).toBe(4);
    expect(mass).toBeCloseTo(4 / 5, 2);
    expect(caption).toContain("details finer than 0.02 are not resolved");
  });
});

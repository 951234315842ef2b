import { describe, expect, test } from "vitest";
import { figureOption, figureSize } from "../../src/figure/draw/layout-figure.js";
import { renderSvg } from "../../src/figure/files/render-picture.js";
import type { LiveState } from "../../src/live/live-feed.js";
import { liveCurves, livePlaneCaption, livePlaneFigure } from "../../src/live/live-plane.js";
import { curvesOf } from "../figure/panels.js";

/** A state of `count` snapshots on a parabola; the rate falls to a tenth at step 3. */
function sampleState(count: number): LiveState {
  const steps = Array.from({ length: count }, (_, i) => i);
  return {
    version: 1,
    name: "live <b>run</b>",
    status: "recording",
    epochs: 10,
    snapshots: count,
    points: steps.map((step) => ({
      step,
      epoch: step,
      iteration: 10 * step,
      learningRate: step < 3 ? 0.1 : 0.01,
      logs: step === 0 ? [] : [["loss", 1 / step]],
    })),
    plane: {
      steps,
      alpha: steps.map((i) => 2 * i),
      beta: steps.map((i) => i * (count - i)),
      explainedVarianceRatio: [0.8, 0.15],
      randomWalkBaseline: [0.6, 0.17],
    },
    lossChanges: [],
    stability: null,
    planeStride: 1,
    notes: [],
  };
}

describe("livePlaneFigure", () => {
  test.each([280, 390, 1100])("draws every snapshot inside the picture, %i px wide", (width) => {
    const state = sampleState(6);
    const figure = livePlaneFigure(state);
    if (figure === null) throw new Error("no plane");
    const options = { width, parts: "chart" } as const;
    const svg = renderSvg(figureOption(figure, options), figureSize(figure, options));
    // The red ones are the drop of the rate and its mark in the legend; the colours are those of the report.
    expect(svg.match(/fill="#d00000"/g)?.length).toBe(2);
    expect(svg.match(/fill="#0072b2"/g)?.length).toBeGreaterThanOrEqual(6);
    expect(svg).toContain("PC 1: 80");
    for (const [, x] of svg.matchAll(/translate\(([\d.]+)/g)) expect(Number(x)).toBeLessThanOrEqual(width);
  });

  test("a path that does not move is drawn all the same", () => {
    const state = sampleState(3);
    const plane = { ...(state.plane as NonNullable<LiveState["plane"]>), alpha: [0, 0, 0], beta: [0, 0, 0] };
    const figure = livePlaneFigure({ ...state, plane });
    if (figure === null) throw new Error("no plane");
    const options = { width: 500, theme: "dark" } as const;
    const svg = renderSvg(figureOption(figure, options), figureSize(figure, options));
    expect(svg).not.toContain("NaN");
  });
});

test("the caption says what is on the plane, what is not, and the baseline", () => {
  const state = sampleState(6);
  expect(livePlaneCaption(state)).toContain(
    "holds 80 % and 15 % of its variance; a random walk with the same steps would have 60 % and 17 %",
  );
  expect(livePlaneCaption({ ...state, plane: null })).toBe("The plane needs three snapshots.");
  expect(livePlaneCaption({ ...state, planeStride: 4, snapshots: 9 })).toContain(
    "It has every 4th snapshot and the newest. 3 newer snapshots will follow.",
  );
});

test("where another loss was compiled meanwhile, its curve is another", () => {
  const [loss] = liveCurves({ ...sampleState(6), lossChanges: [3] }).panels;
  const series = loss?.kind === "curves" ? loss.series : [];
  expect(series.map(({ y }) => y)).toEqual([
    [1, 1 / 2],
    [1 / 3, 1 / 4, 1 / 5],
  ]);
  expect(series[1]?.name).toContain("after the loss was changed");
});

test("the curves show what was logged, and the learning rate", () => {
  const figure = liveCurves(sampleState(5));
  expect(figure.panels.map(({ title }) => title)).toEqual(["Loss", "Learning rate"]);
  expect(curvesOf(figure)[1]?.series[0]?.y).toEqual([0.1, 0.1, 0.1, 0.01, 0.01]);
  expect(liveCurves({ ...sampleState(1) }).panels.map(({ title }) => title)).toEqual(["Learning rate"]);
});

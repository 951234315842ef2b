import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeNumber, encodeNumber } from "../../src/base/json.js";
import { figureOption } from "../../src/figure/draw/layout-figure.js";
import { snapshotReadout } from "../../src/figure/draw/snapshots.js";
import { columnOf, HELD_SHARE } from "../../src/figure/figure.js";
import { createTrajectoryFigure } from "../../src/figure/make/create-trajectory-figure.js";
import { fidelityParagraphs } from "../../src/figure/make/figure-caption.js";
import { spaceKind } from "../../src/figure/space/surface-panel.js";
import { createSurfaceScene } from "../../src/figure/space/surface-scene.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import type { Surface } from "../../src/surface/surface.js";
import { curvesNamed, mapOf, pointsOf, runOf } from "./panels.js";
import {
  arc,
  bowl,
  sampleFigure,
  samplePath,
  sampleSurface,
  stepped,
  uniform,
  valley,
} from "./sample-figures.js";

describe("createTrajectoryFigure", () => {
  test("survives JSON unchanged, non-finite numbers included", () => {
    const figure = sampleFigure(
      (a, b) => (a > 10 ? Number.NaN : b > 5 ? Number.POSITIVE_INFINITY : valley(a, b)),
      {
        paths: [
          samplePath("SGD", arc(4, [9, 3]), valley, () => ({
            learningRate: Number.NaN,
            logs: { loss: Number.NaN },
          })),
        ],
      },
    );
    expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
    expect(mapOf(figure).values).toContain("NaN");
    expect(mapOf(figure).values).toContain("Infinity");
    expect(columnOf(runOf(figure), "learning rate")?.[0]).toBe("NaN");
    const logs = runOf(figure).columns.filter(({ name }) => name.startsWith("logged"));
    expect(logs.map(({ name, values }) => [name, values[0]])).toEqual([["logged loss", "NaN"]]);
  });

  test("puts coordinates, fidelity and logs of each snapshot together", () => {
    const path = samplePath(
      "SGD",
      [
        [3, 1],
        [1, 2],
        [0, 0],
      ],
      bowl,
      stepped(3),
    );
    const figure = sampleFigure(bowl, { paths: [path] });
    const run = runOf(figure);
    expect([run.step[1], run.epoch[1], run.iteration[1]]).toEqual([1, 1, 63]);
    expect(pointsOf(figure)[1]).toMatchObject({
      alpha: 1,
      beta: 2,
      planeLoss: bowl(1, 2),
      trueLoss: path.trajectory.trueLoss?.[1],
    });
    expect(columnOf(run, HELD_SHARE)?.[1]).toBe(path.trajectory.inPlaneShare[1]);
    const logs = run.columns.filter(({ name }) => name.startsWith("logged"));
    expect(logs.map(({ name }) => name)).toEqual(["logged loss", "logged acc"]);
    expect(logs.map(({ values }) => values[0])).toEqual([null, null]);
  });

  test("marks exactly the snapshots at which the rate is lower than before", () => {
    const rates = [0.1, 0.1, 0.01, 0.01 * (1 - 1e-9), 0.05, Number.NaN, 0.001, 0.0005];
    const path = samplePath(
      "run",
      arc(8, [5, 3]),
      bowl,
      (index): Partial<SnapshotInfo> => ({ learningRate: rates[index] as number }),
    );
    expect(runOf(sampleFigure(bowl, { paths: [path] })).drops).toEqual([2, 7]);
  });

  test("labels the axes with explained variance and the random walk's", () => {
    const titles = mapOf(sampleFigure(bowl)).axes.map((axis) => axis.title);
    expect(titles).toEqual([
      "PC 1: 83.2 % of variance (random walk: 61.1 %)",
      "PC 2: 12.1 % of variance (random walk: 15.2 %)",
    ]);
    const plain = sampleFigure(bowl, {
      axes: { labels: ["x", "y"], explainedVarianceRatio: null, randomWalkBaseline: null },
    });
    expect(mapOf(plain).axes.map((axis) => axis.title)).toEqual(["x", "y"]);
    expect(plain.fidelity.join(" ")).not.toContain("variance");
  });

  test("says in words how faithful the plane is", () => {
    const figure = sampleFigure(bowl, {
      paths: [
        {
          name: "SGD",
          snapshots: samplePath(
            "SGD",
            [
              [2, 0],
              [1, 0],
              [0, 0],
            ],
            null,
          ).snapshots,
          trajectory: {
            coordinates: Float64Array.of(2, 0, 1, 0, 0, 0),
            dimensions: 2,
            inPlaneShare: Float64Array.of(0.93, 0.5, 1),
            distance: Float64Array.of(0.55, 1, 0),
            trueLoss: Float64Array.of(2, 1, 0.25),
            planeLoss: Float64Array.of(2.5, 1.25, 0.25),
            warnings: [],
          },
        },
      ],
    });
    expect(figure.fidelity).toEqual([
      "The two axes explain 95.3 % of the path's variance. A random walk with the same step lengths would reach 76.3 %, so only the excess of 19 points is evidence of structure.",
      "Start: 93 % of the squared distance from the end lies in the plane. Worst: epoch 1, 50 %. " +
        "The loss on the plane at the projected snapshots differs from their true loss by at most 0.5 (at epoch 0: 2.5 on the plane, true loss 2), median 0.25.",
    ]);
  });

  describe("where batch norm's statistics are recalibrated on the plane", () => {
    const points = [
      [2, 0],
      [1, 0],
      [0, 0],
    ] as const;
    const { snapshots, trajectory } = samplePath("SGD", points, null);
    const losses = {
      trueLoss: Float64Array.of(9, 8, 7),
      planeLoss: Float64Array.of(2.5, 1.25, 0.25),
      recalibratedLoss: Float64Array.of(2, 1, 0.25),
    };
    const figureOf = (parts: Partial<typeof losses>) =>
      sampleFigure(bowl, {
        paths: [{ name: "SGD", snapshots, trajectory: { ...trajectory, ...losses, ...parts } }],
      });
    const figure = figureOf({});

    test("the plane is compared with recalibrated losses, in words", () => {
      expect(figure.fidelity.at(-1)).toContain(
        "The loss on the plane at the projected snapshots differs from their true loss, recalibrated, by at most 0.5 " +
          "(at epoch 0: 2.5 on the plane, true loss 2 recalibrated, 9 as trained), median 0.25.",
      );
      expect(figureOf({ planeLoss: losses.recalibratedLoss }).fidelity.at(-1)).toContain(
        "The loss on the plane at the projected snapshots equals their true loss, recalibrated.",
      );
      expect(figure.caption).toContain(
        "The plane is compared with each snapshot's \"true loss, recalibrated\": its loss with batch norm's statistics recalibrated in the same way. " +
          '"true loss, as trained" is its loss with the statistics that training left.',
      );
    });

    test("the gap is drawn between recalibrated losses and the plane, those as trained beside it", () => {
      const { series } = curvesNamed(figure, "Loss along the path");
      expect(
        series.map(({ name, y, isDashed, isDotted, band }) => [name, y, isDashed, isDotted, band]),
      ).toEqual([
        [
          "true loss, recalibrated",
          [2, 1, 0.25],
          false,
          undefined,
          { low: [2, 1, 0.25], high: [2.5, 1.25, 0.25] },
        ],
        ["loss on the plane", [2.5, 1.25, 0.25], true, undefined, null],
        ["true loss, as trained", [9, 8, 7], false, true, null],
      ]);
      const { series: drawn } = figureOption(figure) as {
        series: { name: string; lineStyle: { type: unknown } }[];
      };
      const strokes = series.map(({ name }) => drawn.find((one) => one.name === name)?.lineStyle.type);
      expect(strokes).toEqual(["solid", [5, 3], [1.5, 2.5]]);
    });

    test("a snapshot under the pointer has both, and the surface in space the recalibrated one", () => {
      const rows = Object.fromEntries(snapshotReadout(figure, 0, 0).rows);
      expect(rows).toMatchObject({
        "true loss, recalibrated": "2",
        "true loss, as trained": "9",
        "loss on the plane": "2.5",
      });
      expect(rows).not.toHaveProperty("true loss");
      const panel = { ...mapOf(figure), view: "space" as const };
      const heights = (shown: typeof figure) =>
        createSurfaceScene({ panel, figure: shown }).paths[0]?.points.map(({ own }) => own);
      const { recalibratedLoss: trueLoss, planeLoss } = losses;
      const plain = { ...trajectory, trueLoss, planeLoss };
      expect(heights(figure)).toEqual(
        heights(sampleFigure(bowl, { paths: [{ name: "SGD", snapshots, trajectory: plain }] })),
      );
      expect(spaceKind.legend(panel, figure).map(({ text }) => text)).toEqual(
        expect.arrayContaining(["true loss, recalibrated", "plane − true"]),
      );
    });
  });

  test("says where a random walk would explain as much as the path", () => {
    const shares = { explainedVarianceRatio: 0.5, randomWalkBaseline: 0.61 };
    const [sentence] = fidelityParagraphs({
      axes: [
        { label: "PC 1", title: "PC 1", ...shares },
        { label: "PC 2", title: "PC 2", explainedVarianceRatio: 0.1, randomWalkBaseline: 0.15 },
      ],
      paths: [],
      progress: "epoch",
      centerName: "the end",
    });
    expect(sentence).toBe(
      "The two axes explain 60 % of the path's variance. A random walk with the same step lengths would reach 76 %, so these shares alone are no evidence of structure.",
    );
  });

  test("counts snapshots without a finite loss instead of hiding them", () => {
    const path = samplePath("SGD", arc(4, [5, 3]), bowl);
    path.trajectory.trueLoss?.set([Number.NaN], 2);
    const words = sampleFigure(bowl, { paths: [path] }).fidelity.join(" ");
    expect(words).toContain("1 snapshot has no finite loss");
  });

  test("names each run where there are several", () => {
    const figure = sampleFigure(bowl, {
      paths: [samplePath("SGD", arc(5, [5, 3]), bowl), samplePath("Adam", arc(5, [4, -3]), bowl)],
    });
    expect(figure.fidelity.slice(1).map((text) => text.split(",")[0])).toEqual(["SGD", "Adam"]);
    expect(figure.fidelity[1]).toContain("squared distance from the plane's centre");
  });

  test("says in the caption what is drawn, what is missing, and where the numbers come from", () => {
    const path = samplePath(
      "SGD",
      [
        [20, 0],
        [Number.NaN, 0],
        [1, 0],
        [0, 0],
      ],
      bowl,
    );
    const figure = sampleFigure(
      (a, b) => (a > 11 ? Number.NaN : a < -3 ? Number.POSITIVE_INFINITY : bowl(a, b)),
      {
        paths: [path],
        caption: "Two training epochs.",
      },
    );
    expect(figure.caption).toBe(
      "Two training epochs. Contours: training loss on the plane, logarithmic levels; cubic interpolation between 17 × 15 evaluated points. " +
        "At 30 grid points the loss is not finite (15 NaN, 15 infinite): cells that touch them are hatched. " +
        "1 of 4 snapshots has no finite weights and cannot be drawn. 1 of 4 snapshots lies outside the drawn range.",
    );
    expect(figure.provenance).toBe(
      "MNIST, 2,000 samples · loss as compiled · loss of up to 3.1 % of the samples capped by clipping at 1e-7 · engine tfjs (wasm, batches of 250, 1 thread) · grid 17 × 15",
    );
  });

  test("counts samples whose loss is capped, not every probability that is clipped", () => {
    const line = (facts: Partial<Surface>) =>
      sampleFigure(bowl, {
        surface: { ...sampleSurface(uniform(-4, 12, 17), uniform(-5, 6, 15), bowl), ...facts },
      }).provenance;
    // Softmax outputs near 1 are clipped too, which changes their loss by 1.2e-7.
    expect(line({ clippedShare: 0.318, cappedShare: 0 })).toContain(" · no loss capped · ");
    expect(line({ clippedShare: 0.5, cappedShare: 0.25 })).toContain(
      "loss of up to 25 % of the samples capped",
    );
    expect(line({ clippedShare: null, cappedShare: null })).not.toMatch(/capped|clipped/);
    // Stored before the share was known: a warning tells.
    const warnings = [{ code: "capped-loss", message: "" }];
    expect(line({ clippedShare: 0.318, cappedShare: undefined })).toContain("no loss capped");
    expect(line({ clippedShare: 0.318, cappedShare: undefined, warnings })).toContain("up to 31.8 % of the");
  });

  test("says the number of samples once", () => {
    const line = sampleFigure(bowl, { dataName: "the first 2,000 images of MNIST" }).provenance;
    expect(line).toMatch(/^the first 2,000 images of MNIST · loss as compiled/);
  });

  test("counts by epochs where they tell snapshots apart, else by iterations, else by steps", () => {
    const counted = (snapshot: (index: number) => Partial<SnapshotInfo>): string =>
      sampleFigure(bowl, { paths: [samplePath("run", arc(4, [5, 3]), bowl, snapshot)] }).progress;
    expect(counted(() => ({}))).toBe("epoch");
    expect(counted((index) => ({ epoch: index >> 1 }))).toBe("iteration");
    expect(counted((index) => ({ epoch: 0, iteration: index >> 1 }))).toBe("step");
  });

  test("cleans every text and takes warnings over as notes", () => {
    const surface = sampleSurface(uniform(-1, 1, 3), uniform(-1, 1, 3), bowl, {
      warnings: [{ code: "x", message: "grid\u0000 is coarse" }],
    });
    const figure = sampleFigure(bowl, {
      surface,
      title: "a\nb\u202e",
      paths: [samplePath("r\u0007n", [[0, 0]], bowl)],
    });
    expect(figure.title).toBe("a b");
    expect(figure.runs[0]?.name).toBe("r n");
    expect(figure.notes).toEqual(["grid is coarse".replace(" is", "  is")]);
  });

  test("refuses what does not fit together, by name", () => {
    const path = samplePath("SGD", arc(3, [5, 3]), bowl);
    const surface = sampleSurface(uniform(-1, 1, 3), uniform(-1, 1, 3), bowl);
    const make = (parts: object) => () => sampleFigure(bowl, parts);
    expect(make({ paths: [] })).toThrow(/paths: expected at least one path, got none/);
    expect(make({ paths: [{ ...path, snapshots: [] }] })).toThrow(
      /path "SGD": expected at least one snapshot/,
    );
    expect(make({ paths: [{ ...path, snapshots: path.snapshots.slice(1) }] })).toThrow(
      /path "SGD": expected coordinates of 2 snapshots, got 3/,
    );
    expect(make({ paths: [{ ...path, trajectory: { ...path.trajectory, dimensions: 3 } }] })).toThrow(
      /2 dimensions.*got 3/,
    );
    expect(make({ surface: { ...surface, beta: Float64Array.of(0) } })).toThrow(
      /surface: expected a grid of at least 2 × 2 points, got 3 × 1/,
    );
    expect(make({ surface: { ...surface, loss: new Float64Array(4) } })).toThrow(
      /surface\.loss: expected 9 values, got 4/,
    );
    expect(make({ surface: { ...surface, alpha: Float64Array.of(0, 0, 1) } })).toThrow(
      /surface\.alpha: expected finite, increasing/,
    );
    expect(
      make({ axes: { labels: ["PC 1"], explainedVarianceRatio: null, randomWalkBaseline: null } }),
    ).toThrow(/axes\.labels/);
    expect(make({ scale: { kind: "linear", levels: [2, 1] } })).toThrow(/scale\.levels\[1\]/);
    expect(createTrajectoryFigure).toBeTypeOf("function");
  });
});

test("encodeNumber and decodeNumber are inverse", () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      expect(decodeNumber(JSON.parse(JSON.stringify(encodeNumber(value))))).toEqual(value + 0);
    }),
  );
});

import { describe, expect, test } from "vitest";
import { figureMoment, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { gridReadout, snapshotReadout } from "../../src/figure/draw/snapshots.js";
import { mapOf } from "./panels.js";
import { arc, bowl, sampleFigure, samplePath, stepped } from "./sample-figures.js";

describe("snapshotReadout", () => {
  test("says everything that is known of a snapshot", () => {
    const figure = sampleFigure(bowl, {
      paths: [
        samplePath(
          "SGD",
          [
            [3, 1],
            [1, 2],
            [0, 0],
          ],
          bowl,
          stepped(3),
        ),
      ],
    });
    const readout = snapshotReadout(figure, 0, 2);
    expect(readout.heading).toBe("SGD, epoch 2");
    expect(Object.fromEntries(readout.rows)).toEqual({
      iteration: "126",
      "learning rate": "0.01 (lowered)",
      "true loss": "0.05",
      "loss on the plane": "0.05",
      "distance held by the plane": "100 %",
      "distance to the plane": "0",
      "PC 1, PC 2": "0, 0",
      "logged loss": "1.472",
      "logged acc": "0.424",
    });
  });

  test("marks a lowered rate, an unknown one, and leaves unknown losses out", () => {
    const path = samplePath("SGD", arc(2, [3, 1]), null, (index) => ({
      learningRate: index === 0 ? 0.1 : 0.01,
    }));
    const figure = sampleFigure(bowl, { paths: [path] });
    const rows = Object.fromEntries([0, 1].flatMap((snapshot) => snapshotReadout(figure, 0, snapshot).rows));
    expect(rows["learning rate"]).toBe("0.01 (lowered)");
    expect(rows).not.toHaveProperty("true loss");
    const unknown = sampleFigure(bowl, {
      paths: [samplePath("SGD", [[0, 0]], null, () => ({ learningRate: Number.NaN }))],
    });
    expect(Object.fromEntries(snapshotReadout(unknown, 0, 0).rows)["learning rate"]).toBe("unknown");
  });
});

describe("gridReadout", () => {
  test("gives the nearest evaluated grid point, rows over beta", () => {
    const figure = sampleFigure((a, b) => (a > 11 ? Number.NaN : 100 * a + b), {}, [17, 12]);
    const at = (alpha: number, beta: number) =>
      gridReadout(mapOf(figure), (alpha + 4) / 16, (beta + 5) / 11)?.rows;
    expect(at(2.9, -4.2)).toEqual([
      ["PC 1", "3"],
      ["PC 2", "−4"],
      ["training loss", "296"],
    ]);
    expect(at(12, 0)?.[2]).toEqual(["training loss", "NaN"]);
  });
});

test("the upright line of a moment stays inside the plot: curves of what was logged begin after epoch 0", () => {
  const path = samplePath("SGD", arc(6, [3, 1]), bowl, stepped(6));
  const layout = layoutFigure(sampleFigure(bowl, { paths: [path] }), { width: 1000, isPage: true });
  const titlesAt = (place: number) =>
    figureMoment(layout, place).cursors.map(({ placed: { panel, rect }, x }) => {
      expect(x).toBeGreaterThanOrEqual(rect.x);
      expect(x).toBeLessThanOrEqual(rect.x + rect.width);
      return panel.title;
    });
  expect(titlesAt(0)).not.toContain("Loss while training");
  expect(titlesAt(1)).toContain("Loss while training");
});

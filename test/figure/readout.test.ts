import { describe, expect, test } from "vitest";
import { pointReadout, surfaceReadout } from "../../src/figure/draw/readout.js";
import { arc, bowl, sampleFigure, samplePath, stepped } from "./sample-figures.js";

describe("pointReadout", () => {
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
    const [, , last] = figure.paths[0]?.points ?? [];
    const readout = last === undefined ? undefined : pointReadout(figure, 0, last);
    expect(readout?.heading).toBe("SGD, epoch 2");
    expect(Object.fromEntries(readout?.rows ?? [])).toEqual({
      iteration: "126",
      "learning rate": "0.01 (lowered)",
      "true loss": "0.05",
      "loss on the plane": "0.05",
      "distance held by the plane": "100 %",
      "distance to the plane": "0",
      "α, β": "0, 0",
      "logged loss": "1.472",
      "logged acc": "0.424",
    });
  });

  test("marks a lowered rate, an unknown one, and leaves unknown losses out", () => {
    const path = samplePath("SGD", arc(2, [3, 1]), null, (index) => ({
      learningRate: index === 0 ? 0.1 : 0.01,
    }));
    const figure = sampleFigure(bowl, { paths: [path] });
    const rows = Object.fromEntries(
      figure.paths[0]?.points.flatMap((point) => pointReadout(figure, 0, point).rows) ?? [],
    );
    expect(rows["learning rate"]).toBe("0.01 (lowered)");
    expect(rows).not.toHaveProperty("true loss");
    const unknown = sampleFigure(bowl, {
      paths: [samplePath("SGD", [[0, 0]], null, () => ({ learningRate: Number.NaN }))],
    });
    const [point] = unknown.paths[0]?.points ?? [];
    expect(point && Object.fromEntries(pointReadout(unknown, 0, point).rows)["learning rate"]).toBe(
      "unknown",
    );
  });
});

describe("surfaceReadout", () => {
  test("gives the nearest evaluated grid point, rows over beta", () => {
    const figure = sampleFigure((a, b) => (a > 11 ? Number.NaN : 100 * a + b), {}, [17, 12]);
    expect(surfaceReadout(figure, 2.9, -4.2).rows).toEqual([
      ["α", "3"],
      ["β", "−4"],
      ["training loss", "296"],
    ]);
    expect(surfaceReadout(figure, 12, 0).rows[2]).toEqual(["training loss", "NaN"]);
  });
});

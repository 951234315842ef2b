import { describe, expect, test } from "vitest";
import { resolveAnalyzeOptions } from "../../src/analysis/analyze-options.js";
import { InvalidOptionError } from "../../src/base/errors.js";

describe("resolveAnalyzeOptions", () => {
  test("fills in the defaults", () => {
    expect(resolveAnalyzeOptions()).toMatchObject({
      center: "mean",
      components: [0, 1],
      weights: "trainable",
      points: [21, 21],
      margin: 0.2,
      force: false,
    });
  });

  test.each([
    [{ center: "median" as never }, "center: expected one of mean, final, got median"],
    [{ weights: "some" as never }, "weights: expected one of trainable, all, got some"],
    [{ components: [1, 1] as const }, "components: expected two different integers from 0 on, got [1,1]"],
    [{ components: [0, -1] as const }, "components: expected two different integers from 0 on, got [0,-1]"],
    [{ points: 2 }, "points: expected integers of at least 3, got 2"],
    [{ points: [21, 2.5] as const }, "points: expected integers of at least 3, got [21,2.5]"],
    [{ margin: -0.1 }, "margin: expected a finite number of at least 0, got -0.1"],
    [{ margin: Number.NaN }, "margin: expected a finite number of at least 0, got NaN"],
    [{ range: "0:1:5" }, 'range: expected two axes, "x0:x1:nx,y0:y1:ny", got "0:1:5"'],
  ])("refuses %j", (options, message) => {
    expect(() => resolveAnalyzeOptions(options)).toThrow(InvalidOptionError);
    expect(() => resolveAnalyzeOptions(options)).toThrow(message);
  });
});

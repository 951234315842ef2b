import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../src/base/errors.js";
import {
  countColumns,
  embedDirections,
  embedVector,
  restrictDirections,
  restrictVector,
  selectColumns,
} from "../../src/directions/column-selection.js";
import type { Directions } from "../../src/directions/directions.js";
import { makeLayout } from "../support/layout.js";

const layout = makeLayout([
  { name: "a/kernel", shape: [2, 3] },
  { name: "a/bias", shape: [3] },
  { name: "b/kernel", shape: [3, 1] },
  { name: "bn/mean", shape: [2], role: "state", trainable: false },
]);

describe("selectColumns", () => {
  it("takes trainable weights, all, or all but some roles, touching ranges merged", () => {
    expect(selectColumns(layout)).toEqual([{ start: 0, end: 12 }]);
    expect(selectColumns(layout, { columns: "all" })).toEqual([{ start: 0, end: 14 }]);
    expect(selectColumns(layout, { columns: "all", ignore: ["bias"] })).toEqual([
      { start: 0, end: 6 },
      { start: 9, end: 14 },
    ]);
    expect(countColumns(selectColumns(layout, { ignore: ["bias"] }))).toBe(9);
  });

  it("refuses an empty selection", () => {
    expect(() => selectColumns(layout, { ignore: ["kernel", "bias"] })).toThrow(InvalidOptionError);
  });
});

describe("embedding and restricting", () => {
  it("restrict ∘ embed is the identity, and the rest is zero", () => {
    fc.assert(
      fc.property(
        fc.constantFrom([], ["bias" as const], ["kernel" as const]),
        fc.array(fc.float({ noNaN: true }), { minLength: 14, maxLength: 14 }),
        (ignore, values) => {
          const ranges = selectColumns(layout, { columns: "all", ignore });
          const vector = Float32Array.from(values.slice(0, countColumns(ranges)));
          const full = embedVector(vector, ranges, 14);
          expect(restrictVector(full, ranges)).toEqual(vector);
          const zeros = full.filter((_, c) => !ranges.some(({ start, end }) => c >= start && c < end));
          expect(zeros.every((value) => value === 0)).toBe(true);
        },
      ),
    );
  });

  it("keeps the whole centre", () => {
    const ranges = selectColumns(layout, { ignore: ["bias"] });
    const center = Float32Array.from({ length: 14 }, (_, c) => c + 1);
    const directions: Directions = {
      kind: "test",
      center: restrictVector(center, ranges),
      vectors: [new Float32Array(9).fill(2)],
      labels: ["x"],
      explainedVarianceRatio: null,
      randomWalkBaseline: null,
      warnings: [],
    };
    const embedded = embedDirections(directions, ranges, center);
    expect(embedded.center).toBe(center);
    expect([...embedded.vectors[0]]).toEqual([2, 2, 2, 2, 2, 2, 0, 0, 0, 2, 2, 2, 0, 0]);
    expect(restrictDirections(embedded, ranges)).toEqual(directions);
    expect(() => embedDirections({ ...directions, vectors: [center] }, ranges, center)).toThrow(
      "directions: expected vectors over 9 columns, got 14 entries",
    );
  });
});

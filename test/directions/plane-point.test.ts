import { describe, expect, test } from "vitest";
import { createPlanePoint } from "../../src/directions/slice-map.js";

const center = Float32Array.of(1, 1, 0.1, 7);
const vectors = [Float32Array.of(0, 1, 0, 0), Float32Array.of(0, 1, 1, 0), Float32Array.of(0, 0, 3, 0)];

describe("createPlanePoint", () => {
  test("is θ* + α·x + β·y + …, each entry rounded once, for any number of directions", () => {
    for (const count of [1, 2, 3]) {
      const point = createPlanePoint({ center, vectors: vectors.slice(0, count) });
      expect(point.theta).toEqual(center);
      for (const at of [
        [2, -3, 0.7],
        [0, 0.1, 0],
        [0.3, 0, 0],
        [0.1, 0, 5],
        [-1, 1 / 3, 1 / 7],
      ]) {
        point.moveTo(...at.slice(0, count));
        const expected = Float32Array.from(center, (value, i) =>
          vectors
            .slice(0, count)
            .reduce((sum, vector, k) => sum + (at[k] as number) * (vector[i] as number), value),
        );
        expect(point.theta).toEqual(expected);
      }
      point.moveTo();
      expect(point.theta).toEqual(center);
    }
  });

  test("the origin is θ* bit for bit, −0 included, and θ* is not changed", () => {
    const negative = Float32Array.of(-0, 1);
    const point = createPlanePoint({
      center: negative,
      vectors: [Float32Array.of(1, 1), Float32Array.of(1, 0)],
    });
    point.moveTo(3, 4);
    point.moveTo(0, 0);
    expect(Object.is(point.theta[0], -0)).toBe(true);
    expect([...negative]).toEqual([-0, 1]);
  });
});

import { expect, test } from "vitest";
import { mirrorLowerInto } from "../../src/math/row-kernels.js";

test.each([1, 2, 31, 32, 33, 100])("the upper triangle becomes the mirror of the lower one, %i rows", (n) => {
  const matrix = Float64Array.from({ length: n * n }, (_, p) => p + 1);
  const expected = matrix.map((value, p) => {
    const [i, j] = [Math.floor(p / n), p % n];
    return j > i ? matrix[j * n + i] : value;
  });
  mirrorLowerInto(matrix, n);
  expect(matrix).toEqual(expected);
});

import { expect, test } from "vitest";
import { toJson, toRows } from "../../src/base/json.js";

test("non-finite numbers become strings, typed arrays become arrays, undefined entries vanish", () => {
  const value = { a: new Float64Array([1, Number.NaN]), b: [Infinity, -Infinity], c: undefined, d: null };
  expect(toJson(value)).toEqual({ a: [1, "NaN"], b: ["Infinity", "-Infinity"], d: null });
});

test("what JSON cannot carry is refused", () => {
  expect(() => toJson({ f: () => 1 })).toThrow("expected data, got a function");
  expect(() => toJson(1n)).toThrow("expected data, got a bigint");
});

test("toRows splits a non-square matrix by rows", () => {
  expect(toRows(new Float64Array([1, 2, 3, 4, 5, 6]), 2)).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(toRows([], 0)).toEqual([]);
});

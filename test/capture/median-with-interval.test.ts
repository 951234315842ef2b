import { expect, it } from "vitest";
import { medianWithInterval } from "../../bench/capture-statistics.js";

it("takes the interval from order statistics: the 4th and the 12th of 15", () => {
  const sample = [7, 1, 15, 3, 9, 2, 14, 5, 11, 4, 13, 6, 12, 8, 10];
  expect(medianWithInterval(sample)).toEqual({ median: 8, low: 4, high: 12 });
});

it("averages the middle of an even sample, and gives the extremes of a small one", () => {
  expect(medianWithInterval([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 });
});

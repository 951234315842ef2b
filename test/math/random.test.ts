import { describe, expect, it } from "vitest";
import { createNormal, createUniform } from "../../src/math/random.js";

function take(next: () => number, count: number): number[] {
  return Array.from({ length: count }, next);
}

describe("random numbers", () => {
  it("repeat for a seed and key, and differ in every part of them", () => {
    const base = take(createUniform(0, 1, "a"), 20);
    expect(take(createUniform(0, 1, "a"), 20)).toEqual(base);
    const others = [
      createUniform(1, 1, "a"),
      createUniform(0, 0, "a"),
      createUniform(0, 1, "b"),
      createUniform(0, "1a"),
    ];
    for (const other of others) {
      const values = take(other, 20);
      expect(values.filter((value, i) => value === base[i])).toEqual([]);
    }
  });

  it("are uniform for neighbouring seeds taken together", () => {
    // The first number of 20,000 seeds: what a seed that hardly reaches the generator would betray.
    const firsts = Array.from({ length: 20_000 }, (_, seed) => createUniform(seed)());
    const bins = new Array(20).fill(0);
    for (const value of firsts) bins[Math.floor(value * 20)]++;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(45);
  });

  it("are standard normal, neighbours and streams uncorrelated", () => {
    const n = 100_000;
    const [x, y] = [take(createNormal(0, "x"), n), take(createNormal(0, "y"), n)];
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / n;
    expect(Math.abs(mean(x))).toBeLessThan(0.015);
    expect(Math.abs(mean(x.map((v) => v ** 2)) - 1)).toBeLessThan(0.02);
    expect(Math.abs(mean(x.map((v) => v ** 3)))).toBeLessThan(0.05);
    expect(Math.abs(mean(x.map((v) => v ** 4)) - 3)).toBeLessThan(0.15);
    expect(Math.abs(mean(x.map((v, i) => v * y[i])))).toBeLessThan(0.015);
    expect(Math.abs(mean(x.map((v, i) => v * x[(i + 1) % n])))).toBeLessThan(0.015);
  });
});

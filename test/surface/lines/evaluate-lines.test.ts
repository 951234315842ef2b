import { describe, expect, test } from "vitest";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import {
  interpolateLine,
  type LinePoint,
  type RandomLinesOptions,
  randomLines,
} from "../../../src/surface/lines/evaluate-lines.js";
import { CENTER_INDEX } from "../../../src/surface/surface.js";
import { makeLayout } from "../../support/layout.js";

const layout = makeLayout([{ name: "dense/kernel", shape: [2, 2] }]);
const theta = Float32Array.of(1, -2, 0.5, 3);

/** A bowl that counts its evaluations; the sets differ in samples and metrics. */
function bowl(samples: number, metricNames: readonly string[]) {
  const plain = functionEvaluator(
    (at) => {
      const loss = at.reduce((sum, value) => sum + value ** 2, samples);
      return { loss, metrics: Object.fromEntries(metricNames.map((name) => [name, 1 / loss])) };
    },
    4,
    { metricNames, id: `bowl ${samples}` },
  );
  const evaluator: LossEvaluator & { calls: number } = {
    ...plain,
    facts: { ...plain.facts, samples },
    calls: 0,
  };
  evaluator.evaluate = (at, how) => {
    evaluator.calls++;
    return plain.evaluate(at, how);
  };
  return evaluator;
}

function setUp() {
  const [train, held] = [bowl(10, ["acc"]), bowl(4, ["acc", "mae"])];
  const sets = [
    { name: "train", evaluator: train },
    { name: "test", evaluator: held },
  ];
  const calls = () => train.calls + held.calls;
  return { sets, calls };
}

const options: RandomLinesOptions = { seeds: [3, 5, 8], grid: { from: -1, to: 1, size: 51 } };
const TOTAL = 3 * 2 * 51;

describe("lines that take turns", () => {
  test("go from coarse to fine: every beginning is a picture of all of them", async () => {
    const points: LinePoint[] = [];
    const { sets } = setUp();
    await randomLines(sets, layout, theta, { ...options, onPoint: (point) => void points.push(point) });
    expect(points).toHaveLength(TOTAL);
    // The first round: nine points of each curve, which leave no gap wider than an eighth of the line.
    const first = points.slice(0, 6 * 9);
    for (let curve = 0; curve < 6; curve++) {
      const own = first.filter((point) => point.curve === curve).map(({ index }) => index);
      expect(own).toHaveLength(9);
      const places = own.map((index) => (index === CENTER_INDEX ? 25 : index)).sort((a, b) => a - b);
      expect([places[0], places.at(-1)]).toEqual([0, 50]);
      const gaps = places.slice(1).map((place, i) => place - (places[i] as number));
      expect(Math.max(...gaps)).toBeLessThanOrEqual(7);
    }
    const second = points.slice(6 * 9, 6 * 36);
    expect(second.filter(({ curve }) => curve === 4)).toHaveLength(27);
  });

  test("stop at their budget, all together, and say so once", async () => {
    for (const [budget, known] of [
      [{ points: 60 }, 60],
      // Nine points of ten samples and nine of four for each line, then two more of ten.
      [{ samples: 3 * 126 + 25 }, 56],
    ] as const) {
      const { sets, calls } = setUp();
      const slice = await randomLines(sets, layout, theta, { ...options, budget });
      expect(calls()).toBe(known);
      const evaluated = slice.curves.map(({ surface }) =>
        surface.partial?.evaluated.reduce((a, b) => a + b, 0),
      );
      expect(evaluated.reduce((a = 0, b = 0) => a + b, 0)).toBe(known);
      expect(Math.min(...(evaluated as number[]))).toBe(9);
      expect(slice.warnings.map(({ code }) => code)).toEqual(["partial-line"]);
      expect(slice.warnings[0]?.message).toContain(`only ${known} of ${TOTAL} points of the lines`);
    }
    const { sets } = setUp();
    for (const budget of [{ points: 0 }, { samples: 9 }, { seconds: 0 }]) {
      await expect(randomLines(sets, layout, theta, { ...options, budget })).rejects.toThrow("budget.");
    }
  });

  test("go on from any beginning to the same values, whatever evaluates several at once", async () => {
    const points: LinePoint[] = [];
    const whole = setUp();
    const slice = await randomLines(whole.sets, layout, theta, {
      ...options,
      onPoint: (point) => void points.push(point),
    });
    for (const count of [1, 40, 54, 100, TOTAL]) {
      const { sets, calls } = setUp();
      const atOnce = sets.map(({ name, evaluator }) => ({
        name,
        evaluator: { ...evaluator, concurrency: 3 },
      }));
      // Curves that are stored together have the metrics of all sets.
      const known = points.slice(0, count).map((point) => ({
        ...point,
        value: { ...point.value, metrics: { mae: Number.NaN, ...point.value.metrics } },
      }));
      const seen: number[] = [];
      const again = await randomLines(atOnce, layout, theta, {
        ...options,
        known,
        onProgress: (done, total) => {
          expect(total).toBe(TOTAL);
          seen.push(done);
        },
      });
      expect(again).toEqual(slice);
      expect(calls()).toBe(TOTAL - count);
      expect(seen).toEqual(Array.from({ length: TOTAL - count }, (_, i) => count + 1 + i));
    }
  });

  test("a line alone is evaluated from coarse to fine in one go", async () => {
    const order: number[] = [];
    const [train] = setUp().sets;
    await interpolateLine([train as typeof train & object], [theta, theta.map((value) => -value)], {
      grid: { from: 0, to: 1, size: 9 },
      onPoint: ({ index }) => void order.push(index),
    });
    expect(order).toEqual([CENTER_INDEX, 8, 4, 2, 6, 1, 5, 3, 7]);
  });
});

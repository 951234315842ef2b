import { expect, test } from "vitest";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import { approximateSurface } from "../../../src/surface/approximate/approximate-surface.js";
import { createGrid } from "../../../src/surface/grid.js";
import { LANDSCAPES, SAMPLES } from "./landscapes.js";
import { PLANE, sampleFunction } from "./sample-function.js";

/** A clock that stands still while anything can go on, then jumps to the end of what ends first. */
function virtualClock() {
  const waiting: { readonly at: number; readonly go: () => void }[] = [];
  let [now, isSet, gaps, most] = [0, false, 0, 0];
  const turn = (): void => {
    if (isSet || waiting.length === 0) return;
    isSet = true;
    setImmediate(() => {
      isSet = false;
      const [{ at, go }] = waiting.sort((a, b) => a.at - b.at).splice(0, 1);
      now = at;
      go();
      turn();
    });
  };
  return {
    now: () => now,
    /** How often something began after all that had begun before had ended. */
    gaps: () => gaps,
    /** Most that were under way at once. */
    most: () => most,
    take: (time: number) =>
      new Promise<void>((go) => {
        if (waiting.length === 0) gaps++;
        waiting.push({ at: now + time, go });
        most = Math.max(most, waiting.length);
        turn();
      }),
  };
}

/** The time that a surface takes, in evaluations of a sample, where `workers` evaluate and nothing else costs time. */
async function timeWith(workers: number, name: string) {
  const clock = virtualClock();
  const classes = Int32Array.from({ length: SAMPLES }, (_, i) => i % 10);
  const base = sampleFunction(LANDSCAPES[name](7), SAMPLES, classes);
  const evaluator: LossEvaluator = {
    ...base,
    concurrency: workers,
    async evaluate(theta, how) {
      const own = theta.slice();
      await clock.take(SAMPLES);
      return base.evaluate(own, how);
    },
    async openSamples(rows, signal) {
      const opened = await (base.openSamples as NonNullable<LossEvaluator["openSamples"]>)(rows, signal);
      const losses: typeof opened.losses = async (theta, how) => {
        const own = theta.slice();
        await clock.take(opened.samples);
        return opened.losses(own, how);
      };
      return { ...opened, losses };
    },
  };
  const axis = { from: -1, to: 1, size: 25 };
  const surface = await approximateSurface(
    evaluator,
    PLANE,
    createGrid({ grid: { alpha: axis, beta: axis } }),
  );
  return { surface, time: clock.now(), spent: base.evaluated(), gaps: clock.gaps(), most: clock.most() };
}

test.each(["bowl", "hinges"])("%s: two workers hardly ever wait for each other", async (name) => {
  const [one, two] = [await timeWith(1, name), await timeWith(2, name)];
  expect(two.surface).toEqual(one.surface);
  expect(one.time).toBe(one.spent);
  expect([one.most, two.most]).toEqual([1, 2]);
  expect(one.time / two.time).toBeGreaterThan(1.985);
  // What is evaluated while the next points are chosen is asked for later: the first and the last points begin anew.
  expect(two.gaps).toBeLessThanOrEqual(2);
  expect(two.spent).toBe(one.spent);
  expect(two.surface.approximation?.sampleEvaluations).toBe(one.spent);
});

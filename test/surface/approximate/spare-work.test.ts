import { expect, test } from "vitest";
import { EvaluationError } from "../../../src/base/errors.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import {
  type ApproximateSurfaceOptions,
  approximateSurface,
} from "../../../src/surface/approximate/approximate-surface.js";
import { EXACT, SAMPLED } from "../../../src/surface/approximate/point-data.js";
import { createSpareWork } from "../../../src/surface/approximate/spare-work.js";
import { createGrid } from "../../../src/surface/grid.js";
import { LANDSCAPES, SAMPLES } from "./landscapes.js";
import { PLANE, sampleFunction } from "./sample-function.js";

/** Spare work whose points end when they are told to. */
function watched(width: number) {
  const state = { left: 0 };
  const begun: number[] = [];
  const ends = new Map<number, { end: () => void; fail: (reason: Error) => void }>();
  const stop = new AbortController();
  const pending = (point: number) =>
    new Promise<void>((end, fail) => {
      begun.push(point);
      ends.set(point, { end, fail });
    });
  const work = createSpareWork({
    width: () => width,
    left: () => state.left,
    evaluate: ({ point }) => pending(point),
    signal: stop.signal,
  });
  const settle = async (point: number, reason?: Error): Promise<void> => {
    const { end, fail } = ends.get(point) as { end: () => void; fail: (reason: Error) => void };
    if (reason === undefined) end();
    else fail(reason);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  };
  return { work, state, begun, stop, pending, settle };
}

const chosen = (...points: number[]) => points.map((point) => ({ point, state: SAMPLED }));

test("points are begun in their order where there is room", async () => {
  const { work, begun, settle } = watched(2);
  work.prepare(chosen(5, 6, 7));
  expect(begun).toEqual([5, 6]);
  await settle(6);
  expect(begun).toEqual([5, 6, 7]);
});

test("what is asked for comes first, and no more is under way than is taken", async () => {
  const { work, state, begun, pending, settle } = watched(2);
  work.prepare(chosen(1, 2, 3));
  state.left = 1;
  const own = work.runFirst(9, () => pending(9));
  await settle(1);
  expect(begun).toEqual([1, 2, 9]);
  await settle(2);
  // Something is left that is asked for.
  expect(begun).toEqual([1, 2, 9]);
  state.left = 0;
  await settle(9);
  await own;
  expect(begun).toEqual([1, 2, 9, 3]);
});

test("of what is asked for in the same step no more is begun than is taken, and a place that is left goes to who waits", async () => {
  const { work, begun, pending, settle } = watched(2);
  const own = [1, 2, 3, 4].map((point) => work.runFirst(point, () => pending(point)));
  work.prepare(chosen(5));
  await Promise.resolve();
  await Promise.resolve();
  expect(begun).toEqual([1, 2]);
  await settle(1);
  expect(begun).toEqual([1, 2, 3]);
  // Asked for in the step in which a place is left.
  const late = (async () => {
    await own[1];
    await work.runFirst(6, () => pending(6));
  })();
  await settle(2);
  expect(begun).toEqual([1, 2, 3, 4]);
  await settle(3);
  expect(begun).toEqual([1, 2, 3, 4, 6]);
  await settle(4);
  expect(begun).toEqual([1, 2, 3, 4, 6, 5]);
  await settle(6);
  await Promise.all([...own, late]);
});

test("a point is never under way twice", async () => {
  const { work, begun, pending, settle } = watched(3);
  work.prepare(chosen(1));
  const own = work.runFirst(1, () => pending(1));
  await settle(1);
  expect(begun).toEqual([1, 1]);
  work.prepare([{ point: 1, state: EXACT }]);
  expect(begun).toEqual([1, 1]);
  await settle(1);
  await own;
  expect(begun).toEqual([1, 1, 1]);
});

test("a point that failed is not begun again: asking for it throws what it failed of", async () => {
  const { work, begun, pending, settle } = watched(2);
  work.prepare(chosen(1, 2));
  await settle(1, new Error("no value"));
  await settle(2);
  work.prepare(chosen(1, 3));
  expect(begun).toEqual([1, 2, 3]);
  await expect(work.runFirst(1, () => pending(1))).rejects.toThrow("no value");
  // Asked for while it is under way.
  const own = work.runFirst(3, () => pending(3));
  const failed = expect(own).rejects.toThrow("none either");
  await settle(3, new Error("none either"));
  await failed;
  expect(begun).toEqual([1, 2, 3]);
  expect(await work.runFirst(4, async () => "value")).toBe("value");
});

test("once it is stopped nothing is begun, and what ends because of that has not failed", async () => {
  const { work, begun, stop, settle } = watched(2);
  work.prepare(chosen(1, 2, 3));
  stop.abort();
  await settle(1, new Error("aborted"));
  expect(begun).toEqual([1, 2]);
  expect(await work.runFirst(1, async () => "value")).toBe("value");
});

test("closing waits for what is under way", async () => {
  const { work, begun, settle } = watched(2);
  work.prepare(chosen(1, 2, 3, 4));
  await settle(1);
  expect(begun).toEqual([1, 2, 3]);
  let isClosed = false;
  const closed = work.close().then(() => {
    isClosed = true;
  });
  await settle(2);
  expect(isClosed).toBe(false);
  await settle(3);
  await closed;
  expect(begun).toEqual([1, 2, 3]);
});

test("nothing is begun where one point is taken at a time", async () => {
  const { work, begun } = watched(1);
  work.prepare(chosen(1, 2));
  expect(begun).toEqual([]);
  expect(await work.runFirst(1, async () => "value")).toBe("value");
  expect(begun).toEqual([]);
});

const axis = { from: -1, to: 1, size: 17 };
const grid = createGrid({ grid: { alpha: axis, beta: axis } });

/** Evaluations on all samples of the first round, of spare work, and of those that were chosen. */
const TIMES = [3, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18];

/** Approximates with an evaluator that takes three points at once, and fails of its n-th evaluation on all samples. */
async function failing(failsAt: number, options: ApproximateSurfaceOptions = {}) {
  const base = sampleFunction(LANDSCAPES.hinges(2), SAMPLES);
  const places: string[] = [];
  let failedAt: string | null = null;
  const evaluator: LossEvaluator = {
    ...base,
    concurrency: 3,
    async evaluate(theta, how) {
      const own = theta.slice();
      const place = own.join(" ");
      places.push(place);
      const isWrong = places.length === failsAt;
      await new Promise(setImmediate);
      if (!isWrong) return base.evaluate(own, how);
      failedAt = place;
      throw new EvaluationError("engine", "the values of the model's own ops", "others");
    },
  };
  const error: unknown = await approximateSurface(evaluator, PLANE, grid, options).catch(
    (reason: unknown) => reason,
  );
  return { error, times: places.filter((place) => place === failedAt).length, places };
}

test("what fails once ends the surface, also where it was spare work, and is not tried again", async () => {
  for (const time of TIMES) {
    const { error, times, places } = await failing(time);
    expect(error).toHaveProperty("got", "others");
    expect(times).toBe(1);
    const after = places.length;
    await new Promise((done) => setTimeout(done, 10));
    expect(places.length).toBe(after);
  }
});

test("what onPoint throws ends the surface, also where it was spare work; it is called once for that point", async () => {
  for (const time of TIMES) {
    const seen: number[] = [];
    const onPoint: ApproximateSurfaceOptions["onPoint"] = async ({ index, value }) => {
      if (value === null) return;
      seen.push(index);
      if (seen.length === time) throw new Error("disk full");
    };
    const { error } = await failing(Number.POSITIVE_INFINITY, { onPoint });
    expect(error).toHaveProperty("message", "disk full");
    expect(seen.filter((index) => index === seen[time - 1])).toHaveLength(1);
  }
});

test("no point is reported once an aborted surface has ended, also where spare work was under way", async () => {
  for (let after = 3; after < 60; after += 3) {
    const controller = new AbortController();
    let [begun, reported] = [0, 0];
    const { error } = await failing(Number.POSITIVE_INFINITY, {
      signal: controller.signal,
      onPoint: async () => {
        if (++begun === after) controller.abort(new Error("enough"));
        await new Promise((done) => setTimeout(done, 3));
        reported++;
      },
    });
    expect(error).toHaveProperty("message", "enough");
    expect(reported).toBe(begun);
    const before = begun;
    await new Promise((done) => setTimeout(done, 10));
    expect(begun).toBe(before);
  }
});

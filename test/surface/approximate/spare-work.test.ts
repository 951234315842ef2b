import { expect, test } from "vitest";
import { EXACT, SAMPLED } from "../../../src/surface/approximate/point-data.js";
import { createSpareWork } from "../../../src/surface/approximate/spare-work.js";

/** Spare work whose points end when they are told to. */
function watched(width: number) {
  const state = { left: 0 };
  const begun: number[] = [];
  const ends = new Map<number, { end: () => void; fail: (reason: Error) => void }>();
  const buffers = new Map<number, Float32Array>();
  const pending = (point: number) =>
    new Promise<void>((end, fail) => {
      begun.push(point);
      ends.set(point, { end, fail });
    });
  const work = createSpareWork(
    {
      width: () => width,
      evaluate({ point }, theta) {
        buffers.set(point, theta);
        return pending(point);
      },
      parameterCount: 3,
    },
    () => state.left,
  );
  const settle = async (point: number, reason?: Error): Promise<void> => {
    const { end, fail } = ends.get(point) as { end: () => void; fail: (reason: Error) => void };
    if (reason === undefined) end();
    else fail(reason);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  };
  return { work, state, begun, buffers, pending, settle };
}

const chosen = (...points: number[]) => points.map((point) => ({ point, state: SAMPLED }));

test("points are begun in their order where there is room, each with a buffer of its own", async () => {
  const { work, begun, buffers, settle } = watched(2);
  work.prepare(chosen(5, 6, 7));
  expect(begun).toEqual([5, 6]);
  expect(buffers.get(5)).not.toBe(buffers.get(6));
  await settle(6);
  expect(begun).toEqual([5, 6, 7]);
  expect(buffers.get(7)).toBe(buffers.get(6));
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

test("a failure is left to whoever asks for the point, and closing waits for what is under way", async () => {
  const { work, begun, settle } = watched(2);
  work.prepare(chosen(1, 2, 3, 4));
  await settle(1, new Error("no value"));
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

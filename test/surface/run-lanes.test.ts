import { expect, test } from "vitest";
import { runLanes } from "../../src/surface/evaluate-points.js";

/** Pieces of work, and how many were under way at most. */
function pieces(count: number) {
  const state = { begun: 0, under: 0, most: 0 };
  return {
    state,
    left: () => count - state.begun,
    async next(): Promise<boolean> {
      if (state.begun >= count) return false;
      state.begun++;
      state.most = Math.max(state.most, ++state.under);
      await new Promise(setImmediate);
      state.under--;
      return true;
    },
  };
}

test.each([
  ["one", 1],
  ["three", 3],
])("%s at a time, each piece once", async (_, width) => {
  const { state, next, left } = pieces(10);
  await runLanes({ width: () => width, left }, undefined, async () => {
    while (await next());
  });
  expect(state).toEqual({ begun: 10, under: 0, most: width });
});

test("more lanes start as the width grows, and are waited for; no more than there is work", async () => {
  const { state, next, left } = pieces(40);
  let lanes = 0;
  const width = () => (state.begun < 6 ? 2 : state.begun < 40 ? 7 : 100);
  await runLanes({ width, left }, undefined, async (_, goesOn) => {
    lanes++;
    while (await next()) if (!goesOn()) return;
  });
  expect(state).toEqual({ begun: 40, under: 0, most: 7 });
  expect(lanes).toBe(7);
});

test("lanes start one by one, as pieces are done", async () => {
  const { state, next, left } = pieces(40);
  let done = 0;
  await runLanes({ width: () => (done === 0 ? 2 : 30), left }, undefined, async (_, goesOn) => {
    while (await next()) {
      done++;
      if (!goesOn()) return;
      expect(state.under).toBeLessThanOrEqual(2 + done);
    }
  });
  expect(state).toMatchObject({ begun: 40, under: 0 });
  expect(state.most).toBeGreaterThan(10);
});

test("lanes end as the width shrinks, and one is left", async () => {
  const { state, next, left } = pieces(40);
  const under: number[] = [];
  await runLanes({ width: () => (state.begun < 10 ? 6 : 0), left }, undefined, async (_, goesOn) => {
    while (await next()) {
      under.push(state.under);
      if (!goesOn()) return;
    }
  });
  expect(state).toEqual({ begun: 40, under: 0, most: 6 });
  expect(Math.max(...under.slice(20))).toBe(0);
});

test("the first failure stops the others, and is thrown when all have ended", async () => {
  const { state, next, left } = pieces(100);
  const failed = runLanes({ width: () => 3, left }, undefined, async (stop, goesOn) => {
    while (await next()) {
      if (state.begun >= 5) throw new Error("first");
      goesOn();
      stop?.throwIfAborted();
    }
  });
  await expect(failed).rejects.toThrow("first");
  expect(state.under).toBe(0);
  expect(state.begun).toBeLessThan(10);
});

test("a signal stops all lanes; its reason is thrown, also where it was aborted before", async () => {
  for (const width of [1, 3]) {
    const { state, next, left } = pieces(100);
    const abort = new AbortController();
    const work = () =>
      runLanes({ width: () => width, left }, abort.signal, async (stop) => {
        stop?.throwIfAborted();
        while (await next()) {
          if (state.begun >= 6) abort.abort(new Error("enough"));
          stop?.throwIfAborted();
        }
      });
    await expect(work()).rejects.toThrow("enough");
    const { begun } = state;
    await expect(work()).rejects.toThrow("enough");
    expect(state).toMatchObject({ begun, under: 0 });
  }
});

import { expect, test } from "vitest";
import { runLanes } from "../../src/surface/run-lanes.js";

/** Pieces of work, and how many were under way at most. */
function pieces(count: number) {
  const state = { begun: 0, under: 0, most: 0 };
  return {
    state,
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
  const { state, next } = pieces(10);
  await runLanes(
    () => width,
    undefined,
    async () => {
      while (await next());
    },
  );
  expect(state).toEqual({ begun: 10, under: 0, most: width });
});

test("more lanes start as the width grows, and are waited for", async () => {
  const { state, next } = pieces(40);
  await runLanes(
    () => (state.begun < 6 ? 2 : 7),
    undefined,
    async (_, widen) => {
      while (await next()) widen();
    },
  );
  expect(state).toEqual({ begun: 40, under: 0, most: 7 });
});

test("the first failure stops the others, and is thrown when all have ended", async () => {
  const { state, next } = pieces(100);
  const failed = runLanes(
    () => 3,
    undefined,
    async (stop, widen) => {
      while (await next()) {
        if (state.begun >= 5) throw new Error("first");
        widen();
        stop?.throwIfAborted();
      }
    },
  );
  await expect(failed).rejects.toThrow("first");
  expect(state.under).toBe(0);
  expect(state.begun).toBeLessThan(10);
});

test("a signal stops all lanes; its reason is thrown, also where it was aborted before", async () => {
  for (const width of [1, 3]) {
    const { state, next } = pieces(100);
    const abort = new AbortController();
    const work = () =>
      runLanes(
        () => width,
        abort.signal,
        async (stop) => {
          stop?.throwIfAborted();
          while (await next()) {
            if (state.begun >= 6) abort.abort(new Error("enough"));
            stop?.throwIfAborted();
          }
        },
      );
    await expect(work()).rejects.toThrow("enough");
    const { begun } = state;
    await expect(work()).rejects.toThrow("enough");
    expect(state).toMatchObject({ begun, under: 0 });
  }
});

import { expect, test } from "vitest";
import type { LiveState } from "../../src/live/live-feed.js";
import { createLiveServer } from "../../src/live/live-server.js";
import { statesUntil } from "./events.js";

const page = { html: "<!doctype html>", policy: "default-src 'none'" };

function stateOf(name: string): LiveState {
  return {
    version: 1,
    name,
    status: "recording",
    epochs: null,
    snapshots: 0,
    points: [],
    plane: null,
    lossChanges: [],
    stability: null,
    planeStride: 1,
    notes: [],
  };
}

/** A server with a reader who has got the state "first", and all states until "last" or the end. */
async function serverWithReader() {
  const server = await createLiveServer(page);
  server.publish(stateOf("first"));
  let states: Promise<LiveState[]> | undefined;
  await new Promise<void>((resolve) => {
    states = statesUntil(server.url, ({ name }) => {
      if (name === "first") resolve();
      return name === "last";
    });
  });
  return { server, states: states as Promise<LiveState[]> };
}

test("what is published while the server closes goes nowhere, and is no error", async () => {
  const { server } = await serverWithReader();
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  process.on("uncaughtException", note);
  try {
    const closed = server.close();
    server.publish(stateOf("late"));
    await closed;
    server.publish(stateOf("later"));
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("uncaughtException", note);
  }
  expect(uncaught).toEqual([]);
});

test("a slow reader misses states while much waits for him, but never the newest", async () => {
  const { server, states } = await serverWithReader();
  try {
    for (const name of ["x".repeat(9 * 2 ** 20), "left out", "last"]) server.publish(stateOf(name));
    expect((await states).map(({ name }) => name.slice(0, 5))).toEqual(["first", "xxxxx", "last"]);
  } finally {
    await server.close();
  }
});

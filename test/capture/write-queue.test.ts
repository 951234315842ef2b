import { describe, expect, it } from "vitest";
import { type SnapshotSink, WriteQueue } from "../../src/capture/write-queue.js";
import type { Snapshot } from "../../src/store/run/run.js";

/** A sink whose writes finish when the test says so. */
class HeldSink implements SnapshotSink {
  readonly started: number[] = [];
  readonly finish: (() => void)[] = [];
  closed = 0;
  write({ step, theta }: Snapshot): Promise<Float32Array> {
    this.started.push(step);
    return new Promise((resolve) => this.finish.push(() => resolve(theta)));
  }
  async close() {
    this.closed++;
  }
}

const snapshot = (step: number, theta: Float32Array = new Float32Array(3)): Snapshot => ({
  step,
  theta,
  epoch: step,
  iteration: step,
  time: 0,
  learningRate: 0.1,
  logs: {},
});

/** Whether a promise is settled once everything that can run has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe("WriteQueue", () => {
  it("hands everything to the sink at once, in order, and lets training go on below the limit", async () => {
    const sink = new HeldSink();
    const queue = new WriteQueue(sink, 3, 3);
    await queue.push(snapshot(0));
    await queue.push(snapshot(1));
    expect(sink.started).toEqual([0, 1]);
    expect(queue.pending).toBe(2);
  });

  it("holds whoever pushes at the limit until there is room", async () => {
    const sink = new HeldSink();
    const queue = new WriteQueue(sink, 2, 3);
    await queue.push(snapshot(0));
    const second = queue.push(snapshot(1));
    expect(await isSettled(second)).toBe(false);
    sink.finish[0]?.();
    await second;
    expect(queue.pending).toBe(1);
  });

  it("uses arrays again and makes no more of them than the limit asks for", async () => {
    const sink = new HeldSink();
    const queue = new WriteQueue(sink, 2, 3);
    const seen = new Set<Float32Array>();
    for (let step = 0; step < 10; step++) {
      const theta = queue.acquire();
      seen.add(theta);
      const pushed = queue.push(snapshot(step, theta));
      sink.finish[step]?.();
      await pushed;
    }
    expect(seen.size).toBeLessThanOrEqual(3);
    const theta = queue.acquire();
    queue.release(theta);
    expect(queue.acquire()).toBe(theta);
  });

  it("closes the sink once everything is written", async () => {
    const sink = new HeldSink();
    const queue = new WriteQueue(sink, 4, 3);
    await queue.push(snapshot(0));
    await queue.push(snapshot(1));
    const closed = queue.close();
    expect(await isSettled(closed)).toBe(false);
    expect(sink.closed).toBe(0);
    for (const finish of sink.finish) finish();
    await closed;
    expect(sink.closed).toBe(1);
  });

  it("throws the sink's first error at the next push, and at every one after it", async () => {
    let writes = 0;
    const failing: SnapshotSink = {
      write: () => Promise.reject(new Error(`disk full at ${writes++}`)),
      close: async () => {},
    };
    const queue = new WriteQueue(failing, 4, 3);
    await queue.push(snapshot(0));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(queue.push(snapshot(1))).rejects.toThrow("disk full at 0");
    await expect(queue.push(snapshot(2))).rejects.toThrow("disk full at 0");
    expect(writes).toBe(1);
    await expect(queue.close()).resolves.toBeUndefined();
  });

  it("throws at close an error that no push has thrown, after closing the sink", async () => {
    let closed = false;
    const failing: SnapshotSink = {
      write: () => Promise.reject(new Error("disk full")),
      close: async () => {
        closed = true;
      },
    };
    const queue = new WriteQueue(failing, 4, 3);
    await queue.push(snapshot(0));
    await expect(queue.close()).rejects.toThrow("disk full");
    expect(closed).toBe(true);
  });

  it("does not keep whoever waits at the limit waiting when the sink fails", async () => {
    const failing: SnapshotSink = {
      write: () => new Promise((_, reject) => setImmediate(() => reject(new Error("disk full")))),
      close: async () => {},
    };
    const queue = new WriteQueue(failing, 1, 3);
    await expect(queue.push(snapshot(0))).rejects.toThrow("disk full");
  });
});

import { describe, expect, it } from "vitest";
import {
  decodeError,
  encodeError,
  FormatError,
  InvalidDataError,
  RunStateError,
} from "../../src/base/errors.js";
import { createWorkerSink, writeFailure } from "../../src/capture/worker-sink.js";
import type { Snapshot } from "../../src/store/run/run.js";

const target = { directory: "/runs/mine", layoutDigest: "0".repeat(64), dtype: "float32" } as const;
const worker = (program: string) => new URL(`data:text/javascript,${encodeURIComponent(program)}`);
const snapshot = (step: number): Snapshot => ({
  step,
  epoch: 0,
  iteration: 0,
  time: 0,
  learningRate: 0.1,
  logs: { loss: Number.NaN },
  theta: Float32Array.of(step, -0, Number.NaN),
});

describe("createWorkerSink", () => {
  it("moves weights there and back, in order, without copying them", async () => {
    const sink = createWorkerSink(
      worker(`
        import { parentPort } from "node:worker_threads";
        parentPort.on("message", ({ theta, logs }) => {
          theta[1] = Number.isNaN(logs.loss) ? 1 : 0;
          parentPort.postMessage({ theta, error: null }, [theta.buffer]);
        });`),
      target,
    );
    const [first, second] = [snapshot(1), snapshot(2)];
    const answers = await Promise.all([sink.write(first), sink.write(second)]);
    expect(answers.map((theta) => Array.from(theta))).toEqual([
      [1, 1, Number.NaN],
      [2, 1, Number.NaN],
    ]);
    expect(first.theta.length).toBe(0);
    await sink.close();
    await sink.close();
  });

  it.each([
    [
      "throws while it starts",
      `throw new Error("no such package");`,
      /the writing thread failed: no such package/,
    ],
    ["ends", `process.exit(3);`, /the writing thread ended with code 3/],
  ])("fails every write when the thread %s", async (_what, program, message) => {
    const sink = createWorkerSink(worker(program), target);
    const writes = await Promise.allSettled([sink.write(snapshot(4)), sink.write(snapshot(5))]);
    for (const write of writes)
      expect(write).toMatchObject({ reason: { message: expect.stringMatching(message) } });
    await expect(sink.write(snapshot(6))).rejects.toThrow(RunStateError);
    await expect(sink.write(snapshot(6))).rejects.toThrow(
      /^snapshot 6 of \/runs\/mine: expected to be written/,
    );
    await sink.close();
  });
});

describe("errors across threads", () => {
  const sent = (error: unknown) => writeFailure("/r", 3, decodeError(structuredClone(encodeError(error))));

  it("explains what the operating system says", () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(sent(full).message).toBe(
      "snapshot 3 of /r: expected to be written, got the disk is full (ENOSPC: no space left on device, write); " +
        "earlier snapshots are complete; resume continues after them",
    );
    expect(sent(full).cause).toMatchObject({ code: "ENOSPC" });
    expect(sent(new FormatError("f", "x", "y", { cause: full })).message).toContain(
      "the disk is full (f: expected x, got y)",
    );
    const told = new RunStateError("f.arrow", "a place that can be written to", "the disk is full", {
      cause: full,
    });
    expect(sent(told).got).toBe("the disk is full (f.arrow)");
  });

  it("keeps the reason of an error of this package, and of anything that is thrown", () => {
    const overflow = new InvalidDataError("snapshot 3", "numbers up to 65504 for float16", "1e6");
    expect(sent(overflow).got).toContain("numbers up to 65504 for float16");
    expect(sent(overflow).got).toContain("1e6");
    expect(sent("what?").got).toBe("what?");
  });
});

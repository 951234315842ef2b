import { describe, expect, it } from "vitest";
import type { Finiteness } from "../../../src/loss/engine/finiteness.js";
import { guardEvaluator } from "../../../src/loss/engine/guarded-evaluator.js";
import type { EngineEvaluator, LossValue } from "../../../src/loss/loss-evaluator.js";

const SAMPLES = 4;
const value = (loss: number): LossValue => ({ loss, metrics: {}, clippedShare: null });
/** The right loss is θ²; the engine is wrong from a size of θ on. */
const right = (theta: Float32Array) => (theta[0] as number) ** 2;
const finiteness: Finiteness = {
  isFinite: async () => true,
  gaps: async () => null,
  plane: () => () => true,
  dispose() {},
};

function guarded(wrongFrom: number, partFactor = 1) {
  const lossAt = (theta: Float32Array) =>
    (Math.abs(theta[0] as number) >= wrongFrom ? 1.5 : 1) * right(theta);
  const compared: number[] = [];
  const engine: EngineEvaluator = {
    engine: { name: "onnx", backend: "test", batchSize: SAMPLES, threads: 1 },
    lossMode: "model",
    parameterCount: 1,
    metricNames: [],
    samples: SAMPLES,
    dataDigest: "",
    modelDigest: "",
    evaluate: async (theta) => value(lossAt(theta)),
    openPlane: async () => ({
      isCached: true,
      evaluate: async (theta) => value(lossAt(theta)),
      dispose() {},
    }),
    perSample: {
      classes: async () => null,
      open: async (_rows, { isSubsample = false } = {}) => ({
        samples: SAMPLES,
        evaluate: async (theta) => {
          const loss = (isSubsample ? partFactor : 1) * lossAt(theta);
          return { loss: new Float64Array(SAMPLES).fill(loss), metrics: {} };
        },
        dispose() {},
      }),
    },
    dispose() {},
  };
  const evaluator = guardEvaluator(engine, {
    noValue: value(Number.NaN),
    finiteness: () => finiteness,
    ownOps: {
      evaluate: async (theta, signal) => {
        compared.push(theta[0] as number);
        signal?.throwIfAborted();
        return value(right(theta));
      },
      measure: async () => 0,
      dispose() {},
    },
  });
  return { evaluator, compared };
}

const at = (x: number) => Float32Array.of(x);

describe("an engine in use", () => {
  it("is compared with the model's own ops at the 1st, 2nd, 4th, 8th, … point, and is right elsewhere too", async () => {
    const { evaluator, compared } = guarded(Number.POSITIVE_INFINITY);
    for (let x = 1; x <= 9; x++) expect((await evaluator.evaluate(at(x))).loss).toBe(x * x);
    expect(compared).toEqual([1, 2, 4, 8]);
  });

  it("is compared at the next point where a comparison is cut off", async () => {
    const { evaluator, compared } = guarded(Number.POSITIVE_INFINITY);
    const ended = AbortSignal.abort(new Error("the end"));
    await expect(evaluator.evaluate(at(1), ended)).rejects.toThrow("the end");
    for (let x = 2; x <= 5; x++) await evaluator.evaluate(at(x));
    expect(compared).toEqual([1, 2, 3, 5]);
  });

  it("that is right in the middle and wrong at the corners, where a surface begins, is an error", async () => {
    const { evaluator } = guarded(3);
    const plane = await evaluator.openPlane?.({ center: at(0), vectors: [at(1)] });
    await expect(plane?.evaluate(at(0.5), 0.5, 0)).resolves.toMatchObject({ loss: 0.25 });
    await expect(plane?.evaluate(at(-4), -4, 0)).rejects.toThrow(
      'engine "onnx": expected the values of the model\'s own ops on the first 4 samples at every point, got loss 24, not 16; use engine: "tfjs"',
    );
    const { evaluator: other } = guarded(3);
    await expect(other.evaluate(at(4))).rejects.toThrow("got loss 24, not 16");
    // Tried again, at a point that would not be compared, it is still an error.
    await other.evaluate(at(1)).catch(() => null);
    await expect(other.evaluate(at(1))).rejects.toThrow("got loss 24, not 16");
  });

  it("has the same values in the form for a part of the samples as in the usual one, or is an error from then on", async () => {
    const rows = Int32Array.of(0, 1, 2, 3);
    const { evaluator } = guarded(Number.POSITIVE_INFINITY, 1.5);
    const usual = await evaluator.perSample?.open(rows);
    expect((await usual?.evaluate(at(2)))?.loss[0]).toBe(4);
    const part = await evaluator.perSample?.open(rows, { isSubsample: true });
    const said =
      'engine "onnx": expected a part of the samples to have the values of the usual form, got loss 6, not 4';
    await expect(part?.evaluate(at(2))).rejects.toThrow(said);
    await expect(part?.evaluate(at(3))).rejects.toThrow(said);
    await expect(evaluator.evaluate(at(1))).rejects.toThrow(said);
    const { evaluator: sound } = guarded(Number.POSITIVE_INFINITY);
    const right = await sound.perSample?.open(rows, { isSubsample: true });
    for (const x of [1, 2]) expect((await right?.evaluate(at(x)))?.loss[3]).toBe(x * x);
  });

  it("that is wrong on whole sets evaluates no single samples any more", async () => {
    const { evaluator } = guarded(3);
    await expect(evaluator.evaluate(at(4))).rejects.toThrow("got loss 24, not 16");
    const part = await evaluator.perSample?.open(Int32Array.of(0));
    await expect(part?.evaluate(at(1))).rejects.toThrow("got loss 24, not 16");
  });
});

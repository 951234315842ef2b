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

function guarded(wrongFrom: number, few: (loss: number) => number = (loss) => loss) {
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
      // The loss of sample i is i times that of the set, and those of the first four average to it.
      open: async (rows, { isSubsample = false } = {}) => ({
        samples: rows?.length ?? SAMPLES,
        isForFew: isSubsample,
        evaluate: async (theta, signal) => {
          signal?.throwIfAborted();
          const loss = Float64Array.from(rows ?? [0, 1, 2, 3], (row) => (lossAt(theta) * row) / 1.5);
          return { loss: isSubsample ? loss.map(few) : loss, metrics: {} };
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

  /** Rows 100 to 199: the means of those of the set's first ones are others. */
  const rows = Int32Array.from({ length: 100 }, (_, i) => 100 + i);
  const infinity = Number.POSITIVE_INFINITY;

  it("has the same values in the form for few samples as in that of whole sets, or is an error from then on", async () => {
    const { evaluator } = guarded(infinity, (loss) => 1.5 * loss);
    const usual = await evaluator.perSample?.open(rows);
    expect((await usual?.evaluate(at(3)))?.loss[2]).toBe(9 * 68);
    const part = await evaluator.perSample?.open(rows, { isSubsample: true });
    // The mean of rows 100 to 163.
    const said =
      'engine "onnx": expected the first 64 samples of the subsample to be evaluated as in whole sets, got loss 1183.5, not 789; use engine: "tfjs"';
    await expect(part?.evaluate(at(3))).rejects.toThrow(said);
    await expect(part?.evaluate(at(1))).rejects.toThrow(said);
    await expect(evaluator.evaluate(at(1))).rejects.toThrow(said);
    const { evaluator: none } = guarded(infinity, () => Number.NaN);
    const gone = await none.perSample?.open(rows, { isSubsample: true });
    await expect(gone?.evaluate(at(3))).rejects.toThrow("got loss NaN, not 789");
    const { evaluator: sound } = guarded(infinity, (loss) => loss * (1 + 1e-6));
    const right = await sound.perSample?.open(rows, { isSubsample: true });
    for (const x of [1, 2]) expect((await right?.evaluate(at(x)))?.loss).toHaveLength(100);
  });

  it("is compared at the next point where the comparison of few samples is cut off", async () => {
    let cut: AbortController | null = new AbortController();
    const { evaluator } = guarded(infinity, (loss) => {
      cut?.abort(new Error("the end"));
      return 2 * loss;
    });
    const part = await evaluator.perSample?.open(rows, { isSubsample: true });
    await expect(part?.evaluate(at(3), cut.signal)).rejects.toThrow("the end");
    cut = null;
    await expect(part?.evaluate(at(3))).rejects.toThrow("evaluated as in whole sets");
  });

  it("that is wrong on whole sets evaluates no single samples any more", async () => {
    const { evaluator } = guarded(3);
    await expect(evaluator.evaluate(at(4))).rejects.toThrow("got loss 24, not 16");
    const part = await evaluator.perSample?.open(Int32Array.of(0));
    await expect(part?.evaluate(at(1))).rejects.toThrow("got loss 24, not 16");
  });
});

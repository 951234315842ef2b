import { describe, expect, it } from "vitest";
import type { Finiteness } from "../../../src/loss/engine/finiteness.js";
import { guardEvaluator } from "../../../src/loss/engine/guarded-evaluator.js";
import { type OwnValue, openOwnValues } from "../../../src/loss/engine/own-values.js";
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

/** Values that an earlier evaluator leaves, in memory. */
function keptIn(kept: OwnValue[]) {
  return {
    read: async () => [...kept],
    write: async (_key: string, values: readonly OwnValue[]) => void kept.splice(0, kept.length, ...values),
  };
}

async function guarded(wrongFrom: number, kept: OwnValue[] = []) {
  const values = await openOwnValues(keptIn(kept), () => "");
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
      open: async () => ({
        samples: SAMPLES,
        evaluate: async (theta) => ({ loss: new Float64Array(SAMPLES).fill(lossAt(theta)), metrics: {} }),
        dispose() {},
      }),
    },
    dispose() {},
  };
  const evaluator = guardEvaluator(engine, {
    noValue: value(Number.NaN),
    finiteness: () => finiteness,
    ownOps: {
      values,
      evaluate: async (theta, _signal, place = null) => {
        compared.push(theta[0] as number);
        const own = value(right(theta));
        await values.add(theta, place, own);
        return own;
      },
      measure: async () => 0,
      dispose() {},
    },
  });
  return { evaluator, compared };
}

const at = (x: number) => Float32Array.of(x);

describe("an engine in use", () => {
  it("is compared with the model's own ops at five points, then the 8th, 16th, …, and is right elsewhere too", async () => {
    const { evaluator, compared } = await guarded(Number.POSITIVE_INFINITY);
    for (let x = 1; x <= 17; x++) expect((await evaluator.evaluate(at(x))).loss).toBe(x * x);
    expect(compared).toEqual([1, 2, 3, 4, 5, 8, 16]);
  });

  it("that is right in the middle and wrong at the corners, where a surface begins, is an error", async () => {
    const { evaluator } = await guarded(3);
    const plane = await evaluator.openPlane?.({ center: at(0), vectors: [at(1)] });
    await expect(plane?.evaluate(at(0.5), 0.5, 0)).resolves.toMatchObject({ loss: 0.25 });
    await expect(plane?.evaluate(at(-4), -4, 0)).rejects.toThrow(
      'engine "onnx": expected the values of the model\'s own ops on the first 4 samples at every point, got loss 24, not 16; use engine: "tfjs"',
    );
    await expect((await guarded(3)).evaluator.evaluate(at(4))).rejects.toThrow("got loss 24, not 16");
  });

  const plane = { center: at(0), vectors: [at(1), at(0)] };
  /** Points of a plane, in the order in which they are evaluated. */
  const walk = async (evaluator: EngineEvaluator, points: readonly number[]) => {
    const opened = await evaluator.openPlane?.(plane);
    for (const x of points) await opened?.evaluate(at(x), x, 0);
  };

  it("is compared with what an earlier evaluator has left, within the rectangle of then, and only there", async () => {
    const kept: OwnValue[] = [];
    const first = await guarded(Number.POSITIVE_INFINITY, kept);
    await walk(first.evaluator, [0, -4, 4, -3, 3, 1, 2, 2.5]);
    expect(first.compared).toEqual([0, -4, 4, -3, 3, 2.5]);
    const later = await guarded(Number.POSITIVE_INFINITY, kept);
    await walk(later.evaluator, [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4]);
    expect(later.compared).toEqual([]);
    const outside = await guarded(Number.POSITIVE_INFINITY, kept);
    await walk(outside.evaluator, [0.5, 6]);
    expect(outside.compared).toEqual([6]);
    // A θ by itself is no point of the plane.
    const alone = await guarded(Number.POSITIVE_INFINITY, kept);
    await alone.evaluator.evaluate(at(1.5));
    await alone.evaluator.evaluate(at(4));
    expect(alone.compared).toEqual([1.5]);
  });

  it("that has become wrong since then is an error, though it is right at the points of now", async () => {
    const kept: OwnValue[] = [];
    await walk((await guarded(Number.POSITIVE_INFINITY, kept)).evaluator, [0, -4, 4, -3, 3]);
    const { evaluator, compared } = await guarded(3.5, kept);
    const opened = await evaluator.openPlane?.(plane);
    await opened?.evaluate(at(0.5), 0.5, 0);
    // The earlier point that stands in is one where the engine is wrong: own ops take over.
    await opened?.evaluate(at(0.6), 0.6, 0);
    expect(compared).toEqual([Math.fround(0.6)]);
    await expect(opened?.evaluate(at(4), 4, 0)).rejects.toThrow("got loss 24, not 16");
  });

  it("that is right is used where what was left is not: own ops tell", async () => {
    const kept: OwnValue[] = [];
    await walk((await guarded(Number.POSITIVE_INFINITY, kept)).evaluator, [0, -4, 4, -3, 3]);
    const tampered = kept.map((one) => ({ ...one, value: { loss: 77, metrics: {} } }));
    const { evaluator, compared } = await guarded(Number.POSITIVE_INFINITY, tampered);
    await walk(evaluator, [0, 0.5]);
    expect(compared).toEqual([0, 0.5]);
    expect(tampered.every(({ value: own }) => own?.loss !== 77)).toBe(true);
  });
});

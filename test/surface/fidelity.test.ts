import { describe, expect, it } from "vitest";
import { memoryRowSource } from "../../src/directions/directions.js";
import { projectTrajectory } from "../../src/directions/project.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { chooseSnapshots, evaluateFidelity } from "../../src/surface/fidelity.js";
import type { EvaluatedPoint } from "../../src/surface/surface.js";
import { expectAllClose } from "../support/allclose.js";

/** Loss Σ (c + 1)·θ_c² over three weights; counts its evaluations. */
function bowl(loss = (theta: Float32Array) => theta[0] ** 2 + 2 * theta[1] ** 2 + 3 * theta[2] ** 2) {
  const points: number[][] = [];
  const evaluator: LossEvaluator = {
    facts: {
      engine: { name: "function", backend: "js", batchSize: 0, threads: 1 },
      lossMode: "model",
      parameterCount: 3,
      metricNames: [],
      samples: 1,
      dataDigest: "none",
      modelDigest: "none",
    },
    async evaluate(theta) {
      points.push([...theta]);
      return { loss: loss(theta), metrics: {}, clippedShare: null };
    },
    dispose() {},
  };
  return { evaluator, points };
}

const center = Float32Array.from([1, 1, 0]);
const directions = { center, vectors: [Float32Array.from([1, 0, 0]), Float32Array.from([1, 1, 0])] };
const rows = [Float32Array.from([3, -1, 2]), Float32Array.from([0, 2, 0]), center.slice()];

describe("evaluateFidelity", () => {
  it("gives the loss of each snapshot and of the plane at its foot", async () => {
    const { evaluator, points } = bowl();
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const seen: number[][] = [];
    const result = await evaluateFidelity(trajectory, directions, evaluator, async (i) => rows[i], {
      onProgress: (...at) => seen.push(at),
    });
    expectAllClose(result.trueLoss ?? [], [9 + 2 + 12, 8, 3]);
    expectAllClose(result.planeLoss ?? [], [9 + 2, 8, 3]);
    expect(points.at(0)).toEqual([3, -1, 2]);
    expect(points.at(1)).toEqual([3, -1, 0]);
    expect(seen.at(-1)).toEqual([6, 6]);
    expect(result.warnings).toEqual([]);
  });

  it("evaluates some snapshots of a long path, the first and the last among them, and names them", async () => {
    expect(chooseSnapshots(200, 200)).toEqual({
      positions: Int32Array.from({ length: 200 }, (_, i) => i),
      warning: null,
    });
    for (const count of [201, 1000, 4001]) {
      const { positions, warning } = chooseSnapshots(count, 200);
      expect(new Set(positions).size).toBe(200);
      expect([positions[0], positions[199]]).toEqual([0, count - 1]);
      expect(warning?.message).toContain(`the loss of 200 of ${count} snapshots`);
    }
    expect(chooseSnapshots(1000, Number.POSITIVE_INFINITY).positions.length).toBe(1000);
    const { evaluator, points } = bowl();
    const long = Array.from({ length: 9 }, (_, i) => Float32Array.of(i, 1 - i, 0.5 * i));
    const trajectory = await projectTrajectory(memoryRowSource(long), directions);
    const options = { snapshots: chooseSnapshots(9, 3) };
    const some = await evaluateFidelity(trajectory, directions, evaluator, async (i) => long[i], options);
    expect(points.length).toBe(6 - 1);
    expect(Array.from(some.trueLoss ?? [], Number.isNaN)).toEqual(long.map((_, i) => ![0, 4, 8].includes(i)));
    expect(some.trueLoss?.[8]).toBe(64 + 2 * 49 + 3 * 16);
    expect(some.warnings.map(({ code }) => code)).toEqual(["some-snapshots"]);
  });

  it("keeps losses that are not finite, and says so", async () => {
    const { evaluator } = bowl((theta) => (theta[2] === 0 ? 1 : Number.NaN));
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const result = await evaluateFidelity(trajectory, directions, evaluator, async (i) => rows[i]);
    expect(result.trueLoss?.[0]).toBeNaN();
    expect(result.planeLoss?.[0]).toBe(1);
    expect(result.warnings).toEqual([
      { code: "non-finite-loss", message: "the loss of 1 snapshots is not finite: 0" },
    ]);
  });

  it("says which recalibrated snapshots have no loss, apart from those as they were trained", async () => {
    const { evaluator } = bowl();
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const none: LossEvaluator = {
      ...evaluator,
      facts: { ...evaluator.facts, calibration: { dataDigest: "some", samples: 1 } },
      evaluate: async (theta, how = {}) => {
        const value = await evaluator.evaluate(theta, how);
        // Recalibrated, the second snapshot is not defined.
        const isLost = how.batchNorm === "recalibrate" && theta[0] === 0;
        return isLost ? { ...value, loss: Number.NaN } : value;
      },
    };
    const result = await evaluateFidelity(trajectory, directions, none, async (i) => rows[i], {
      batchNorm: "recalibrate",
    });
    expect(Array.from(result.recalibratedLoss ?? [], Number.isFinite)).toEqual([true, false, true]);
    expectAllClose(result.trueLoss ?? [], [9 + 2 + 12, 8, 3]);
    expect(result.warnings.map(({ message }) => message)).toEqual([
      "the loss of 1 recalibrated snapshots is not finite: 1",
    ]);
  });

  it("refuses directions over some columns only, and another number of coordinates", async () => {
    const { evaluator } = bowl();
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const part = { center: center.subarray(1), vectors: directions.vectors.map((v) => v.subarray(1)) };
    const read = async (i: number) => rows[i];
    await expect(evaluateFidelity(trajectory, part, evaluator, read)).rejects.toThrow(
      "directions: expected vectors of 3 entries, the whole of θ, got 2",
    );
    const line = { center, vectors: directions.vectors.slice(0, 1) };
    await expect(evaluateFidelity(trajectory, line, evaluator, read)).rejects.toThrow(
      "trajectory: expected 1 coordinates per snapshot, got 2",
    );
  });

  it("stops between evaluations", async () => {
    const { evaluator, points } = bowl();
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const controller = new AbortController();
    const stop = evaluateFidelity(trajectory, directions, evaluator, async (i) => rows[i], {
      signal: controller.signal,
      onProgress: (done) => done === 2 && controller.abort(new Error("enough")),
    });
    await expect(stop).rejects.toThrow("enough");
    expect(points.length).toBe(2);
  });

  it("is the same for an evaluator that takes several at once, and where points are known from before", async () => {
    const trajectory = await projectTrajectory(memoryRowSource(rows), directions);
    const read = async (i: number) => rows[i];
    const known: EvaluatedPoint[] = [];
    const onPoint = (point: EvaluatedPoint) => void known.push(point);
    const { evaluator, points } = bowl();
    const whole = await evaluateFidelity(trajectory, directions, evaluator, read, { onPoint });
    let turn = 0;
    const atOnce: LossEvaluator = {
      ...bowl().evaluator,
      concurrency: 3,
      async evaluate(theta) {
        turn = (turn + 2) % 3;
        await new Promise((done) => setTimeout(done, turn));
        return evaluator.evaluate(theta);
      },
    };
    expect(await evaluateFidelity(trajectory, directions, atOnce, read)).toEqual(whole);
    // Two of three snapshots lie in the plane: one of them at θ*, the other to rounding.
    for (const count of [0, 1, 2, 3, known.length]) {
      points.length = 0;
      const seen: number[] = [];
      const again = await evaluateFidelity(trajectory, directions, evaluator, read, {
        known: known.slice(0, count),
        onProgress: (done) => seen.push(done),
      });
      expect(again).toEqual(whole);
      expect(points.length).toBe(known.length - count);
      expect(seen.at(-1)).toBe(6);
    }
  });
});

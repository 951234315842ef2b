import { describe, expect, test } from "vitest";
import { autoNeb } from "../../src/between/auto-neb.js";
import { type Curve, curvePath, distanceBetween } from "../../src/between/curve.js";
import type { CurveObjective } from "../../src/between/curve-objective.js";
import { type CurveState, trainCurve } from "../../src/between/train-curve.js";

/** An objective in closed form, of two weights and `batches` equal batches. */
function closedForm(
  value: (x: number, y: number) => number,
  gradient: (x: number, y: number) => readonly [number, number],
  batches = 20,
): CurveObjective {
  return {
    parameterCount: 2,
    batches: () => Array.from({ length: batches }, (_, i) => Int32Array.of(i)),
    async gradientInto(out, [x, y]) {
      out.set(gradient(x, y));
      return value(x, y);
    },
  };
}

/** (r − 1)²: a valley along the unit circle. */
const ring = closedForm(
  (x, y) => (Math.hypot(x, y) - 1) ** 2,
  (x, y) => {
    const r = Math.hypot(x, y);
    const by = r === 0 ? 0 : (2 * (r - 1)) / r;
    return [by * x, by * y];
  },
);

const radii = (curve: Curve, points = 61) => {
  const path = curvePath(curve);
  const out = new Float32Array(2);
  return Array.from({ length: points }, (_, i) => {
    path.writeInto(out, i / (points - 1), 0);
    return Math.hypot(out[0], out[1]);
  });
};

/** A quarter of the ring: from (1, 0) to (0, 1). */
const quarter = [Float32Array.of(1, 0), Float32Array.of(0, 1)] as const;

describe("a trained curve", () => {
  test("a Bezier curve follows a ring-shaped valley, which the straight line leaves", async () => {
    const curve = await trainCurve(ring, ...quarter, { epochs: 60, learningRate: 0.05 });
    // The best quadratic curve for a quarter circle stays within 2 % of it; the line comes to 0.707.
    for (const radius of radii(curve)) expect(Math.abs(radius - 1)).toBeLessThan(0.03);
    expect(curve.points[0]).toEqual(quarter[0]);
    expect(curve.points[2]).toEqual(quarter[1]);
  });

  test("a polychain with more bends follows it too, for each optimizer", async () => {
    const rates = { adam: 0.03, momentum: 0.03, sgd: 0.3 } as const;
    for (const optimizer of ["adam", "momentum", "sgd"] as const) {
      const options = { kind: "polychain", bends: 4, epochs: 60, optimizer } as const;
      const curve = await trainCurve(ring, ...quarter, { ...options, learningRate: rates[optimizer] });
      for (const radius of radii(curve)) expect(Math.abs(radius - 1)).toBeLessThan(0.05);
    }
  });

  test("goes on from a state with the same bits", async () => {
    for (const optimizer of ["adam", "momentum"] as const) {
      const options = { epochs: 6, optimizer, learningRate: 0.02, kind: "polychain", bends: 2 } as const;
      const whole = await trainCurve(ring, ...quarter, options);
      let kept: CurveState | undefined;
      const stop = trainCurve(ring, ...quarter, {
        ...options,
        onEpoch(state) {
          if (state.epoch < 3) return;
          kept = structuredClone(state);
          throw new Error("killed");
        },
      });
      await expect(stop).rejects.toThrow("killed");
      const again = await trainCurve(ring, ...quarter, { ...options, from: kept });
      expect(again).toEqual(whole);
    }
  });

  test("tells of a loss that is not finite, and refuses what it cannot do", async () => {
    const bad = closedForm(
      () => Number.NaN,
      () => [0, 0],
    );
    await expect(trainCurve(bad, ...quarter)).rejects.toThrow(
      /curve, epoch 1: expected a finite loss, got NaN/,
    );
    await expect(trainCurve(ring, ...quarter, { bends: 2 })).rejects.toThrow(/bends: expected 1 for a quad/);
    const crowd = { kind: "polychain", bends: 1e9 } as const;
    await expect(trainCurve(ring, ...quarter, crowd)).rejects.toThrow(
      "bends: expected at most 100, got 1000000000",
    );
    await expect(trainCurve(ring, ...quarter, { epochs: 0 })).rejects.toThrow(/epochs/);
    await expect(trainCurve(ring, ...quarter, { learningRate: -1 })).rejects.toThrow(/learningRate/);
    await expect(trainCurve(ring, Float32Array.of(Number.NaN, 0), quarter[1])).rejects.toThrow(
      /first model, entry 0: expected finite weights, got NaN/,
    );
    await expect(trainCurve(ring, Float32Array.of(1), quarter[1])).rejects.toThrow(/second model/);
    await expect(autoNeb(ring, ...quarter, async () => 0, { cycles: [] })).rejects.toThrow(/cycles/);
    await expect(autoNeb(ring, ...quarter, async () => 0, { stepScale: 0 })).rejects.toThrow(/stepScale/);
  });
});

/** Wells at (±1, 0), joined by the valley y = c·(1 − x²); along it (x² − 1)² + d·x·(1 − x²)², saddle near x = 0. */
function wells(c: number, d: number) {
  const bottom = (x: number) => c * (1 - x * x);
  const value = (x: number, y: number) => (x * x - 1) ** 2 * (1 + d * x) + 5 * (y - bottom(x)) ** 2;
  const gradient = (x: number, y: number): [number, number] => {
    const off = 10 * (y - bottom(x));
    const along = 4 * x * (x * x - 1) * (1 + d * x) + d * (x * x - 1) ** 2;
    return [along + off * 2 * c * x, off];
  };
  return { value, gradient };
}

const [left, right] = [Float32Array.of(-1, 0), Float32Array.of(1, 0)];

describe("a nudged elastic band", () => {
  const cycles = [
    { steps: 400, learningRate: 0.02 },
    { steps: 400, learningRate: 0.02 },
    { steps: 400, learningRate: 0.01 },
    { steps: 400, learningRate: 0.01 },
  ];

  /** The largest loss along a chain, and where it is. */
  function highest(curve: Curve, value: (x: number, y: number) => number) {
    const path = curvePath(curve);
    const out = new Float32Array(2);
    let best = { loss: Number.NEGATIVE_INFINITY, x: 0, y: 0 };
    for (let i = 0; i <= 2000; i++) {
      path.writeInto(out, i / 2000, 0);
      const loss = value(out[0], out[1]);
      if (loss > best.loss) best = { loss, x: out[0], y: out[1] };
    }
    return best;
  }

  test("finds the saddle of a two-well potential to 1e-3", async () => {
    const { value, gradient } = wells(0.8, 0);
    const band = await autoNeb(closedForm(value, gradient), left, right, async ([x, y]) => value(x, y), {
      cycles,
      pivots: 5,
    });
    const { loss, x, y } = highest(band, value);
    expect(value(0, 0)).toBeCloseTo(1 + 5 * 0.64, 6);
    expect(loss).toBeGreaterThan(1 - 1e-3);
    expect(loss).toBeLessThan(1 + 1e-3);
    expect(Math.hypot(x, y - 0.8)).toBeLessThan(1e-2);
    // The pivot on the saddle is there to 1e-3 by itself.
    const nearest = Math.min(...band.points.map((point) => distanceBetween(point, Float32Array.of(0, 0.8))));
    expect(nearest).toBeLessThan(1e-3);
  });

  test("finds one that lies off the middle, with pivots inserted where the loss rises between two", async () => {
    const { value, gradient } = wells(0.8, 0.4);
    let evaluated = 0;
    const lossAt = async ([x, y]: Float32Array) => {
      evaluated++;
      return value(x, y);
    };
    const sizes: number[] = [];
    const band = await autoNeb(closedForm(value, gradient), left, right, lossAt, {
      cycles,
      threshold: 0.01,
      onEpoch: ({ points }) => void sizes.push(points.length),
    });
    // On the valley's floor: d/dx (x² − 1)²·(1 + 0.4·x) = 0 inside.
    let top = 0;
    for (let x = -0.5; x < 0.5; x += 1e-5) top = Math.max(top, value(x, 0.8 * (1 - x * x)));
    const found = highest(band, value).loss;
    expect(Math.abs(found - top)).toBeLessThan(0.02);
    expect(sizes).toEqual([5, 5, 7, 9, 11]);
    expect(evaluated).toBeGreaterThan(0);
  });

  test("goes on from a cycle with the same bits", async () => {
    const { value, gradient } = wells(0.5, 0.2);
    const work = closedForm(value, gradient);
    const lossAt = async ([x, y]: Float32Array) => value(x, y);
    const whole = await autoNeb(work, left, right, lossAt, { cycles, stepScale: 0.1 });
    let kept: CurveState | undefined;
    const onEpoch = (state: CurveState) => {
      if (state.epoch === 2) kept = structuredClone(state);
    };
    await autoNeb(work, left, right, lossAt, { cycles, stepScale: 0.1, onEpoch });
    expect(await autoNeb(work, left, right, lossAt, { cycles, stepScale: 0.1, from: kept })).toEqual(whole);
  });
});

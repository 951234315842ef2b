import { describe, expect, test } from "vitest";
import {
  type ConvexityPoint,
  convexityRatio,
  mapConvexity,
  operatorEnds,
} from "../../src/curvature/convexity-map.js";

const axis = (points: number): Float64Array =>
  Float64Array.from({ length: points }, (_, i) => -1 + (2 * i) / (points - 1));

/** Work on a closed form: the eigenvalues at (α, β) are α − 2 and β + 3; a start is the point it comes from. */
function closedForm(
  alpha: Float64Array,
  beta: Float64Array,
  concurrency: number,
  known: ConvexityPoint[] = [],
) {
  const starts: (string | null)[] = [];
  const seen: ConvexityPoint[] = [];
  let running = 0;
  let most = 0;
  const map = mapConvexity(alpha, beta, {
    thetaAt: (a, b) => Float32Array.of(a, b),
    async endsAt(theta, start) {
      starts.push(start === null ? null : [...start].map((value) => value.toFixed(2)).join(","));
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 0));
      running--;
      const [a, b] = theta as unknown as [number, number];
      return {
        loss: 0,
        gradientNorm: 0,
        smallest: a - 2,
        largest: b + 3,
        residual: 0,
        products: 3,
        isConverged: true,
        start: theta,
      };
    },
    concurrency,
    known,
    onPoint: (point) => void seen.push(point),
  });
  return { map, starts, seen, most: () => most };
}

describe("both ends of a spectrum", () => {
  /** As of a network: one large eigenvalue, one below zero, and nearly all at 0. */
  const spectrum = Float64Array.from({ length: 3000 }, (_, i) =>
    i === 0 ? 100 : i === 1 ? -4 : 0.5 * Math.sin(i),
  );
  const operator = {
    size: spectrum.length,
    apply: async (x: Float64Array) => x.map((value, i) => value * (spectrum[i] as number)),
  };
  const how = { tolerance: 0.01, products: 60, seed: 0 };

  test("the smallest is found from a random vector, although 0 has a small residual long before", async () => {
    const found = await operatorEnds(operator, null, how);
    expect(found).toMatchObject({ isConverged: true });
    expect(found.largest).toBeCloseTo(100, 3);
    expect(Math.abs(found.smallest + 4)).toBeLessThan(0.1);
    expect(found.residual).toBeLessThan(1);
    const start = Float64Array.from(found.start as Float32Array);
    expect(Math.abs(start[0] as number)).toBeCloseTo(1, 2);
    expect(Math.abs(start[1] as number)).toBeGreaterThan(0.9);
    // From there, few products are enough; an eigenvector that the start does not hold is found by its random part.
    const again = await operatorEnds(operator, found.start, how);
    expect(again.products).toBeLessThan(10);
    expect(again.smallest).toBeCloseTo(-4, 1);
    const lost = Float32Array.from(spectrum, (_, i) => Number(i === 0));
    expect((await operatorEnds(operator, lost, how)).smallest).toBeLessThan(-3);
  });

  test("too few products have not converged; a single number, and zeros", async () => {
    const few = await operatorEnds(operator, null, { ...how, products: 8 });
    expect(few).toMatchObject({ isConverged: false, products: 8 });
    const alone = await operatorEnds(
      { size: 1, apply: async (x) => x.map((value) => -3 * value) },
      null,
      how,
    );
    expect(alone).toMatchObject({ smallest: -3, largest: -3, residual: 0, isConverged: true, products: 1 });
    const zero = await operatorEnds({ size: 5, apply: async (x) => x.map(() => 0) }, null, how);
    expect(zero).toMatchObject({ smallest: 0, largest: 0, residual: 0, isConverged: true });
  });
});

describe("convexity map", () => {
  test("every point has its values; all but the centre begin where a neighbour ended, whatever the number at once", async () => {
    const [alpha, beta] = [axis(5), axis(3)];
    const one = closedForm(alpha, beta, 1);
    const found = await one.map;
    expect(found.points.map(({ index }) => index)).toEqual(Array.from({ length: 15 }, (_, i) => i));
    for (const { index, smallest, largest } of found.points) {
      expect(smallest).toBeCloseTo((alpha[index % 5] as number) - 2, 5);
      expect(largest).toBeCloseTo((beta[Math.floor(index / 5)] as number) + 3, 5);
    }
    expect(convexityRatio(found)[7]).toBeCloseTo(2 / 3, 6);
    expect(one.starts.filter((start) => start === null)).toHaveLength(1);
    const four = closedForm(alpha, beta, 4);
    expect(await four.map).toEqual(found);
    expect(four.most()).toBeGreaterThan(1);
    expect([...four.starts].sort()).toEqual([...one.starts].sort());
  });

  test("points from before are not computed again; those behind them begin at random", async () => {
    const [alpha, beta] = [axis(5), axis(5)];
    const whole = await closedForm(alpha, beta, 1).map;
    const known = whole.points.filter(({ index }) => [12, 7, 13].includes(index));
    const rest = closedForm(alpha, beta, 2, known);
    expect(await rest.map).toEqual(whole);
    expect(rest.seen).toHaveLength(22);
    expect(rest.starts.filter((start) => start === null).length).toBeGreaterThan(1);
  });

  test("an error ends the work; what was finished was reported", async () => {
    const seen: ConvexityPoint[] = [];
    const work = mapConvexity(axis(3), axis(3), {
      thetaAt: (a, b) => Float32Array.of(a, b),
      endsAt: async (theta) => {
        if (theta[0] === 1) throw new Error("no kernel");
        const numbers = { loss: 0, gradientNorm: 0, smallest: 0, largest: 1, residual: 0, products: 1 };
        return { ...numbers, isConverged: true, start: null };
      },
      concurrency: 2,
      known: [],
      onPoint: (point) => void seen.push(point),
    });
    await expect(work).rejects.toThrow("no kernel");
    expect(seen.length).toBeGreaterThan(0);
  });
});

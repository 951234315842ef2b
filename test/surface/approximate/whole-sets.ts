import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import { createNormal, createUniform } from "../../../src/math/random.js";

/** A loss of two coordinates that can only be evaluated on the whole set. */
export type WholeLoss = (x: number, y: number) => number;

/** Smooth paraboloids: any curvatures, angles and centres. */
function paraboloid(seed: number): WholeLoss {
  const next = createUniform(seed, "paraboloid");
  const [a, b] = [0.2 + 3 * next(), 0.2 + 3 * next()];
  const [x0, y0] = [next() - 0.5, next() - 0.5];
  const turn = Math.PI * next();
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  return (x, y) => {
    const [u, v] = [c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0)];
    return 0.1 + a * u * u + b * v * v;
  };
}

/** A ReLU network of 2-16-2 on 200 samples, two of which are of the rare class, along two random directions. */
function rareClass(seed: number): WholeLoss {
  const normal = createNormal(seed, "rare class");
  const [hidden, samples] = [16, 200];
  const draw = (count: number) => Float64Array.from({ length: count }, normal);
  const size = 2 * hidden + hidden + 2 * hidden + 2;
  const [center, dx, dy] = [draw(size), draw(size), draw(size)];
  const inputs = draw(2 * samples);
  const isRare = (i: number) => i % 100 === 0;
  for (let i = 0; i < samples; i++) if (isRare(i)) inputs[2 * i] += 3;
  const theta = new Float64Array(size);
  return (x, y) => {
    for (let p = 0; p < size; p++) theta[p] = center[p] + x * dx[p] + y * dy[p];
    let sum = 0;
    for (let i = 0; i < samples; i++) {
      let [z0, z1] = [theta[size - 2], theta[size - 1]];
      for (let h = 0; h < hidden; h++) {
        const pre =
          theta[2 * h] * inputs[2 * i] + theta[2 * h + 1] * inputs[2 * i + 1] + theta[2 * hidden + h];
        if (pre <= 0) continue;
        z0 += pre * theta[3 * hidden + 2 * h];
        z1 += pre * theta[3 * hidden + 2 * h + 1];
      }
      const margin = isRare(i) ? z1 - z0 : z0 - z1;
      sum += margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
    }
    return sum / samples;
  };
}

/** A bowl with a narrow well at any place. */
function bowlAndWell(seed: number): WholeLoss {
  const next = createUniform(seed, "well");
  const [x0, y0] = [1.6 * next() - 0.8, 1.6 * next() - 0.8];
  return (x, y) => x * x + y * y - 0.8 * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 0.12 ** 2));
}

/** A loss that rises in one corner only. */
function corner(seed: number): WholeLoss {
  const next = createUniform(seed, "corner");
  const [sx, sy] = [next() < 0.5 ? -1 : 1, next() < 0.5 ? -1 : 1];
  const [rate, size] = [6 + 6 * next(), 1 + 4 * next()];
  return (x, y) => 0.3 + 0.05 * x * y + size * Math.exp(rate * (sx * x + sy * y - 1.6));
}

/** 100 samples, some of which explode, until the loss is not finite. */
function exploding(seed: number): WholeLoss {
  const normal = createNormal(seed, "exploding");
  const samples = Array.from({ length: 100 }, (_, i) => ({
    a: normal(),
    b: normal(),
    rate: i % 20 === 0 ? 150 + 100 * Math.abs(normal()) : 1,
  }));
  return (x, y) => {
    let sum = 0;
    for (const { a, b, rate } of samples) {
      const value = Math.exp(Math.fround(rate * (0.4 * a * x + 0.4 * b * y) - (rate > 1 ? rate * 0.35 : 0)));
      sum += Math.fround(value) + (a - x) ** 2;
    }
    return sum / samples.length;
  };
}

/** All of them by name. */
export const WHOLE_LANDSCAPES: Readonly<Record<string, (seed: number) => WholeLoss>> = {
  paraboloid,
  rareClass,
  bowlAndWell,
  corner,
  exploding,
};

/** An evaluator of the whole set, of θ only. */
export function wholeEvaluator(loss: WholeLoss): LossEvaluator {
  return functionEvaluator(([x, y]) => loss(x as number, y as number), 2);
}

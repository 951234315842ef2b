import { createNormal, createUniform } from "../../../src/math/random.js";
import type { SampleLoss } from "./sample-function.js";

/** Samples that the landscapes below have. */
export const SAMPLES = 1200;

/** Numbers of each sample, fixed. */
function perSample(key: string, seed: number): Float64Array {
  const random = createNormal(seed, "landscape", key);
  return Float64Array.from({ length: SAMPLES }, random);
}

function uniformPerSample(key: string, seed: number): Float64Array {
  const random = createUniform(seed, "landscape", key);
  return Float64Array.from({ length: SAMPLES }, random);
}

/** Each sample a paraboloid about a place of its own. */
export function bowl(seed: number): SampleLoss {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => perSample(key, seed));
  return (x, y, i) => (1 + 0.4 * a[i] ** 2) * (x - 0.3 * b[i]) ** 2 + 0.5 * (y - 0.3 * c[i]) ** 2 + d[i] ** 2;
}

/** Hinges of each sample, as a network of ReLUs with crossentropy makes them. */
export function hinges(seed: number): SampleLoss {
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((key) => perSample(key, seed));
  return (x, y, i) => {
    const margin = 2 - 2 * x * (1 + a[i]) + b[i] * y - x * y * c[i] + Math.max(0, d[i] * x + e[i] * y) ** 2;
    return margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
  };
}

/** Waves that all samples share, shorter than the first lattice, on a bowl. */
export function commonWaves(seed: number): SampleLoss {
  const base = bowl(seed);
  return (x, y, i) => base(x, y, i) + Math.sin(23 * x + seed) * Math.cos(19 * y);
}

/** Waves of each sample with a phase of its own: the mean is smooth, a subsample is not. */
export function ownWaves(seed: number): SampleLoss {
  const base = bowl(seed);
  const phase = uniformPerSample("phase", seed);
  return (x, y, i) => base(x, y, i) + 3 * Math.sin(17 * x + 13 * y + 2 * Math.PI * phase[i]);
}

/** A few samples carry most of the loss. */
export function heavyTail(seed: number): SampleLoss {
  const weight = uniformPerSample("weight", seed).map((u) => (1 - u) ** -0.8);
  const base = hinges(seed);
  return (x, y, i) => weight[i] * base(x, y, i);
}

/** No two points have anything to do with each other. */
export function noise(seed: number): SampleLoss {
  const own = perSample("own", seed);
  return (x, y, i) => {
    const turn = Math.sin(seed + 12.9898 * Math.round(x * 1e4) + 78.233 * Math.round(y * 1e4)) * 43758.5453;
    return 3 * (turn - Math.floor(turn)) + own[i] ** 2;
  };
}

/** A ragged step, behind which some samples have no finite loss. */
export function cliff(seed: number): SampleLoss {
  const base = bowl(seed);
  const edge = uniformPerSample("edge", seed);
  return (x, y, i) => {
    const over = x + 0.3 * Math.sin(5 * y) - 0.5;
    if (over > 0 && edge[i] < 0.001 + over) return Number.NaN;
    return base(x, y, i) + (over > -0.2 ? 5 * Math.exp(10 * over) : 0);
  };
}

/** A narrow valley through a plateau of steep walls. */
export function ravine(seed: number): SampleLoss {
  const shift = perSample("shift", seed);
  return (x, y, i) => Math.log1p(200 * (x - y * y - 0.02 * shift[i]) ** 2);
}

/** All of them by name. */
export const LANDSCAPES: Readonly<Record<string, (seed: number) => SampleLoss>> = {
  bowl,
  hinges,
  commonWaves,
  ownWaves,
  heavyTail,
  noise,
  cliff,
  ravine,
};

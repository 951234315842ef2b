import { InvalidOptionError } from "../base/errors.js";

/** How points of a curve follow their gradients. */
export type CurveOptimizer = "adam" | "momentum" | "sgd";

/** All of them. */
export const CURVE_OPTIMIZERS: readonly CurveOptimizer[] = ["adam", "momentum", "sgd"];

/** Moves one point of a curve, step after step. */
export interface Descent {
  /** Velocities or moments, to be stored and given back; none for "sgd". */
  readonly moments: readonly Float32Array[];
  /** Moves `theta` in place along −gradient. */
  step(theta: Float32Array, gradient: Float32Array, learningRate: number): void;
}

/** What a descent starts from. */
export interface DescentState {
  readonly moments: readonly Float32Array[];
  /** Steps that it has taken. */
  readonly steps: number;
}

/** How many vectors of moments an optimizer keeps. */
const MOMENTS: Readonly<Record<CurveOptimizer, number>> = { adam: 2, momentum: 1, sgd: 0 };

/** @throws {@link InvalidOptionError} for an unknown optimizer, or a rate that is none. */
export function checkDescent(optimizer: CurveOptimizer, learningRate: number): void {
  if (!CURVE_OPTIMIZERS.includes(optimizer)) {
    const expected = `one of ${CURVE_OPTIMIZERS.join(", ")}`;
    throw new InvalidOptionError("optimizer", expected, JSON.stringify(optimizer));
  }
  if (Number.isFinite(learningRate) && learningRate > 0) return;
  throw new InvalidOptionError("learningRate", "a number above 0", String(learningRate));
}

/**
 * Starts the descent of one point: Adam with its usual decays (0.9, 0.999), momentum 0.9, or plain steps. The curve's
 * points are vectors of this process, so the optimizers of TensorFlow.js, which move variables, do not serve.
 *
 * @param state - what an earlier descent left; default a new one.
 */
export function createDescent(optimizer: CurveOptimizer, length: number, state?: DescentState): Descent {
  const moments = Array.from({ length: MOMENTS[optimizer] }, (_, k) =>
    state?.moments[k] === undefined ? new Float32Array(length) : Float32Array.from(state.moments[k]),
  );
  let { steps } = state ?? { steps: 0 };
  return {
    moments,
    step(theta, gradient, rate) {
      steps++;
      if (optimizer === "adam") adam(theta, gradient, rate, moments[0], moments[1], steps);
      else if (optimizer === "momentum") momentum(theta, gradient, rate, moments[0]);
      else for (let i = 0; i < theta.length; i++) theta[i] -= rate * gradient[i];
    },
  };
}

/** Kingma and Ba 2015, algorithm 1. */
function adam(
  theta: Float32Array,
  gradient: Float32Array,
  rate: number,
  mean: Float32Array,
  square: Float32Array,
  steps: number,
): void {
  const [first, second] = [1 - 0.9 ** steps, 1 - 0.999 ** steps];
  for (let i = 0; i < theta.length; i++) {
    const g = gradient[i];
    mean[i] = 0.9 * mean[i] + 0.1 * g;
    square[i] = 0.999 * square[i] + 0.001 * g * g;
    theta[i] -= (rate * (mean[i] / first)) / (Math.sqrt(square[i] / second) + 1e-8);
  }
}

function momentum(theta: Float32Array, gradient: Float32Array, rate: number, velocity: Float32Array): void {
  for (let i = 0; i < theta.length; i++) {
    velocity[i] = 0.9 * velocity[i] + gradient[i];
    theta[i] -= rate * velocity[i];
  }
}

import { setImmediate } from "node:timers/promises";
import { wholeNumber } from "../base/check-option.js";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { checkSeed, createUniform } from "../math/random.js";
import { type Curve, curveKnots, curveWeights, pointBetween } from "./curve.js";
import type { CurveObjective } from "./curve-objective.js";
import { type CurveOptimizer, checkDescent, createDescent, type Descent } from "./descent.js";
import { checkEnds } from "./path-losses.js";

/** Options of {@link trainCurve}. */
export interface TrainCurveOptions extends Stoppable {
  /** "bezier" or "polychain". Default "bezier". */
  readonly kind?: "bezier" | "polychain" | undefined;
  /** Bends of a polychain, 1 to 100. Default 1, as published. */
  readonly bends?: number | undefined;
  /** Passes over the training set. Default 30. */
  readonly epochs?: number | undefined;
  /** Default "adam". */
  readonly optimizer?: CurveOptimizer | undefined;
  /**
   * Rate of the first half; it then falls in a straight line to a hundredth at nine tenths. Default 0.003: a step of the
   * bend moves the curve by a third of it on average, so this is a network's usual 0.001.
   */
  readonly learningRate?: number | undefined;
  /** Seed of the coordinates that are drawn. Default 0. */
  readonly seed?: number | undefined;
  /** What an interrupted training left; it goes on from there, with the same bits. */
  readonly from?: CurveState | undefined;
  /** Called at the start and after each epoch. */
  readonly onEpoch?: ((state: CurveState) => void | Promise<void>) | undefined;
}

/** Where the training of a curve is: enough to go on from. */
export interface CurveState {
  /** Epochs, or cycles of a band, that are done. */
  readonly epoch: number;
  /** Gradients taken. */
  readonly iteration: number;
  /** Mean loss over the coordinates and batches of the last epoch; NaN before the first. */
  readonly loss: number;
  readonly learningRate: number;
  /** All points, the ends too; they change while training goes on. */
  readonly points: readonly Float32Array[];
  /** Moments of the optimizer, bend after bend. */
  readonly moments: readonly (readonly Float32Array[])[];
}

/** The settings of a curve's training, defaults filled in. */
export interface CurveSettings {
  readonly kind: "bezier" | "polychain";
  readonly bends: number;
  readonly epochs: number;
  readonly optimizer: CurveOptimizer;
  readonly learningRate: number;
  readonly seed: number;
}

/** Each bend is as large as the model, with moments of the optimizer beside it. */
export const MOST_BENDS = 100;

/** Fills in the defaults, and checks everything. */
export function resolveCurveOptions(options: TrainCurveOptions): CurveSettings {
  const { kind = "bezier", bends = 1, epochs = 30, optimizer = "adam", learningRate = 0.003 } = options;
  const { seed = 0 } = options;
  if (kind !== "bezier" && kind !== "polychain") {
    throw new InvalidOptionError("kind", "bezier or polychain", JSON.stringify(kind));
  }
  for (const [name, value] of Object.entries({ bends, epochs })) wholeNumber(name, value);
  if (bends > MOST_BENDS) {
    throw new InvalidOptionError("bends", `at most ${MOST_BENDS}`, String(bends));
  }
  if (kind === "bezier" && bends !== 1)
    throw new InvalidOptionError("bends", "1 for a quadratic Bezier curve", String(bends));
  checkDescent(optimizer, learningRate);
  checkSeed(seed);
  return { kind, bends, epochs, optimizer, learningRate, seed };
}

/** Garipov's schedule: constant for a half, then down to a hundredth at nine tenths. */
export function scheduledRate(rate: number, progress: number): number {
  if (progress <= 0.5) return rate;
  if (progress <= 0.9) return rate * (1 - (0.99 * (progress - 0.5)) / 0.4);
  return 0.01 * rate;
}

/**
 * Trains the bends of a curve between two models so that the expected loss along it, E_{t∼U(0,1)} L(φ(t)), is least:
 * for each batch a t is drawn, and the gradient at φ(t) moves each bend by its share of φ(t). The ends stay. It starts
 * as the straight line.
 *
 * A low loss on average does not bound the largest one: evaluate the curve. Cost: as a training of so many epochs.
 *
 * @param a - θ_A (parameterCount).
 * @param b - θ_B (parameterCount).
 * @throws {@link InvalidOptionError} for options that cannot be used; {@link EvaluationError} if the loss is NaN or
 * infinite.
 * @see Garipov, Izmailov, Podoprikhin, Vetrov and Wilson 2018, section 3.
 * @example const curve = await trainCurve(objective, thetaA, thetaB, { kind: "bezier", epochs: 30 });
 */
export async function trainCurve(
  objective: CurveObjective,
  a: Float32Array,
  b: Float32Array,
  options: TrainCurveOptions = {},
): Promise<Curve> {
  const settings = resolveCurveOptions(options);
  const { kind, bends, epochs, optimizer, learningRate, seed } = settings;
  const { from, signal, onEpoch } = options;
  checkEnds(a, b);
  const points =
    from?.points.map((point) => Float32Array.from(point)) ??
    Array.from({ length: bends + 2 }, (_, k) => pointBetween(a, b, k / (bends + 1)));
  [points[0], points[bends + 1]] = [a, b];
  let iteration = from?.iteration ?? 0;
  const descents = points
    .slice(1, -1)
    .map(
      (_, k): Descent =>
        createDescent(
          optimizer,
          a.length,
          from === undefined ? undefined : { moments: from.moments[k], steps: iteration },
        ),
    );
  const moments = descents.map((one) => one.moments);
  const knots = curveKnots({ kind, points });
  const [theta, gradient, share] = [0, 1, 2].map(() => new Float32Array(a.length));
  const stateAt = (epoch: number, loss: number, rate: number): CurveState => ({
    epoch,
    iteration,
    loss,
    learningRate: rate,
    points,
    moments,
  });
  if (from === undefined) await onEpoch?.(stateAt(0, Number.NaN, learningRate));
  for (let epoch = from?.epoch ?? 0; epoch < epochs; epoch++) {
    const rate = scheduledRate(learningRate, epoch / epochs);
    const next = createUniform(seed, "curve", "t", epoch);
    let [sum, count] = [0, 0];
    for (const batch of objective.batches(epoch)) {
      signal?.throwIfAborted();
      const weights = curveWeights(kind, knots, next());
      mixInto(theta, points, weights);
      const loss = await objective.gradientInto(gradient, theta, batch);
      if (!Number.isFinite(loss)) throw divergedError(epoch, loss);
      descents.forEach((descent, k) => {
        const by = weights[k + 1];
        for (let i = 0; i < share.length; i++) share[i] = by * gradient[i];
        descent.step(points[k + 1], share, rate);
      });
      sum += loss;
      count++;
      iteration++;
    }
    await onEpoch?.(stateAt(epoch + 1, sum / count, rate));
    // Some backends compute within the call: signals and messages get their turn here.
    await setImmediate();
  }
  return { kind, points };
}

function mixInto(out: Float32Array, points: readonly Float32Array[], weights: Float64Array): void {
  out.fill(0);
  points.forEach((point, k) => {
    const by = weights[k];
    if (by === 0) return;
    for (let i = 0; i < out.length; i++) out[i] += by * point[i];
  });
}

/** The loss has left what numbers can hold. */
export function divergedError(epoch: number, loss: number): EvaluationError {
  const hint = "take a lower learning rate (--curve-rate), and look at the data";
  return new EvaluationError(`curve, epoch ${epoch + 1}`, "a finite loss", String(loss), { hint });
}

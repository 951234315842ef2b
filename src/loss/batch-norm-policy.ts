import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Parameter, ParameterLayout } from "../model/layout.js";

/** What is done with θ at each point of a slice before the loss is evaluated there. */
export interface PointPolicy {
  /** What it is called in provenance and captions. */
  readonly name: string;
  /** Whether `prepare` never changes θ, so that an evaluator may share work between points of a plane. */
  readonly isReadOnly: boolean;
  /** Whether `prepare` does nothing at all. Default false. */
  readonly isIdle?: boolean;
  /**
   * Changes θ in place.
   *
   * @returns names of weights with values for which there is no loss (a negative variance): it is then NaN.
   */
  prepare(theta: Float32Array, signal?: AbortSignal): Promise<readonly string[]>;
}

/** Counts the points at which a policy found weights without a loss. */
export interface UndefinedCount {
  add(names: readonly string[]): void;
  warnings(points: number): LandscapeWarning[];
}

/** Starts a count. */
export function createUndefinedCount(): UndefinedCount {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    add(names) {
      if (names.length > 0) total++;
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    warnings(points) {
      if (total === 0) return [];
      const named = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
      const parts = named.map(([name, count]) => `${name} (${count})`);
      const message = `a variance is negative at ${total} of ${points} points, whose loss is NaN: ${parts.join(", ")}; batch norm "recalibrate" has a loss there`;
      return [{ code: "negative-variance", message }];
    },
  };
}

/**
 * What becomes of batch norm's moving mean and variance at each point of a slice:
 * - "keep": those of θ* everywhere (the reference's way; default on random and PCA planes);
 * - "interpolate": they move with the weights (default between models);
 * - "recalibrate": they are computed anew from a calibration set.
 */
export type BatchNormPolicyName = "keep" | "interpolate" | "recalibrate";

/** All policies. */
export const BATCH_NORM_POLICIES: readonly BatchNormPolicyName[] = ["keep", "interpolate", "recalibrate"];

/** Computes moving statistics anew; see `createRecalibrator`. */
export interface Recalibrator {
  /** sha-256 (hex) or name of the calibration set. */
  readonly dataDigest: string;
  /** Samples used. */
  readonly samples: number;
  /** Writes the statistics that belong to the other weights of `theta` into it. */
  recalibrateInto(theta: Float32Array, signal?: AbortSignal): Promise<void>;
}

/** What a policy needs beside its name. */
export interface BatchNormPolicyOptions {
  readonly layout: ParameterLayout;
  /** θ* (parameterCount), whose statistics "keep" keeps. */
  readonly center: Float32Array;
  /** Needed by "recalibrate" where the layout has statistics. */
  readonly recalibrator?: Recalibrator;
  /** The slice's directions, where it has them: if they move no statistics, "keep" has nothing to do. */
  readonly vectors?: readonly Float32Array[];
}

/**
 * Returns the policy of that name.
 *
 * A variance that interpolation makes negative is never clamped: the loss there is NaN, and the weight is
 * named.
 *
 * @throws {@link InvalidOptionError} for an unknown name, or "recalibrate" without a recalibrator.
 * @see Garipov et al. 2018, whose code recomputes the statistics along a curve.
 */
export function createBatchNormPolicy(
  name: BatchNormPolicyName,
  { layout, center, recalibrator, vectors }: BatchNormPolicyOptions,
): PointPolicy {
  const states = layout.parameters.filter(({ role }) => role === "state");
  switch (name) {
    case "keep": {
      const moved = vectors === undefined ? states : states.filter((state) => isMovedBy(vectors, state));
      return {
        name,
        isReadOnly: moved.length === 0,
        isIdle: moved.length === 0,
        prepare: async (theta) => {
          for (const { offset, size } of moved) theta.set(center.subarray(offset, offset + size), offset);
          return [];
        },
      };
    }
    case "interpolate": {
      const variances = states.filter(isVariance);
      return {
        name,
        isReadOnly: true,
        prepare: async (theta) => variances.filter((parameter) => isNegative(theta, parameter)).map(nameOf),
      };
    }
    case "recalibrate":
      if (recalibrator === undefined) {
        throw new InvalidOptionError("batchNorm", "a recalibrator for recalibrate", "none");
      }
      return {
        name,
        isReadOnly: false,
        prepare: async (theta, signal) => {
          if (states.length > 0) await recalibrator.recalibrateInto(theta, signal);
          return [];
        },
      };
    default:
      throw new InvalidOptionError(
        "batchNorm",
        `one of ${BATCH_NORM_POLICIES.join(", ")}`,
        JSON.stringify(name),
      );
  }
}

/** Whether a weight is the moving variance of a batch normalization. */
export function isVariance({ layerType, key, name }: Parameter): boolean {
  return layerType === "BatchNormalization" && /\/moving_variance(_\d+)?$/.test(key ?? name);
}

function nameOf({ name }: Parameter): string {
  return name;
}

function isMovedBy(vectors: readonly Float32Array[], { offset, size }: Parameter): boolean {
  return vectors.some((vector) => vector.subarray(offset, offset + size).some((value) => value !== 0));
}

function isNegative(theta: Float32Array, { offset, size }: Parameter): boolean {
  for (let i = offset; i < offset + size; i++) if (theta[i] < 0) return true;
  return false;
}

import { InvalidOptionError } from "../errors.js";
import type { Parameter, ParameterLayout } from "../params/layout.js";
import type { PointPolicy } from "./point-policy.js";

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

import type { LandscapeWarning } from "../warning.js";

/** A path of N snapshots seen in the plane (or line, or space) of k directions. */
export interface Trajectory {
  /** Grid coordinates (N, k), row-major: least-squares coefficients about θ*. */
  readonly coordinates: Float64Array;
  /** k. */
  readonly dimensions: number;
  /** Share of ‖θ_i − θ*‖² that lies inside the span of the directions (N), in [0, 1]; 1 where θ_i = θ*. */
  readonly inPlaneShare: Float64Array;
  /** Euclidean distance of θ_i to the plane (N). */
  readonly distance: Float64Array;
  /** Loss of the snapshot itself (N), or null if not evaluated. */
  readonly trueLoss: Float64Array | null;
  /** Loss of the plane at the snapshot's coordinates (N), or null if not evaluated. */
  readonly planeLoss: Float64Array | null;
  readonly warnings: readonly LandscapeWarning[];
}

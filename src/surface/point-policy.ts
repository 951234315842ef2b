import type { LandscapeWarning } from "../warning.js";

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

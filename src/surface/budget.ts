import { InvalidOptionError } from "../errors.js";

/** How much work one call may do; it ends with what it has, starting with the coarse picture. */
export interface SurfaceBudget {
  /** No new point begins after so many seconds. */
  readonly seconds?: number;
  /** Most points that are evaluated, θ* among them. */
  readonly points?: number;
  /** Most samples that pass through the model, all points together. */
  readonly samples?: number;
}

/** A budget that is being used up. */
export interface RunningBudget {
  /** Counts one more point of so many samples, or says (null: go on) what is used up. */
  take(samples: number): string | null;
}

/**
 * Starts the clock of a budget.
 *
 * @param largest - samples of one point, of the largest evaluation set.
 * @throws {@link InvalidOptionError} if a limit does not allow a single point.
 */
export function startBudget(budget: SurfaceBudget | undefined, largest: number): RunningBudget {
  const { seconds = Number.POSITIVE_INFINITY, points, samples: most } = budget ?? {};
  if (!(seconds > 0)) throw new InvalidOptionError("budget.seconds", "more than 0", String(seconds));
  checkCount("budget.points", points, 1);
  checkCount("budget.samples", most, largest);
  const start = performance.now();
  let taken = 0;
  let used = 0;
  return {
    take(samples) {
      if (points !== undefined && taken >= points) return `${points} points`;
      if (most !== undefined && used + samples > most) return `${most} samples`;
      // One point at least, however long it took to get here.
      if (taken > 0 && performance.now() - start >= seconds * 1000) return `${seconds} seconds`;
      taken++;
      used += samples;
      return null;
    },
  };
}

function checkCount(where: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  const expected = `a whole number of at least ${least}${least > 1 ? ", the samples of one point" : ""}`;
  throw new InvalidOptionError(where, expected, String(value));
}

import { InvalidDataError } from "../errors.js";
import type { Run } from "../store/run.js";

/**
 * Returns the runs as a list that has a first one.
 *
 * @throws {InvalidDataError} if there is none.
 */
export function atLeastOneRun(runs: readonly Run[]): readonly [Run, ...Run[]] {
  const [first, ...rest] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  return [first, ...rest];
}

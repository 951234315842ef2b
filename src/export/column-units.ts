/** Units of known columns. Losses are means over the samples of the evaluation set. */
const UNITS: Readonly<Record<string, string>> = {
  step: "ordinal of the snapshot",
  epoch: "completed epochs",
  iteration: "optimizer updates",
  time: "ms since 1970-01-01 UTC",
  alpha: "coefficient of direction 1",
  beta: "coefficient of direction 2",
  gamma: "coefficient of direction 3",
  loss: "mean per sample",
  trueLoss: "mean per sample",
  planeLoss: "mean per sample",
  evaluated: "1 computed; 0 not known yet",
  inPlaneShare: "share of squared distance to the centre",
  distance: "L2 norm in weight space",
  norm: "L2 norm in weight space",
  stepLength: "L2 norm in weight space",
  pathLength: "L2 norm in weight space",
  degrees: "degrees from the steepest descent in the plane",
  inPlaneStep: "L2 norm in weight space",
  gradientNorm: "loss per unit of weight space",
};

/** Returns the unit of a column, or null where its name says all that is known. */
export function unitOf(name: string): string | null {
  if (Object.hasOwn(UNITS, name)) return UNITS[name] as string;
  return /^(norm|filters:(mean|least|largest)):/.test(name) ? "L2 norm in weight space" : null;
}

import { InvalidDataError, InvalidOptionError } from "../errors.js";
import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Run } from "../store/run.js";
import type { EmbedOptions } from "./embed-options.js";
import type { RunPoints } from "./run-points.js";

/** Losses of snapshots and what they are. */
export interface EmbeddedLosses {
  /** (N); NaN where it is not known. */
  readonly loss: Float64Array;
  readonly lossName: string;
}

/**
 * Returns the loss of each snapshot: true where there is an evaluator, otherwise as logged.
 *
 * @throws {@link InvalidOptionError} if a log was asked for by name and no snapshot has it.
 */
export async function embedLosses(
  runs: readonly Run[],
  points: RunPoints,
  options: EmbedOptions,
): Promise<EmbeddedLosses> {
  const { evaluator, lossLog = "loss" } = options;
  if (evaluator !== undefined) return evaluated(runs, points, evaluator, options);
  const loss = new Float64Array(points.count).map((_, row) => {
    const snapshot = runs[points.run[row] as number]?.snapshots[points.index[row] as number];
    const { logs = {} } = snapshot ?? {};
    return Object.hasOwn(logs, lossLog) ? (logs[lossLog] as number) : Number.NaN;
  });
  if (options.lossLog !== undefined && loss.every(Number.isNaN)) {
    const names = runs.flatMap(({ snapshots }) => snapshots.flatMap(({ logs }) => Object.keys(logs)));
    const known = [...new Set(names)].join(", ") || "none";
    throw new InvalidOptionError("lossLog", `a log of the runs (${known})`, JSON.stringify(lossLog));
  }
  return { loss, lossName: lossLog === "loss" ? "training loss as logged" : `${lossLog} as logged` };
}

async function evaluated(
  runs: readonly Run[],
  points: RunPoints,
  evaluator: LossEvaluator,
  { signal, onProgress }: EmbedOptions,
): Promise<EmbeddedLosses> {
  const loss = new Float64Array(points.count);
  for (let row = 0; row < points.count; row++) {
    const run = runs[points.run[row] as number] as Run;
    if (evaluator.parameterCount !== run.layout.parameterCount) {
      const got = `${run.layout.parameterCount} in ${run.directory}`;
      throw new InvalidDataError("evaluator", `${evaluator.parameterCount} parameters, its own`, got);
    }
    const theta = await run.readTheta(points.index[row] as number);
    loss[row] = (await evaluator.evaluate(theta, signal)).loss;
    onProgress?.("losses", row + 1, points.count);
  }
  return { loss, lossName: "true loss" };
}

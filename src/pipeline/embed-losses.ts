import { InvalidDataError, InvalidOptionError } from "../errors.js";
import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Run } from "../store/run.js";
import { runLanes } from "../surface/run-lanes.js";
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

/** True losses of points that several methods share: computed once. */
const known = new WeakMap<RunPoints, { readonly evaluator: LossEvaluator; readonly loss: Float64Array }>();

async function evaluated(
  runs: readonly Run[],
  points: RunPoints,
  evaluator: LossEvaluator,
  { signal, onProgress }: EmbedOptions,
): Promise<EmbeddedLosses> {
  const earlier = known.get(points);
  if (earlier?.evaluator === evaluator) return { loss: earlier.loss.slice(), lossName: "true loss" };
  const wrong = runs.find(({ layout }) => layout.parameterCount !== evaluator.parameterCount);
  if (wrong !== undefined) {
    const got = `${wrong.layout.parameterCount} in ${wrong.directory}`;
    throw new InvalidDataError("evaluator", `${evaluator.parameterCount} parameters, its own`, got);
  }
  const loss = new Float64Array(points.count);
  let next = 0;
  let done = 0;
  const work = { width: () => evaluator.concurrency ?? 1, left: () => points.count - next };
  await runLanes(work, signal, async (stop, goesOn) => {
    while (next < points.count) {
      stop?.throwIfAborted();
      const row = next++;
      const { name, readTheta } = snapshotOf(runs, points, row);
      loss[row] = (await evaluator.evaluate(await readTheta(), stop, name)).loss;
      onProgress?.("losses", ++done, points.count);
      if (!goesOn()) return;
    }
  });
  known.set(points, { evaluator, loss: loss.slice() });
  return { loss, lossName: "true loss" };
}

function snapshotOf(runs: readonly Run[], points: RunPoints, row: number) {
  const [run, index] = [runs[points.run[row] as number] as Run, points.index[row] as number];
  return { name: `snapshot ${index} of ${run.directory}`, readTheta: () => run.readTheta(index) };
}

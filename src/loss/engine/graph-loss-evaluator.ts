import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidDataError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EngineEvaluator, PlaneLoss, RowEvaluator } from "../engine-evaluator.js";
import { createSharedUse, type SharedUse, undefinedValue } from "../evaluate-at.js";
import { classesOf } from "../evaluation-data.js";
import type { LossValue } from "../loss-evaluator.js";
import type { LossPlan } from "../loss-plan.js";
import { evaluationDigest } from "../model-digest.js";
import { undefinedSamples } from "../model-samples.js";
import { undefinedPoints } from "../undefined-points.js";
import type { GraphEvaluator } from "./graph-evaluator.js";
import type { DataSet } from "./graph-program.js";

/** A graph evaluator with its data, and what it is of. */
export interface GraphLossParts {
  readonly model: tf.LayersModel;
  readonly loss: LossPlan;
  readonly layout: ParameterLayout;
  readonly set: DataSet;
  readonly evaluator: GraphEvaluator;
  readonly batchSize: number;
  readonly measured: Readonly<Record<string, number>>;
  readonly warnings: readonly LandscapeWarning[];
}

/** Makes a loss evaluator of a graph evaluator; evaluations run one after another. */
export function graphLossEvaluator(parts: GraphLossParts): EngineEvaluator {
  const { model, loss, layout, set, evaluator, batchSize, measured, warnings } = parts;
  const { name, backend, threads } = evaluator.engine;
  const isUndefined = undefinedPoints(model, layout);
  const queue = createQueue(() => evaluator.dispose());
  const check = (theta: Float32Array, signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted();
    if (queue.isClosed()) throw new EvaluationError("LossEvaluator", "one in use", "one that was disposed");
    if (theta.length !== layout.parameterCount) {
      throw new InvalidDataError("theta", `${layout.parameterCount} weights`, String(theta.length));
    }
  };
  return {
    engine: { name, backend, batchSize, threads },
    lossMode: loss.mode,
    parameterCount: layout.parameterCount,
    metricNames: loss.scores.metrics.map((metric) => metric.name),
    samples: set.samples,
    dataDigest: set.digest,
    modelDigest: evaluationDigest(model, layout, loss),
    warnings,
    measured,
    evaluate: (theta, signal) =>
      queue.run(() => {
        check(theta, signal);
        return isUndefined(theta) ? noValue(loss) : evaluator.evaluate(theta, signal);
      }),
    openPlane: (plane, signal) =>
      queue.run(async (): Promise<PlaneLoss> => {
        for (const vector of [plane.center, ...plane.vectors]) check(vector, signal);
        const kept = await evaluator.openPlane(plane, signal);
        const inner = createQueue(() => kept?.dispose());
        return {
          isCached: kept !== null,
          evaluate: (theta, alpha, beta, stop) =>
            inner.run(() =>
              queue.run(() => {
                check(theta, stop);
                if (isUndefined(theta)) return noValue(loss);
                if (kept === null) return evaluator.evaluate(theta, stop);
                return kept.evaluate(theta, alpha, beta, stop);
              }),
            ),
          dispose: inner.close,
        };
      }),
    perSample: {
      classes: async () => {
        const column = set.columns.find(({ name }) => name === "y0");
        return column === undefined || column.shape.length > 1
          ? null
          : classesOf(column.values, column.shape[0] ?? 1);
      },
      open: (rows, signal) =>
        queue.run(async (): Promise<RowEvaluator> => {
          signal?.throwIfAborted();
          const own = await evaluator.openRows(rows);
          const samples = rows?.length ?? set.samples;
          const inner = createQueue(own.dispose);
          return {
            samples,
            evaluate: (theta, stop) =>
              inner.run(() =>
                queue.run(async () => {
                  check(theta, stop);
                  return isUndefined(theta) ? undefinedSamples(loss, samples) : own.evaluate(theta, stop);
                }),
              ),
            dispose: inner.close,
          };
        }),
    },
    dispose: queue.close,
  };
}

/** The value where the loss is not defined. */
async function noValue(loss: LossPlan): Promise<LossValue> {
  return undefinedValue(loss);
}

/** Runs tasks one after another; after `close`, frees what they use as soon as none is under way. */
export function createQueue(free: () => void): SharedUse {
  const use = createSharedUse(free);
  let tail: Promise<unknown> = Promise.resolve();
  return {
    ...use,
    run(task) {
      const before = tail;
      const result = use.run(() => before.then(task));
      tail = result.catch(() => undefined);
      return result;
    },
  };
}

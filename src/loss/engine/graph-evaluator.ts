import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidDataError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { ParameterLayout } from "../../model/layout.js";
import { undefinedValue } from "../evaluate-at.js";
import { classesOf } from "../evaluation-data.js";
import {
  createSharedUse,
  type EngineEvaluator,
  type LossValue,
  type PlaneLoss,
  type PlaneVectors,
  type RowEvaluator,
  type SampleValues,
  type SharedUse,
} from "../loss-evaluator.js";
import { evaluationDigest, type LossPlan, type ScorePlan } from "../loss-plan.js";
import { undefinedSamples } from "../model-samples.js";
import { undefinedPoints } from "../undefined-points.js";
import {
  type DataColumns,
  type DataSet,
  DEVICE_TOLERANCE,
  type GraphEngine,
  type ProgramBatches,
  takeRows,
} from "./graph-program.js";
import { type ModelPlan, sampleGraph, weightsAt } from "./plan/plan-model.js";
import {
  allOutputs,
  createPlaneEvaluation,
  type PlaneEvaluation,
  sumBatches,
  valueOfTotals,
} from "./plane-evaluation.js";

/** Samples on an engine, each evaluated by itself. */
export interface GraphSamples {
  /** As in `RowEvaluator`. */
  readonly isForFew: boolean;
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<SampleValues>;
  dispose(): void;
}

/**
 * Compiles the program that gives losses and metrics of single samples, and loads these samples.
 *
 * @param isSubsample - whether the engine may take a form that is faster for so few. Default that of whole sets.
 */
export async function createGraphSamples(
  engine: GraphEngine,
  plan: ModelPlan,
  scores: ScorePlan,
  data: DataColumns,
  batchSize: number,
  isSubsample = false,
): Promise<GraphSamples> {
  const graph = sampleGraph(plan);
  const program = await engine.compile(graph, isSubsample ? data.samples : undefined);
  const batches = program.cut(data, batchSize);
  return {
    isForFew: program.isForFew === true,
    async evaluate(theta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const rows = new Float32Array(data.samples * plan.totals.length);
      await allOutputs(batches, signal, (output, offset) => rows.set(output, offset));
      return valuesOfRows(scores, plan, rows, data.samples);
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}

/** Sorts the numbers of each sample by what they are; a prediction that is NaN leaves no loss and no metric. */
function valuesOfRows(
  scores: ScorePlan,
  { totals }: ModelPlan,
  rows: Float32Array,
  samples: number,
): SampleValues {
  const width = totals.length;
  const placeOf = (kind: string, index: number) =>
    totals.findIndex((total) => total.kind === kind && total.index === index);
  const losses = scores.losses.map((_, output) => {
    const [place, gap] = [placeOf("loss", output), placeOf("gap", output)];
    return Float64Array.from({ length: samples }, (_, i) =>
      gap !== -1 && rows[i * width + gap] !== 0 ? Number.NaN : rows[i * width + place],
    );
  });
  const metrics = scores.metrics.map(({ name, apply, output }, index) => {
    if (apply === null) return [name, losses[output]] as const;
    const place = placeOf("metric", index);
    const own = losses[output].map((loss, i) => (Number.isNaN(loss) ? loss : rows[i * width + place]));
    return [name, own] as const;
  });
  const loss = new Float64Array(samples);
  for (const values of losses) for (let i = 0; i < samples; i++) loss[i] += values[i];
  return { loss, metrics: Object.fromEntries(metrics) };
}

/** A model's plan compiled by an engine, with its data. */
export interface GraphEvaluator {
  readonly engine: GraphEngine;
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<LossValue>;
  /** Prepares for many points of one plane, or returns null where that would not help. */
  openPlane(plane: PlaneVectors, signal?: AbortSignal): Promise<PlaneEvaluation | null>;
  /** Opens some samples (all where `rows` is null), each to be evaluated by itself; `isSubsample` as in `RowOptions`. */
  openRows(rows: Int32Array | null, isSubsample?: boolean): Promise<GraphSamples>;
  /** Cuts the data into batches of another size, or takes other data. */
  load(data: DataColumns, batchSize: number): void;
  dispose(): void;
}

/** Compiles a plan; `load` comes before the first evaluation. */
export async function createGraphEvaluator(
  engine: GraphEngine,
  plan: ModelPlan,
  scores: ScorePlan,
): Promise<GraphEvaluator> {
  const program = await engine.compile(plan.graph);
  let loaded: { readonly data: DataColumns; readonly batches: ProgramBatches; readonly size: number };
  let isLoaded = false;
  return {
    engine,
    async evaluate(theta, signal) {
      await program.setWeights(weightsAt(plan.graph, plan.reader(theta)));
      const totals = await sumBatches(loaded.batches, plan.totals.length, undefined, signal);
      return valueOfTotals(scores, plan.totals, totals, loaded.data.samples);
    },
    openPlane: (plane, signal) =>
      createPlaneEvaluation(
        { engine, plan, scores, data: loaded.data, batchSize: loaded.size },
        plane,
        signal,
      ),
    openRows: (rows, isSubsample) => {
      const data = rows === null ? loaded.data : takeRows(loaded.data, rows);
      const size = Math.min(loaded.size, data.samples);
      return createGraphSamples(engine, plan, scores, data, size, isSubsample);
    },
    load(data, batchSize) {
      if (isLoaded) loaded.batches.dispose();
      loaded = { data, batches: program.cut(data, batchSize), size: batchSize };
      isLoaded = true;
    },
    dispose() {
      if (isLoaded) loaded.batches.dispose();
      program.dispose();
    },
  };
}

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
  const { name, backend, threads, device } = evaluator.engine;
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
    engine: {
      ...{ name, backend, batchSize, threads },
      ...(device === undefined ? {} : { device, deviceTolerance: DEVICE_TOLERANCE }),
    },
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
      open: (rows, { isSubsample = false, signal } = {}) =>
        queue.run(async (): Promise<RowEvaluator> => {
          signal?.throwIfAborted();
          const own = await evaluator.openRows(rows, isSubsample);
          const samples = rows?.length ?? set.samples;
          const inner = createQueue(own.dispose);
          return {
            samples,
            isForFew: own.isForFew,
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

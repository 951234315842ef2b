import { rm } from "node:fs/promises";
import { EvaluationError, InvalidDataError } from "../../base/errors.js";
import type { Mixture } from "../../directions/mixture.js";
import { isSliceMap, type SlicePoints } from "../../directions/slice-map.js";
import { type JobFolder, writeRawFile } from "../../jobs/job-folder.js";
import type { TaskOptions, TaskSession } from "../../jobs/task-runner.js";
import type { ParameterLayout } from "../../model/layout.js";
import {
  createSharedUse,
  type EvaluatorFacts,
  type LossEvaluator,
  type PointEvaluation,
  type SampleEvaluator,
  type SampleValues,
  type SharedUse,
  type SliceEvaluation,
  type SliceLoss,
} from "../loss-evaluator.js";
import { checkBatchNorm, sliceLoss, sliceWriters } from "../slice-loss.js";
import { keyOf, type LossOperations, type SampleRows, type SetFile, type SliceFile } from "./loss-order.js";

/** What the evaluator of a set is made of. */
export interface SessionParts {
  readonly session: TaskSession<EvaluatorFacts, LossOperations>;
  readonly folder: JobFolder;
  readonly facts: EvaluatorFacts;
  /** The set; null: that of the session's order. */
  readonly set: SetFile | null;
  readonly layout: ParameterLayout;
  /** Names weights whose values at θ leave no loss. */
  readonly undefinedAt: (theta: Float32Array) => readonly string[];
  /** Numbers what processes keep: one count for all sets. */
  readonly newId: () => number;
  readonly withData: NonNullable<LossEvaluator["withData"]>;
  /** Lets go of the session; called once. */
  readonly release: () => void;
}

/** A slice in a file that processes have opened. */
interface OpenedSlice {
  readonly file: SliceFile;
  readonly use: SharedUse;
}

/** Makes a loss evaluator of a session: what it is asked travels to the session's processes. */
export function sessionEvaluator(parts: SessionParts): LossEvaluator {
  const { session, facts, set } = parts;
  const canCalibrate = facts.calibration != null;
  const slices = new WeakMap<SliceLoss, OpenedSlice>();
  let isDisposed = false;
  const task = (name: string, how: PointEvaluation, key?: string): TaskOptions => {
    if (isDisposed) throw new EvaluationError("LossEvaluator", "one in use", "one that was disposed");
    return { name: how.name ?? name, expected: "a loss", key, signal: how.signal };
  };
  const check = (where: string, theta: Float32Array): void => {
    if (theta.length === facts.parameterCount) return;
    throw new InvalidDataError(where, `${facts.parameterCount} weights`, String(theta.length));
  };
  const evaluate: LossEvaluator["evaluate"] = async (theta, { batchNorm, ...how } = {}) => {
    check("theta", theta);
    checkBatchNorm(batchNorm, canCalibrate);
    return session.run("evaluate", { set, theta, batchNorm }, task("theta", how));
  };
  /** Points that are written here and travel as θ. */
  const written = (slice: SlicePoints, { batchNorm }: SliceEvaluation): SliceLoss =>
    sliceLoss({
      writers: sliceWriters(slice, parts.layout, batchNorm),
      isPrepared: false,
      undefinedAt: batchNorm === "recalibrate" ? () => [] : parts.undefinedAt,
      metricNames: facts.metricNames,
      evaluate: (theta, _alpha, _beta, how) => evaluate(theta, { ...how, batchNorm }),
      dispose() {},
    });
  const stored = async (
    slice: SlicePoints,
    form: SliceFile["form"],
    vectors: readonly Float32Array[],
    { signal, ...how }: SliceEvaluation,
  ): Promise<SliceLoss> => {
    for (const vector of vectors) check("slice", vector);
    const id = parts.newId();
    const file: SliceFile = {
      id,
      file: parts.folder.file(`slice-${id}.bin`),
      form,
      count: vectors.length,
      how,
    };
    const key = keyOf.slice(file);
    const use = createSharedUse(() => {
      session.forget(key);
      void rm(file.file, { force: true });
    });
    let opened: { readonly isPrepared: boolean };
    try {
      await writeRawFile(file.file, vectors);
      opened = await session.run("openSlice", { set, slice: file }, task("the slice", { signal }));
    } catch (error) {
      session.forget(key);
      await rm(file.file, { force: true });
      throw error;
    }
    const loss: SliceLoss = {
      isPrepared: opened.isPrepared,
      async evaluate(alpha, beta, point = {}) {
        if (use.isClosed()) throw new EvaluationError("slice", "one in use", "one that was disposed");
        const options = task(`the point (${alpha}, ${beta})`, point, key);
        return use.run(() => session.run("point", { set, slice: file, alpha, beta }, options));
      },
      writeInto: written(slice, how).writeInto,
      dispose() {
        slices.delete(loss);
        use.close();
      },
    };
    slices.set(loss, { file, use });
    return loss;
  };
  return {
    facts,
    get concurrency() {
      return session.concurrency;
    },
    evaluate,
    async openSlice(slice, how = {}) {
      checkBatchNorm(how.batchNorm, canCalibrate);
      if (isMixture(slice)) return stored(slice, slice.form, slice.models, how);
      if (isSliceMap(slice)) return written(slice, how);
      return stored(slice, "plane", [slice.center, ...slice.vectors.slice(0, 2)], how);
    },
    async openSamples(rows, signal) {
      signal?.throwIfAborted();
      return samplesOf(parts, { id: parts.newId(), rows }, slices, task, check);
    },
    withData: parts.withData,
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      if (set !== null) session.forget(keyOf.set(set));
      parts.release();
    },
  };
}

function samplesOf(
  { session, facts, set }: SessionParts,
  samples: SampleRows,
  slices: Pick<WeakMap<SliceLoss, OpenedSlice>, "get">,
  task: (name: string, how: PointEvaluation, key?: string) => TaskOptions,
  check: (where: string, theta: Float32Array) => void,
): SampleEvaluator {
  const key = keyOf.samples(samples);
  const use = createSharedUse(() => session.forget(key));
  const refuse = (): void => {
    if (use.isClosed()) throw new EvaluationError("samples", "samples in use", "disposed ones");
  };
  return {
    samples: samples.rows?.length ?? facts.samples,
    async classes(signal) {
      refuse();
      const options = task("the classes of the samples", { signal });
      return use.run(() => session.run("classes", { set, samples }, options));
    },
    async losses(theta, { batchNorm, ...how } = {}) {
      refuse();
      check("theta", theta);
      const options = task("samples at theta", how, key);
      return use.run(() => session.run("losses", { set, samples, theta, batchNorm }, options));
    },
    lossesOn(of, alpha, beta, how = {}) {
      const opened = slices.get(of);
      if (opened === undefined) return null;
      const { file: slice, use: held } = opened;
      const run = async (): Promise<SampleValues> => {
        refuse();
        const options = task(`samples at the point (${alpha}, ${beta})`, how, key);
        return session.run("lossesOn", { set, samples, slice, alpha, beta }, options);
      };
      return use.run(() => held.run(run));
    },
    dispose: use.close,
  };
}

function isMixture(slice: SlicePoints): slice is Mixture {
  return isSliceMap(slice) && "models" in slice && "form" in slice;
}

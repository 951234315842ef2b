import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { createJobFolder } from "../jobs/job-folder.js";
import { createProcessRunner } from "../jobs/process-runner.js";
import type { TaskRunner } from "../jobs/task-runner.js";
import { type EvaluationData, isBatchDataset } from "../loss/evaluation-data.js";
import type { ModelLossOptions } from "../loss/loss-options.js";
import { resolveModelLossOptions } from "../loss/loss-options.js";
import { portsOf } from "../loss/model-ports.js";
import { inspectSetup, settleWorkerCount, workerBackend } from "../loss/workers/create-worker-evaluator.js";
import { describeModel } from "../loss/workers/model-recipe.js";
import { spoolData } from "../loss/workers/spooled-data.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import type { EndsOptions, EndsWithStart } from "./convexity-map.js";
import type { Curvature, CurvatureOptions } from "./create-curvature.js";
import type { CurvatureOperations, CurvatureOrder, CurvatureProgramFacts } from "./curvature-program.js";

/** How many processes compute, and what they need beside model and data. */
export interface CurvatureWorkerOptions {
  /** Processes of this machine. Default none. */
  readonly workers?: number | "auto" | undefined;
  /** Runs the program instead of processes of this machine; its owner ends it. Default none. */
  readonly runner?: TaskRunner | undefined;
  /** Threads in each process. Default 1. */
  readonly threads?: number | undefined;
  /** Module that gives the model, or a loss of the user's own, in each process. Default none. */
  readonly setup?: string | undefined;
}

/** Computes the ends of spectra in processes. */
export interface CurvatureWorkers {
  /** Points that are to be under way at once; it may change. */
  readonly concurrency: number;
  ends(theta: Float32Array, start: Float32Array | null, signal?: AbortSignal): Promise<EndsWithStart>;
  /** Ends the processes. Idempotent. */
  dispose(): void;
}

const MODULE = "dist/src/curvature/curvature-program.js";

/**
 * Starts processes that compute the ends of spectra at points, each with the model and the data of its own.
 *
 * @param here - the same in this process: what the others open must be the same model and data.
 * @throws {@link InvalidOptionError} for another number of workers, or data that cannot be handed to a process;
 * {@link EvaluationError} for a model or a loss that cannot be described without a set-up module.
 */
export async function openCurvatureWorkers(
  here: Curvature,
  model: tf.LayersModel,
  data: EvaluationData,
  evaluation: Omit<CurvatureOptions, "signal">,
  ends: EndsOptions,
  options: CurvatureWorkerOptions & Stoppable,
): Promise<CurvatureWorkers> {
  const { signal, setup: file } = options;
  if (isBatchDataset(data)) {
    throw new InvalidOptionError("workers", "data as tensors", "a data set of batches", {
      hint: "compute in this process, without workers",
    });
  }
  const backend = workerBackend();
  const setup = file === undefined ? null : await inspectSetup(file, evaluation);
  if (setup === null && evaluation.lossFunction !== undefined) {
    throw new EvaluationError(
      "worker processes: lossFunction",
      "`setup`, a module that exports loadLoss()",
      "none",
    );
  }
  const folder = await createJobFolder();
  const layout = evaluation.layout ?? layoutOfModel(model);
  const { lossFunction, ...plain }: ModelLossOptions & CurvatureOptions = evaluation;
  const bytes = [data.xs, data.ys].flat().reduce((sum, one) => sum + 4 * sizeOf(one as tf.Tensor), 0);
  const needs = { dataBytes: bytes, parameterCount: layout.parameterCount };
  const asked = options.runner?.processes ?? options.workers ?? "auto";
  const { workers, threads } = settleWorkerCount(asked, options.threads, needs);
  const own = options.runner === undefined ? createProcessRunner(workers) : undefined;
  const runner = options.runner ?? (own as TaskRunner);
  try {
    const order: CurvatureOrder = {
      backend,
      setup: setup?.file ?? null,
      model: await describeModel(model, folder.file("weights.bin"), setup?.hasModel ?? false),
      data: await spoolData(folder, "data", portsOf(model), data, {
        ...resolveModelLossOptions({ sampleLimit: evaluation.sampleLimit }),
        signal,
      }),
      options: { ...plain, layout },
      hasLossFunction: lossFunction !== undefined,
      ends,
    };
    const environment = {
      TF_NUM_INTRAOP_THREADS: String(threads),
      TF_NUM_INTEROP_THREADS: "1",
      OMP_NUM_THREADS: String(threads),
    };
    const session = await runner.open<CurvatureOrder, CurvatureProgramFacts, CurvatureOperations>(
      { file: MODULE, environment },
      order,
      { probe: "probe", signal },
    );
    const expected = here.modelDigest;
    if (session.facts.modelDigest !== expected || session.facts.dataDigest !== here.dataDigest) {
      const what = "the model, the loss and the data of the parent";
      throw new EvaluationError("worker processes: curvature", what, "others");
    }
    return {
      get concurrency() {
        return own === undefined ? session.concurrency : workers;
      },
      ends: (theta, start, stop) =>
        session.run(
          "ends",
          { theta, start },
          {
            name: "a point of the convexity map",
            expected: "eigenvalues",
            signal: stop,
          },
        ),
      dispose() {
        session.dispose();
        own?.dispose();
        folder.remove();
      },
    };
  } catch (error) {
    own?.dispose();
    folder.remove();
    throw error;
  }
}

function sizeOf(value: tf.Tensor | Readonly<Record<string, tf.Tensor>>): number {
  if ("size" in value && typeof value.size === "number") return value.size;
  return Object.values(value).reduce((sum, one) => sum + (one as tf.Tensor).size, 0);
}

// What a process that computes curvature does: it makes model and data once, then gives the ends of one spectrum after another.
import type { BackendChoice } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { importModule } from "../base/import-module.js";
import { sha256 } from "../base/provenance.js";
import { readRawFile } from "../jobs/job-folder.js";
import type { OpenProgram } from "../jobs/task-runner.js";
import { disposeData, lossFunctionOf } from "../loss/workers/loss-program.js";
import { buildModel, type ModelRecipe } from "../loss/workers/model-recipe.js";
import { readSpooled, type SpooledData } from "../loss/workers/spooled-data.js";
import { type EndsOptions, type EndsWithStart, spectrumEnds } from "./convexity-map.js";
import { type Curvature, type CurvatureOptions, createCurvature } from "./create-curvature.js";

/** Everything that a process needs before its first point: plain data. */
export interface CurvatureOrder {
  readonly backend: BackendChoice;
  /** Module that is imported first. */
  readonly setup: string | null;
  readonly model: ModelRecipe;
  readonly data: SpooledData;
  readonly options: Omit<CurvatureOptions, "lossFunction" | "signal">;
  /** Whether the loss is the set-up module's. */
  readonly hasLossFunction: boolean;
  readonly ends: EndsOptions;
}

/** What it says of itself. */
export interface CurvatureProgramFacts {
  readonly modelDigest: string;
  readonly dataDigest: string;
}

/** What it does. */
export type CurvatureOperations = {
  readonly probe: (input: null) => string;
  readonly ends: (input: {
    readonly theta: Float32Array;
    readonly start: Float32Array | null;
  }) => EndsWithStart;
};

/** Opens the program of curvature: called by the worker process. */
export async function openProgram(
  order: CurvatureOrder,
): Promise<OpenProgram<CurvatureProgramFacts, CurvatureOperations>> {
  await selectBackend({ backend: order.backend });
  const setup = order.setup === null ? {} : await importModule(order.setup);
  const model = await buildModel(order.model, setup);
  const data = await readSpooled(order.data);
  const lossFunction = order.hasLossFunction ? await lossFunctionOf(setup) : undefined;
  const curvature = await createCurvature(model, data, { ...order.options, lossFunction });
  disposeData(data);
  return {
    facts: { modelDigest: curvature.modelDigest, dataDigest: curvature.dataDigest },
    operations: {
      probe: (_input, signal) => probe(curvature, order, signal),
      ends: ({ theta, start }, signal) => spectrumEnds(curvature, theta, start, order.ends, signal),
    },
  };
}

/** Loss, gradient and one product near the model's own weights, as bits. */
async function probe(
  curvature: Curvature,
  { model: { weightsFile, layout } }: CurvatureOrder,
  signal: AbortSignal,
): Promise<string> {
  const [own] = (await readRawFile(weightsFile, 1, layout.parameterCount)) as [Float32Array];
  const point = await curvature.at(
    own.map((value, i) => value * (1 + 0.01 * Math.cos(i))),
    signal,
  );
  try {
    return sha256(Float64Array.of(point.loss), point.gradient, await point.hessianVector(point.gradient));
  } finally {
    point.dispose();
  }
}

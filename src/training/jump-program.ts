// What a process that makes jumps does: it puts data and a copy of the model on its backend, then makes jumps.
import * as tf from "@tensorflow/tfjs";
import type { BackendChoice } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { importModule } from "../base/import-module.js";
import type { OpenProgram } from "../jobs/task-runner.js";
import type { TensorData } from "../loss/evaluation-data.js";
import { readSpooled, type SpooledData } from "../loss/workers/spooled-data.js";
import type { Compiled } from "../model/model-from-manifest.js";
import type { Jump } from "./jump-options.js";
import type { JumpOrigin } from "./jump-provenance.js";
import type { JumpSet, JumpSource } from "./jump-source.js";
import { createJumpTrainer, type TrainedJump } from "./jump-trainer.js";

/** Everything that a process needs to make jumps around one optimum: plain data. */
export interface JumpOrder {
  readonly backend: BackendChoice;
  /** Module that is imported first. */
  readonly setup: string | null;
  /** Whether losses and metrics are those of the set-up module's model: functions cannot be sent. */
  readonly hasOwnLosses: boolean;
  readonly source: JumpSource;
  readonly origin: JumpOrigin;
  /** The training set first. */
  readonly sets: readonly { readonly name: JumpSet["name"]; readonly data: SpooledData }[];
}

/** What it does. */
export type JumpOperations = { readonly train: (jump: Jump) => TrainedJump };

/** Opens the program of jumps: called by the worker process. */
export async function openProgram(order: JumpOrder): Promise<OpenProgram<null, JumpOperations>> {
  await selectBackend({ backend: order.backend });
  const setup = order.setup === null ? {} : await importModule(order.setup);
  const compiled = order.hasOwnLosses ? await lossesOf(setup) : null;
  const sets: JumpSet[] = [];
  for (const { name, data } of order.sets) {
    const { xs, ys } = (await readSpooled(data)) as { xs: tf.Tensor[]; ys: tf.Tensor[] } & TensorData;
    sets.push({ name, batch: { xs, ys, ws: [], samples: data.batches[0] as number } });
  }
  const trainer = await createJumpTrainer(order.source, sets, compiled);
  // Only the training set is still needed: the evaluators have copies of their own.
  for (const { batch } of sets.slice(1)) tf.dispose([...batch.xs, ...batch.ys]);
  return {
    facts: null,
    operations: { train: (jump, signal) => trainer.train(jump, order.origin, signal) },
  };
}

/** What the model of a set-up module is compiled with. */
async function lossesOf({ loadModel }: Record<string, unknown>): Promise<Compiled> {
  const { loss, metrics } = (await (loadModel as () => unknown)()) as tf.LayersModel;
  return { loss, metrics };
}

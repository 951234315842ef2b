import { basename, join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import uniqBy from "lodash/uniqBy.js";
import { currentBackend } from "../backend/current-backend.js";
import { EvaluationError, InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type ModelPorts, portsOf } from "../loss/model-ports.js";
import { inspectSetup } from "../loss/workers/create-worker-evaluator.js";
import {
  checkedCount,
  type Jump,
  type JumpData,
  type JumpOptions,
  type JumpRecipe,
  type JumpRun,
  jumpFolder,
  resolveJumpRecipe,
} from "./jump-options.js";
import { checkProcesses, type JumpProcesses, trainInProcesses } from "./jump-processes.js";
import { findJump, type JumpOrigin, jumpOrigin, jumpProvenance } from "./jump-provenance.js";
import { disposeSets, type JumpSet, type JumpSource, readSet, readSource } from "./jump-source.js";
import { createJumpTrainer, type JumpTrainer, type TrainedJump } from "./jump-trainer.js";

/** The jumps around one optimum. */
export interface JumpStudy {
  /** Absolute path of the folder with the runs. */
  readonly directory: string;
  /** One for each seed and distance, those of one seed together. */
  readonly runs: readonly JumpRun[];
  /** sha-256 (hex) of θ*'s bytes. */
  readonly weightsDigest: string;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Samples the region around an optimum: jumps from θ* by s·d for each seed and size, d a Gaussian direction
 * normalized filter by filter, retrains each from there, and records every epoch as a run.
 *
 * θ_0 = θ* + s·d; biases and batch norm do not jump. The optimizer starts anew, batches and dropout follow from
 * the seed. Loss and metrics of every state are exact means over each set, in evaluation mode, without
 * penalties. The model, its optimizer and the data are left as they are: copies are trained.
 *
 * A jump that is complete in its folder (`seed-0_step-0.25`) and was made from the same weights, data and options
 * is kept; one that is half done is made anew. Results do not depend on `workers`, but on the backend.
 *
 * @param model - compiled, at θ*; its losses, metrics and layers are used, its optimizer is not.
 * @throws {@link InvalidOptionError} for an option that cannot be used.
 * @throws {@link EvaluationError} if the model has no compiled loss or cannot be copied.
 * @throws {@link InvalidDataError} naming the set that does not fit the model, or a weight that is not finite.
 * @throws {@link RunStateError} if a folder holds a jump made from something else, naming what differs; if
 * three processes die over one jump.
 * @see Horoi et al. 2022, "Exploring the Geometry and Topology of Neural Network Loss Landscapes".
 * @example
 * const { runs } = await jumpAndRetrain(model, { train, test }, { directory: "runs/jumps", epochs: 20 });
 */
export async function jumpAndRetrain(
  model: tf.LayersModel,
  data: JumpData,
  options: JumpOptions,
): Promise<JumpStudy> {
  const asked = resolveJumpRecipe(options);
  const { runner, setup } = options;
  const workers = checkedCount("workers", options.workers ?? 1);
  if (runner !== undefined && options.workers !== undefined)
    throw new InvalidOptionError("workers", "none beside a runner, which has its own", String(workers));
  const isElsewhere = workers > 1 || runner !== undefined;
  if (!(model instanceof tf.LayersModel)) {
    const hint = "model and tfjs-landscape must use the same copy of @tensorflow/tfjs";
    throw new InvalidOptionError("model", "a LayersModel", "another object", { hint });
  }
  const backend = currentBackend();
  if (isElsewhere) checkProcesses(workers, backend, runner);
  const read = await readSource(model);
  const hasOwnLosses = JSON.stringify([read.facts.loss, read.facts.metrics]).includes('"custom"');
  const isSent = setup !== undefined && (await inspectSetup(resolve(setup), {})).hasModel;
  if (isElsewhere && hasOwnLosses && !isSent) refuseFunctions(runner === undefined ? workers : null);
  const ports = portsOf(model);
  const recipe = { ...asked, batchSize: batchSizeFor(ports, asked, options) };
  const sets = await readSets(ports, data, options.signal);
  const source: JumpSource = { ...read, recipe };
  let trainer: JumpTrainer | undefined;
  try {
    trainer = await createJumpTrainer(source, sets, { loss: model.loss, metrics: model.metrics });
    const origin = jumpOrigin(source, trainer.evaluators, backend.name);
    const jumps = plan(recipe, options, model);
    const processes = isElsewhere
      ? { workers, runner, setup: setup === undefined ? undefined : resolve(setup), hasOwnLosses, backend }
      : null;
    const work: JumpWork = { source, ports, sets, origin, trainer, jumps, options, processes };
    const { runs, warnings } = await makeMissing(work);
    return {
      directory: resolve(options.directory),
      runs,
      weightsDigest: origin.inputs.weights as string,
      warnings: uniqBy([...warnings, ...divergence(runs)], "message"),
    };
  } finally {
    trainer?.dispose();
    disposeSets(sets);
  }
}

interface JumpWork {
  readonly source: JumpSource;
  readonly ports: ModelPorts;
  readonly sets: readonly JumpSet[];
  readonly origin: JumpOrigin;
  readonly trainer: JumpTrainer;
  readonly jumps: readonly Jump[];
  readonly options: JumpOptions;
  /** null: they are made in this process. */
  readonly processes: Pick<JumpProcesses, "workers" | "runner" | "setup" | "hasOwnLosses" | "backend"> | null;
}

/** Finds the jumps that are there, every one before the first is made, and makes the others. */
async function makeMissing({
  source,
  ports,
  sets,
  origin,
  trainer,
  jumps,
  options,
  processes,
}: JumpWork): Promise<{ readonly runs: readonly JumpRun[]; readonly warnings: readonly LandscapeWarning[] }> {
  const { overwrite = false, signal, onProgress } = options;
  const { epochs } = source.recipe;
  const done = new Map<Jump, JumpRun>();
  const warnings: LandscapeWarning[] = [];
  const finish = (jump: Jump, run: JumpRun): void => {
    done.set(jump, run);
    onProgress?.(done.size, jumps.length, run);
  };
  const found = new Map<Jump, JumpRun>();
  for (const jump of jumps) {
    const states = await findJump(jump, jumpProvenance(jump, origin), epochs, overwrite);
    if (states !== null) found.set(jump, { ...jump, status: "found", states });
  }
  for (const [jump, run] of found) finish(jump, run);
  const missing = jumps.filter((jump) => !found.has(jump));
  const onDone = (jump: Jump, { states, warnings: own }: TrainedJump): void => {
    warnings.push(...own);
    finish(jump, { ...jump, status: "made", states });
  };
  if (processes !== null && missing.length > 0) {
    await trainInProcesses(missing, { ...processes, source, ports, sets, origin, signal, onDone });
  } else {
    for (const jump of missing) {
      signal?.throwIfAborted();
      onDone(jump, await trainer.train(jump, origin, signal));
    }
  }
  return { runs: jumps.map((jump) => done.get(jump) as JumpRun), warnings };
}

function plan({ seeds, distances }: JumpRecipe, options: JumpOptions, model: tf.LayersModel): Jump[] {
  const root = resolve(options.directory);
  const name = options.name ?? (model.name || basename(root));
  return seeds.flatMap((seed) =>
    distances.map((distance) => ({
      seed,
      distance,
      directory: join(root, jumpFolder(seed, distance)),
      name: `${name}, seed ${seed}, jump ${distance}`,
    })),
  );
}

async function readSets(
  ports: ModelPorts,
  data: JumpData,
  signal: AbortSignal | undefined,
): Promise<JumpSet[]> {
  const { train, validation, test } = data ?? {};
  if (train === undefined) {
    const got =
      typeof data === "object" && data !== null ? `{ ${Object.keys(data).join(", ")} }` : String(data);
    throw new InvalidDataError("data", "{ train }, and perhaps validation and test", got);
  }
  const sets: JumpSet[] = [];
  for (const [name, set] of Object.entries({ train, validation, test })) {
    if (set === undefined) continue;
    try {
      sets.push(await readSet(name as JumpSet["name"], ports, set, signal));
    } catch (cause) {
      disposeSets(sets);
      if (!(cause instanceof InvalidDataError)) throw cause;
      throw new InvalidDataError(`${name}: ${cause.where}`, cause.expected, cause.got, { cause });
    }
  }
  return sets;
}

/** A model whose input fixes the samples of a batch trains on such batches only. */
function batchSizeFor({ fixedBatch }: ModelPorts, recipe: JumpRecipe, options: JumpOptions): number {
  if (fixedBatch === null || fixedBatch === recipe.batchSize) return recipe.batchSize;
  if (options.batchSize === undefined) return fixedBatch;
  throw new InvalidOptionError("batchSize", `the model's ${fixedBatch}`, String(options.batchSize));
}

/** @param workers - processes of this machine; null for those of a runner. */
function refuseFunctions(workers: number | null): never {
  const [option, allowed] = workers === null ? ["runner", "none"] : ["workers", "1"];
  const expected = `${allowed} with a loss or metric function of your own, which cannot be sent to a process`;
  throw new InvalidOptionError(option, expected, String(workers ?? "one"), {
    hint: "or `setup`: a module whose loadModel() gives the compiled model",
  });
}

/** Names the jumps whose training loss did not stay finite. */
function divergence(runs: readonly JumpRun[]): LandscapeWarning[] {
  const bad = runs.filter(({ states }) => states.some(({ logs }) => !Number.isFinite(logs.loss)));
  if (bad.length === 0) return [];
  const names = bad.map(({ seed, distance }) => `seed ${seed} distance ${distance}`).join(", ");
  const message = `the training loss of ${names} is not finite at some state: a lower learning rate may help`;
  return [{ code: "jump-diverged", message }];
}

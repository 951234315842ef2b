import { statfs } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { describeCopies } from "../backend/tfjs-copies.js";
import { InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { type OptionNames, refuseUnknown } from "../base/option-names.js";
import { ownPackageVersion } from "../base/package-files.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type BoundWeights, bindModel, bindVariables } from "../model/bound-weights.js";
import {
  describeFit,
  describeOptimizer,
  describeTraining,
  type TrainingFacts,
} from "../model/describe-training.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel, layoutOfVariables, type VariableCollection } from "../model/layout-of-model.js";
import type { RunDescription, RunManifest } from "../model/manifest.js";
import { checkOptimizerState, stateSlots } from "../model/optimizer-state.js";
import { readRegularFile } from "../store/arrow/regular-file.js";
import { decodeSnapshot, elementSize } from "../store/run/decode-snapshot.js";
import { createRunWriter } from "../store/run/run-writer.js";
import { snapshotPath } from "../store/run/snapshot-schema.js";
import {
  CAPTURE_OPTION_NAMES,
  type CaptureOptions,
  checkCaptureOptions,
  pendingLimit,
  TrajectoryRecorder,
} from "./recorder.js";
import { resolveSchedule, type ScheduleRule } from "./schedule.js";
import { createSink } from "./worker-sink.js";
import { WriteQueue } from "./write-queue.js";

/** Runs larger than this are announced, whatever the disk. */
const LARGE = 10e9;
/** Longer trainings are reckoned from their first updates. */
const COUNTED = 1e6;

/**
 * Returns how many snapshots a training will write, or null where `fit` does not say how long it is.
 *
 * @param fit - what `fit` tells its callbacks: `epochs`, `initialEpoch`, and `steps`, or `samples` and `batchSize`.
 */
export function countSnapshots(
  rule: ScheduleRule,
  fit: Readonly<Record<string, unknown>> = {},
): number | null {
  const number = (name: string) => (typeof fit[name] === "number" ? fit[name] : null);
  const epochs = number("epochs");
  if (epochs === null) return null;
  const trained = epochs - (number("initialEpoch") ?? 0);
  const [samples, batchSize] = [number("samples"), number("batchSize")];
  const steps =
    number("steps") ?? (samples === null || batchSize === null ? null : Math.ceil(samples / batchSize));
  const total = rule.unit === "epoch" ? trained : steps === null ? null : trained * steps;
  if (total === null || !(total >= 0)) return null;
  const looked = Math.min(total, COUNTED);
  let due = 0;
  for (let count = 1; count <= looked; count++) if (rule.isDue(count)) due++;
  // The initial weights, and the final ones where they are not due.
  const last = total > 0 && (total > COUNTED || !rule.isDue(total)) ? 1 : 0;
  return 1 + Math.round((due * total) / Math.max(1, looked)) + last;
}

/**
 * Returns a warning where a run will not fit on its disk, or will be larger than 10 GB.
 *
 * @param free - bytes that are free, null where that is unknown.
 */
export function diskWarning(
  directory: string,
  count: number,
  weights: number,
  bytesPerWeight: number,
  free: number | null,
): LandscapeWarning | null {
  const bytes = count * (weights * bytesPerWeight + 4096);
  const isTooMuch = free !== null && bytes > free;
  if (!isTooMuch && bytes <= LARGE) return null;
  const of = `${count.toLocaleString("en")} snapshots of ${weights.toLocaleString("en")} weights`;
  const left = free === null ? "" : `, of which ${gigabytes(free)} are free`;
  const message = `${directory}: ${of} will take ${gigabytes(bytes)} of the disk${left}. Record fewer of them (schedule: { everyEpochs: 10 }, { geometric: { ratio: 1.5 } }) or store them as float16.`;
  return { code: "disk-space", message };
}

/** Bytes free for a directory that need not be there yet; null where the system does not say. */
export async function freeBytes(directory: string): Promise<number | null> {
  for (let folder = directory; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch {
      // Not made yet, or not a system that tells: its parent, up to the root.
      if (folder === dirname(folder)) return null;
    }
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
}

/** What a manifest is made of, beside the versions of packages and the backend in use. */
export interface ManifestParts extends Pick<RunManifest, "name" | "dtype" | "seed"> {
  readonly layout: ParameterLayout;
  readonly facts: TrainingFacts;
  /** What the run is made from. Default none. */
  readonly provenance?: Provenance | undefined;
}

/**
 * Returns the contents of run.json for a training that begins now on the backend in use.
 *
 * @throws {@link BackendError} if the backend is still starting.
 */
export function buildManifest({
  name,
  layout,
  dtype,
  seed,
  facts,
  provenance,
}: ManifestParts): RunDescription {
  const backend = currentBackend();
  const { model, optimizer, loss, metrics, fit } = facts;
  return {
    name,
    createdAt: new Date().toISOString(),
    packages: {
      "tfjs-landscape": ownPackageVersion(),
      "@tensorflow/tfjs": tf.version.tfjs,
      [backend.package]: backend.version,
      node: process.versions.node,
    },
    model,
    layout,
    dtype,
    optimizer,
    loss,
    metrics,
    fit,
    backend: { name: backend.name, package: backend.package, reason: backend.reason },
    seed,
    ...defined({ provenance }),
  };
}

/** Options of {@link createTrajectoryRecorder}; one of `model` and `variables` is required. */
export interface TrajectoryRecorderOptions extends CaptureOptions {
  /** The model whose weights to record. */
  readonly model?: tf.LayersModel;
  /** Variables of a custom loop instead of a model: a list, or a record whose keys name them. */
  readonly variables?: VariableCollection;
  /** Optimizer to read the learning rate from and to describe. Default: the model's. */
  readonly optimizer?: tf.Optimizer;
  /** What the loss is, for the manifest. Default: what the model was compiled with, or null. */
  readonly loss?: JsonValue;
  /** What the metrics are, for the manifest. Default: as for `loss`. */
  readonly metrics?: JsonValue;
  /** What the run is made from, for the manifest: of trainings that are computed results. Default none. */
  readonly provenance?: Provenance;
}

const RECORDER_OPTION_NAMES: OptionNames<TrajectoryRecorderOptions> = {
  ...CAPTURE_OPTION_NAMES,
  model: true,
  variables: true,
  optimizer: true,
  loss: true,
  metrics: true,
  provenance: true,
};

/**
 * Returns a recorder that writes the weights of a model or of variables into a run directory.
 *
 * @throws {@link InvalidOptionError} if an option cannot be used.
 * @throws {@link RunStateError} if the directory holds a run and neither `overwrite` nor `resume` is set.
 * @throws {@link LayoutError} if there are no weights, or `resume` finds a run of another layout.
 * @example
 * const recorder = await createTrajectoryRecorder({ directory: "runs/mine", variables: { w, b }, optimizer });
 * await recorder.recordIfDue({ epoch: 0, iteration: 0 });
 * for (let iteration = 1; iteration <= 100; iteration++) {
 *   optimizer.minimize(() => tf.losses.meanSquaredError(ys, xs.mul(w).add(b)).asScalar());
 *   await recorder.recordIfDue({ epoch: 0, iteration });
 * }
 * await recorder.close({ epoch: 1, iteration: 100 });
 */
export async function createTrajectoryRecorder(
  options: TrajectoryRecorderOptions,
): Promise<TrajectoryRecorder> {
  refuseUnknown(options, RECORDER_OPTION_NAMES);
  checkCaptureOptions(options);
  const rule = resolveSchedule(options.schedule);
  const { layout } = bindWeights(options, null);
  const optimizer = options.optimizer ?? options.model?.optimizer ?? null;
  const facts = trainingFacts(options, optimizer);
  if (options.optimizerState === true) await checkOptimizerState(optimizer);
  const stateOf = options.optimizerState === true ? optimizer : null;
  const slots = stateOf === null ? 0 : stateSlots(stateOf);
  const { dtype = "float32", seed = null } = options;
  const path = resolve(options.directory);
  const { overwrite, resume } = resolveExisting(path, options);
  const name = options.name ?? basename(path);
  const manifest = buildManifest({ name, layout, dtype, seed, facts, provenance: options.provenance });
  if (overwrite || resume) await closeOpenRecorder(path);
  const writer = await createRunWriter(path, manifest, { overwrite, resume });
  begun.add(path);
  const weights = bindWeights(options, writer.layout);
  const { sink, warnings } = createSink(writer.target);
  const recorder = new TrajectoryRecorder({
    directory: path,
    weights,
    queue: new WriteQueue(
      sink,
      pendingLimit(options.maxPending, layout.parameterCount * (1 + slots)),
      layout.parameterCount,
    ),
    rule,
    dtype,
    optimizer,
    stateOf,
    nextStep: writer.nextStep,
    resumedFrom: writer.resumedFrom,
    resumedTheta: writer.resumedFrom && (await readTheta(path, writer.resumedFrom.step)),
    readBack: (step) => readTheta(path, step),
    release: async () => {
      if (openRecorders.get(path) === recorder) openRecorders.delete(path);
      await writer.close();
    },
    warnings: [...facts.warnings, ...warnings, ...(await expectedSize(path, layout, rule, slots, options))],
  });
  openRecorders.set(path, recorder);
  return recorder;
}

/** What to say of the run's size before anything is written. */
async function expectedSize(
  path: string,
  { parameterCount }: ParameterLayout,
  rule: ScheduleRule,
  slots: number,
  { fit, dtype }: TrajectoryRecorderOptions,
): Promise<readonly LandscapeWarning[]> {
  const count = countSnapshots(rule, fit);
  if (count === null) return [];
  const width = elementSize(dtype ?? "float32") + 4 * slots;
  const warning = diskWarning(path, count, parameterCount, width, await freeBytes(path));
  return warning === null ? [] : [warning];
}

/** Run directories that this process has begun or continued. */
const begun = new Set<string>();

/** What to do with a run that is in the directory: `resume: "process"` depends on who began it. */
function resolveExisting(
  path: string,
  { overwrite = false, resume = false }: CaptureOptions,
): { readonly overwrite: boolean; readonly resume: boolean } {
  if (resume !== "process") return { overwrite, resume };
  const isOwn = begun.has(path);
  return { overwrite: overwrite && !isOwn, resume: isOwn };
}

/** Recorders of this process that are not closed, by run directory. */
const openRecorders = new Map<string, TrajectoryRecorder>();

/**
 * A training that threw has not closed its recorder, and may still be writing what the next one is about to
 * number: it must be done before. Its failure, if any, is not that of the new recorder.
 */
async function closeOpenRecorder(directory: string): Promise<void> {
  await openRecorders
    .get(directory)
    ?.close()
    .catch(() => undefined);
}

async function readTheta(directory: string, step: number): Promise<Float32Array> {
  const file = snapshotPath(directory, step);
  return (await decodeSnapshot(await readRegularFile(file), file)).theta;
}

/** @param order - the layout of the run that is continued, or null for the model's own. */
function bindWeights(options: TrajectoryRecorderOptions, order: ParameterLayout | null): BoundWeights {
  const { model, variables, select, describe } = options;
  const layoutOptions = {
    ...defined({ select, describe }),
  };
  if (model !== undefined && variables === undefined) {
    if (!(model instanceof tf.LayersModel)) {
      const hint = describeCopies() ?? "model and tfjs-landscape must use the same copy of @tensorflow/tfjs";
      throw new InvalidOptionError("model", "a LayersModel", "another object", { hint });
    }
    return bindModel(model, order ?? layoutOfModel(model, layoutOptions));
  }
  if (variables !== undefined && model === undefined) {
    return bindVariables(variables, order ?? layoutOfVariables(variables, layoutOptions));
  }
  const got = model === undefined ? "neither" : "both";
  throw new InvalidOptionError("model, variables", "one of the two", got);
}

/** What is known from the model, and what the caller says instead. */
function trainingFacts(options: TrajectoryRecorderOptions, optimizer: tf.Optimizer | null): TrainingFacts {
  const { model, loss, metrics, fit } = options;
  const known: TrainingFacts =
    model === undefined
      ? { model: null, optimizer: null, loss: null, metrics: null, fit: describeFit(fit), warnings: [] }
      : describeTraining(model, fit);
  return {
    ...known,
    optimizer: describeOptimizer(optimizer),
    ...defined({ loss, metrics }),
  };
}

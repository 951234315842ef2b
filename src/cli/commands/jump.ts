import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { type Command, InvalidArgumentError, Option } from "commander";
import omit from "lodash/omit.js";
import { type ModelPoint, openModelPoint } from "../../analysis/model-point.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { defined } from "../../base/json.js";
import { assignWeights } from "../../model/bound-weights.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";
import { type JumpStudy, jumpAndRetrain } from "../../training/jump-and-retrain.js";
import type { JumpData, JumpOptions } from "../../training/jump-options.js";
import { RETRAIN_OPTIMIZERS } from "../../training/retrain-optimizer.js";
import {
  backendOption,
  normalizationOptions,
  outputFolder,
  parseCount,
  parseModuleFile,
  parseSeeds,
  renamedOption,
} from "../command-options.js";
import { checkWhere, isOverQueue, type QueueCommandOptions, queueOptions } from "../evaluation-options.js";
import { type DataModule, loadDataModule } from "../load-module.js";
import { openQueue, startBackend } from "../open-evaluator.js";
import { createOutput, type Output } from "../output.js";

/** Options of `jump`: those of the library, and where things are. */
interface JumpCommandOptions
  extends Omit<JumpOptions, "directory" | "name" | "signal" | "onProgress" | "runner" | "setup">,
    QueueCommandOptions {
  readonly data: string;
  readonly out?: string;
  readonly backend?: BackendChoice;
  readonly json?: boolean;
}

/** Declares the arguments and options of `jump`. */
export function declareJump(command: Command): void {
  command
    .argument("<run>", "run directory, or RUN@STEP for a snapshot of it")
    .requiredOption(
      "--data <module>",
      "JS or TS module that exports loadData(), and perhaps loadValidationData() and loadTestData()",
      parseModuleFile,
    )
    .option("--seeds <seeds>", "one direction for each: 0,1,2 or 0..9 (default: 0..3)", parseSeeds);
  renamedOption(
    command,
    new Option("--distances <numbers>", "how far jumps go (default: 0.25,0.5,0.75,1)").argParser(
      parseDistances,
    ),
    "steps",
  )
    .option("--epochs <n>", "epochs of retraining (default: 40)", parseCount("--epochs"))
    .option("--batch-size <n>", "samples per update (default: 32)", parseCount("--batch-size"))
    .addOption(
      new Option("--optimizer <name>", "optimizer, restarted (default: momentum)").choices(
        RETRAIN_OPTIMIZERS,
      ),
    )
    .option("--learning-rate <rate>", "its learning rate (default: 0.001)", parseNumber("--learning-rate"))
    .option("--momentum <share>", "of momentum (default: 0.9) or rmsprop", parseNumber("--momentum"))
    .option("--weight-decay <c>", "adds c·w to gradients (default: 0.0001)", parseNumber("--weight-decay"))
    .addOption(
      new Option("--loss <mode>", "losses of the states: compiled, or exact logits form").choices([
        "model",
        "logits",
      ]),
    )
    .option("--out <dir>", "folder for the runs (default: jumps, or jumps-STEP, in the run directory)")
    .option("--workers <n>", "processes that retrain (default: 1)", parseCount("--workers"))
    .option("--overwrite", "replace jumps in that folder that were made from something else")
    .addOption(backendOption());
  normalizationOptions(queueOptions(command)).action((run, options) =>
    jump(run, options, createOutput(options)),
  );
}

/** `jump RUN`: the region around a model, sampled by jumping and retraining. */
async function jump(reference: string, options: JumpCommandOptions, output: Output): Promise<void> {
  checkWhere(options);
  const point = await openModelPoint(reference);
  const folder = outputFolder(options.out, defaultFolder(point));
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  const model = await modelAt(point, module);
  // Before a server is asked: a connection keeps the process alive.
  const sets = await loadSets(module);
  const bar = output.progress("jumps");
  const runner = isOverQueue(options) ? await openQueue(options) : undefined;
  const settings: JumpOptions = {
    ...omit(options, ["data", "out", "backend", "json", "redis", "spool", "store", "queue"]),
    runner,
    setup: module.hasModel ? options.data : undefined,
    directory: folder,
    name: point.name,
    onProgress: (done, total) => bar.update(done, total),
  };
  const study = await jumpAndRetrain(model, sets, settings).finally(() => {
    bar.stop();
    runner?.dispose();
  });
  output.warn(study.warnings);
  tell(study, point, output);
}

async function modelAt(point: ModelPoint, module: DataModule): Promise<tf.LayersModel> {
  const { run, theta } = point;
  const model = (await module.loadModel()) ?? (await modelFromManifest(run.manifest));
  assignWeights(model, run.layout, theta);
  return model;
}

async function loadSets(module: DataModule): Promise<JumpData> {
  const load = async (name: "loadValidationData" | "loadTestData") =>
    module.has(name) ? await module.load(name) : undefined;
  const train = await module.load("loadData");
  return {
    train,
    ...defined({ validation: await load("loadValidationData"), test: await load("loadTestData") }),
  };
}

function defaultFolder({ run, index }: ModelPoint): string {
  const isLast = index === run.snapshots.length - 1;
  return join(run.directory, isLast ? "jumps" : `jumps-${run.snapshots[index]?.step}`);
}

function tell(study: JumpStudy, { run, index, digest }: ModelPoint, output: Output): void {
  const { directory, runs } = study;
  output.result({
    directory,
    source: { run: run.directory, step: run.snapshots[index]?.step, weights: digest },
    runs: runs.map(({ directory: path, seed, distance, status, states }) => ({
      directory: path,
      seed,
      distance,
      // As earlier versions named it.
      step: distance,
      status,
      epochs: states.map(({ epoch }) => epoch),
      logs: states.map(({ logs }) => logs),
    })),
  });
  for (const { seed, distance, states, status } of runs) {
    const [first, last] = [states[0]?.logs ?? {}, states.at(-1)?.logs ?? {}];
    const values = Object.keys(first).map((name) => `${name} ${short(first[name])} to ${short(last[name])}`);
    output.print(
      `seed ${seed}, jump ${distance}${status === "found" ? " (found)" : ""}: ${values.join(", ")}`,
    );
  }
  output.print(`runs: ${directory}`);
}

function short(value: number | undefined): string {
  return (value ?? Number.NaN).toPrecision(4);
}

function parseDistances(text: string): readonly number[] {
  const sizes = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (sizes.every((size) => Number.isFinite(size) && size > 0)) return sizes;
  throw new InvalidArgumentError(`--distances: expected numbers above 0 such as 0.25,0.5, got "${text}".`);
}

function parseNumber(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
    throw new InvalidArgumentError(`${name}: expected a number of at least 0, got "${text}".`);
  };
}

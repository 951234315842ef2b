/**
 * The process in which the surface bench measures our engines: answers each line of JSON on stdin with a line
 * of JSON on stdout, so that it can be started with its own allocator settings, and with one backend.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs";
import type { BackendChoice } from "../src/backend/current-backend.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator, SliceLoss } from "../src/loss/loss-evaluator.js";
import type { EngineChoice } from "../src/loss/loss-options.js";
import { openSlice } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { surfaceModels } from "./surface-models.js";

interface Command {
  /** Makes the model of a case, and writes (or reads) images, labels, θ* and directions in a folder. */
  readonly prepare?: {
    readonly case: string;
    readonly folder: string;
    readonly write: boolean;
    readonly samples?: number;
  };
  /** Makes an evaluator. */
  readonly open?: {
    readonly engine: EngineChoice;
    /** Left to the engine where it is not given. */
    readonly threads?: number;
    /** Processes of one thread each; 0: this process. */
    readonly workers: number;
  };
  /** Evaluates some points of the plane. */
  readonly points?: readonly (readonly [number, number])[];
  readonly close?: true;
}

let model: tf.LayersModel | undefined;
let data: { xs: tf.Tensor; ys: tf.Tensor } | undefined;
let vectors: { center: Float32Array; vectors: Float32Array[] } | undefined;
let evaluator: LossEvaluator | undefined;
let plane: SliceLoss | undefined;
let isPooled = false;
let backend = "";

function floats(file: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(file)).buffer);
}

function writeFloats(file: string, values: Float32Array): void {
  writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

async function prepare({ case: name, folder, write, samples: limit }: NonNullable<Command["prepare"]>) {
  const { shape, samples: all, make } = surfaceModels[name];
  const samples = limit ?? all;
  model = make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const layout = layoutOfModel(model);
  if (write) {
    const center = await readWeights(model, layout);
    writeFloats(join(folder, "theta.f32"), Float32Array.from(center));
    const random = (seed: number) => tf.randomNormal([layout.parameterCount], 0, 0.02, "float32", seed);
    for (const [i, axis] of ["dx", "dy"].entries()) {
      const direction = Float32Array.from(await random(i + 1).data());
      direction.fill(0, layout.trainableCount);
      writeFloats(join(folder, `${axis}.f32`), direction);
    }
    const images = tf.randomNormal([samples, ...shape], 0, 1, "float32", 7);
    writeFloats(join(folder, "images.f32"), Float32Array.from(await images.data()));
    writeFloats(
      join(folder, "labels.f32"),
      Float32Array.from({ length: samples }, (_, i) => (i * 7) % 10),
    );
    const parameters = layout.parameters.map(({ name: key, shape: lengths, offset }) => ({
      key,
      lengths,
      offset,
    }));
    writeFileSync(join(folder, "layout.json"), JSON.stringify({ case: name, shape, samples, parameters }));
  }
  const center = floats(join(folder, "theta.f32"));
  vectors = { center, vectors: ["dx", "dy"].map((axis) => floats(join(folder, `${axis}.f32`))) };
  const labels = Int32Array.from(floats(join(folder, "labels.f32")));
  data = {
    xs: tf.tensor(floats(join(folder, "images.f32")), [samples, ...shape]),
    ys: tf.oneHot(tf.tensor1d(labels, "int32"), 10).cast("float32"),
  };
  return { backend, parameters: layout.trainableCount, samples };
}

async function open({ engine, threads, workers }: NonNullable<Command["open"]>) {
  const options = { engine, loss: "logits", dataId: "bench" } as const;
  const own = model as tf.LayersModel;
  evaluator =
    workers === 0
      ? await createLossEvaluator(own, data as never, { ...options, threads })
      : await createLossEvaluator(own, data as never, { ...options, workers });
  isPooled = workers > 0;
  plane = await openSlice(evaluator, vectors as never, { points: 1000 });
  return { engine: evaluator.facts.engine, isCached: plane.isPrepared, warnings: evaluator.facts.warnings };
}

async function evaluate(points: NonNullable<Command["points"]>) {
  const opened = plane as SliceLoss;
  const losses: number[] = [];
  const cpu = process.cpuUsage();
  const begin = performance.now();
  if (isPooled) {
    const values = await Promise.all(points.map(([alpha, beta]) => opened.evaluate(alpha, beta)));
    losses.push(...values.map(({ loss }) => loss));
  } else {
    for (const [alpha, beta] of points) {
      losses.push((await opened.evaluate(alpha, beta)).loss);
    }
  }
  const seconds = (performance.now() - begin) / 1000 / points.length;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (user + system) / 1e6 / points.length, losses };
}

async function answer(command: Command): Promise<unknown> {
  if (command.prepare !== undefined) return prepare(command.prepare);
  if (command.open !== undefined) return open(command.open);
  if (command.points !== undefined) return evaluate(command.points);
  plane?.dispose();
  evaluator?.dispose();
  return {};
}

async function main(): Promise<void> {
  backend = (await selectBackend({ backend: process.env.TFJS_LANDSCAPE_BACKEND as BackendChoice })).name;
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Command))}\n`);
  }
}

void main();

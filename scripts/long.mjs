// `npm run long [-- --share 0.1]`: does memory stay flat? 2,000 epochs with a live view, 200 surfaces, and `watch` beside
// a training of an hour of epochs. Prints a table of memory and its slope over the second half. Then the faults of a queue,
// twenty times (needs redis-server). Not part of CI.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ensureBuilt, ensureInstalled, root } from "./prepare-checkout.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { share: { type: "string", default: "1" } },
});
const share = Number(values.share);
const [task, directory, count] = positionals;
const megabytes = () => process.memoryUsage().rss / 2 ** 20;

/** Another process collects its garbage when it likes: the least memory in each of forty stretches is what it holds. */
function floorsOf(samples) {
  const length = Math.max(1, Math.ceil(samples.length / 40));
  return Array.from({ length: Math.ceil(samples.length / length) }, (_, i) =>
    samples.slice(i * length, (i + 1) * length).reduce((a, b) => (b[1] < a[1] ? b : a)),
  );
}

/** Megabytes per unit over the second half of the samples [unit, megabytes]: least squares. */
function slopeOf(samples) {
  const half = samples.slice(samples.length >> 1);
  const mean = (of) => half.reduce((sum, sample) => sum + of(sample), 0) / half.length;
  const [x, y] = [mean(([unit]) => unit), mean(([, value]) => value)];
  const spread = half.reduce((sum, [unit]) => sum + (unit - x) ** 2, 0);
  return half.reduce((sum, [unit, value]) => sum + (unit - x) * (value - y), 0) / (spread || 1);
}

function tell(what, samples) {
  const [first, last] = [samples[0]?.[1] ?? 0, samples.at(-1)?.[1] ?? 0];
  const facts = { what, units: samples.at(-1)?.[0] ?? 0, first, last, slope: slopeOf(samples) };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

async function tinyModel() {
  const tf = await import("@tensorflow/tfjs");
  const { loadData } = await import("../test/cli/fixtures/tiny-data.js");
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 32, inputShape: [3], activation: "tanh" }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.001), loss: "categoricalCrossentropy" });
  return { tf, model, data: loadData() };
}

/** Trains so many epochs and samples this process's memory; with a live view where that is asked for. */
async function train(live, pause) {
  const { tf, model, data } = await tinyModel();
  const { trajectoryCallback } = await import("../dist/callbacks/index.js");
  const samples = [];
  class Sample extends tf.CustomCallback {
    async onEpochEnd(epoch) {
      if (epoch % Math.max(1, Math.round(count / 100)) === 0) {
        globalThis.gc?.();
        samples.push([epoch, megabytes()]);
      }
      if (pause > 0) await sleep(pause);
    }
  }
  const callback = trajectoryCallback({ directory, name: "long", live });
  await model.fit(data.xs, data.ys, {
    epochs: Number(count),
    verbose: 0,
    callbacks: [callback, new Sample({})],
  });
  tell(live ? "epochs with a live view" : "epochs", samples);
}

async function surfaces() {
  const { tf, model, data } = await tinyModel();
  const { createLossEvaluator } = await import("../dist/src/index.js");
  const { evaluateSurface } = await import("../dist/src/doors/surface.js");
  const { layoutOfModel } = await import("../dist/src/model/layout-of-model.js");
  await tf.setBackend("cpu");
  const layout = layoutOfModel(model);
  const vector = (scale) =>
    Float32Array.from({ length: layout.parameterCount }, (_, i) => scale * Math.sin(i * scale));
  const directions = {
    kind: "custom",
    center: vector(0.3),
    vectors: [vector(0.1), vector(0.2)],
    labels: ["a", "b"],
  };
  const grid = { alpha: Float64Array.of(-1, -0.5, 0, 0.5, 1), beta: Float64Array.of(-1, -0.5, 0, 0.5, 1) };
  const samples = [];
  for (let i = 0; i < Number(count); i++) {
    const evaluator = await createLossEvaluator(model, data, { layout, engine: "tfjs" });
    const more = { explainedVarianceRatio: null, randomWalkBaseline: null, warnings: [] };
    await evaluateSurface(evaluator, { ...directions, ...more }, grid);
    evaluator.dispose();
    globalThis.gc?.();
    samples.push([i, megabytes()]);
  }
  tell("surfaces", samples);
}

/** Memory of another process, from /proc. */
function memoryOf(pid) {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

/** `watch` with a reader, beside a training. */
async function watch(folder, epochs) {
  const self = join(root, "scripts/long.mjs");
  const training = spawn(process.execPath, [self, "paced", folder, String(epochs)], { stdio: "ignore" });
  while (!existsSync(join(folder, "run.json")) && training.exitCode === null) await sleep(200);
  const watcher = spawn(process.execPath, [join(root, "bin/tfjs-landscape.js"), "watch", folder, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [text] = await once(watcher.stdout.setEncoding("utf8"), "data");
  const reader = get(`${JSON.parse(text).url}events`, (response) => response.resume());
  const samples = [];
  for (let second = 0; training.exitCode === null && watcher.exitCode === null; second++) {
    samples.push([second, memoryOf(watcher.pid)]);
    await sleep(1000);
  }
  const snapshots = readdirSync(join(folder, "snapshots")).filter((name) => name.endsWith(".arrow")).length;
  reader.destroy();
  watcher.kill("SIGINT");
  await once(watcher, "exit");
  tell(`watch beside ${epochs} epochs, ${snapshots} snapshots (seconds)`, floorsOf(samples));
}

async function all() {
  ensureInstalled();
  ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), "landscape-long-"));
  const self = ["--expose-gc", join(root, "scripts/long.mjs")];
  const run = async (...args) => {
    const child = spawn(process.execPath, [...self, ...args], { stdio: "inherit" });
    await once(child, "exit");
  };
  try {
    await run("live", join(folder, "live"), String(Math.round(2000 * share)));
    await run("surfaces", folder, String(Math.round(200 * share)));
    // An hour of epochs of a second each, at twenty a second.
    await watch(join(folder, "watched"), Math.round(3600 * share));
    const faults = [join(root, "scripts/faults.mjs"), "faults", "test/faults/queue.test.ts"];
    const cases = ["--cases", String(Math.max(1, Math.round(20 * share)))];
    await once(spawn(process.execPath, [...faults, ...cases], { stdio: "inherit" }), "exit");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (task === "live") await train(true, 0);
else if (task === "paced") await train(false, 50);
else if (task === "surfaces") await surfaces();
else if (task === "watch") await watch(directory, Number(count));
else await all();

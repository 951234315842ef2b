import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const backend = await useTestBackend();
const newFolder = temporaryFolders();
const first = newFolder();
const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));
const data = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));

function madeFolder(): string {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  return folder;
}

const watcher = join(madeFolder(), "watch.cjs");

/** What a process of its own says, and whether it has loaded TensorFlow. */
function surface(run: string, size: number, ...more: string[]) {
  const loaded = join(madeFolder(), "loaded.json");
  const args = ["--require", watcher, bin, "surface", run, "--size", String(size), "--json"];
  const given = [...args, ...(more.includes("--data") ? [] : ["--data", data]), ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, {
    encoding: "utf8",
    env: { ...process.env, LOADED: loaded },
  });
  expect(status, stderr).toBe(0);
  const libraries: string[] = JSON.parse(readFileSync(loaded, "utf8"));
  return { stdout, stderr, hasTensorFlow: libraries.some((file) => file.includes("tfjs_binding")) };
}

function copyOf(directory: string): string {
  const copy = newFolder();
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** The file of the kept values, changed. */
function change(run: string, by: (text: string) => string): void {
  const folder = join(run, "checks");
  for (const name of readdirSync(folder)) {
    writeFileSync(join(folder, name), by(readFileSync(join(folder, name), "utf8")));
  }
}

beforeAll(async () => {
  if (backend !== "native") return;
  writeFileSync(
    watcher,
    `process.on("exit", () => {
      require("node:fs").writeFileSync(process.env.LOADED, JSON.stringify(process.report.getReport().sharedObjects));
    });`,
  );
  const { xs, ys } = loadData();
  const callbacks = [trajectoryCallback({ directory: first, name: "tiny" })];
  // Batch norm's statistics would be recalibrated, and compared with own ops at each surface.
  const layers = [
    tf.layers.dense({ units: 4, activation: "tanh", inputShape: [3] }),
    tf.layers.dense({ units: 2, activation: "softmax" }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  await model.fit(xs, ys, { epochs: 4, verbose: 0, callbacks });
  // The engine of all later calls.
  surface(first, 6, "--engine", "onnx", "--batch-size", "24", "--threads", "1");
});

const same = ["--engine", "onnx", "--batch-size", "24", "--threads", "1"];

describe.skipIf(backend !== "native")("a later call on a run, with native TensorFlow", () => {
  test("does not load it where no operation needs it, and gives the same bits", () => {
    const later = surface(copyOf(first), 7, ...same);
    expect(later.hasTensorFlow).toBe(false);
    expect(later.stderr).toMatch(/backend native \(.+\): is loaded when an operation needs it/);
    const anew = copyOf(first);
    change(anew, () => "");
    const eager = surface(anew, 7, ...same);
    expect(eager.hasTensorFlow).toBe(true);
    expect(later.stdout).toBe(eager.stdout);
  });

  test("computes by own ops what was kept and does not fit, and says nothing: the engine is right", () => {
    const run = copyOf(first);
    change(run, (text) => text.replaceAll(/"loss": [\d.]+/g, '"loss": 77'));
    const { hasTensorFlow, stdout } = surface(run, 7, ...same);
    expect(hasTensorFlow).toBe(true);
    expect(stdout).toBe(surface(copyOf(first), 7, ...same).stdout);
    change(run, (text) => {
      expect(text).not.toContain('"loss": 77');
      return text;
    });
  });

  test("loads it at once where it is not the addon of then, and where a broken one would have to be reported", () => {
    const run = copyOf(first);
    change(run, (text) => text.replace(/"size": \d+/, '"size": 1'));
    const { hasTensorFlow, stderr } = surface(run, 7, ...same);
    expect(hasTensorFlow).toBe(true);
    expect(stderr).not.toContain("is loaded when");
  });

  test("loads it at an operation of the data module", () => {
    const file = join(madeFolder(), "computing-data.mjs");
    writeFileSync(
      file,
      `import * as tf from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs"))};
      import * as own from ${JSON.stringify(data)};
      export function loadData() {
        const { xs, ys } = own.loadData();
        return { xs: xs.mul(2).div(2), ys };
      }`,
    );
    const { hasTensorFlow, stderr, stdout } = surface(copyOf(first), 7, ...same, "--data", file);
    expect(hasTensorFlow).toBe(true);
    expect(stderr).toMatch(/is loaded when an operation needs it[\s\S]*backend native/);
    expect(JSON.parse(stdout).loss).toEqual(JSON.parse(surface(copyOf(first), 7, ...same).stdout).loss);
  });
});

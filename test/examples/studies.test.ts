import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corruptLabels, shuffledBatches } from "../../examples/data/images.js";
import { imageShape } from "../../examples/studies/study.js";
import {
  createStudyNetwork,
  loadNetworkImages,
  STUDY_NETWORKS,
} from "../../examples/studies/study-network.js";
import { studyOptions } from "../../examples/studies/study-options.js";
import { openRun } from "../../src/store/run/open-run.js";
import { importSweep, planSweep } from "../../src/training/sweep-module.js";
import { useTestBackend } from "../support/backend.js";
import { runCommandProcess } from "../support/command-line.js";

// Runs the studies against the compiled package: `npm run build` first.
const root = fileURLToPath(new URL("../..", import.meta.url));
const jiti = join(root, "node_modules/jiti/lib/jiti-cli.mjs");
const folder = mkdtempSync(join(tmpdir(), "landscape-studies-"));

beforeAll(async () => {
  await useTestBackend();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function study(name: string): { readonly out: string; readonly lines: readonly string[] } {
  const out = join(folder, name);
  const args = [jiti, join(root, `examples/studies/${name}.ts`), "--quick", "--out", out];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return { out, lines: readFileSync(join(out, "results.txt"), "utf8").trim().split("\n") };
}

const loadSmallImages = (split: "train" | "test", count: number) =>
  loadNetworkImages({ network: "mlp", data: "mnist", images: count, half: true }, split, count);

function digits(labels: tf.Tensor2D): number[] {
  return Array.from(labels.argMax(1).dataSync());
}

describe("the studies' data", () => {
  test("a share of the labels is replaced by other digits, by the seed", () => {
    const truth = loadSmallImages("train", 400);
    expect(truth.xs.shape).toEqual([400, 196]);
    const wrong = corruptLabels(truth, 0.5, 1);
    const changed = digits(wrong.ys).filter((digit, i) => digit !== digits(truth.ys)[i]);
    expect(changed.length / 400).toBeGreaterThan(0.42);
    expect(changed.length / 400).toBeLessThan(0.58);
    expect(digits(corruptLabels(truth, 0.5, 1).ys)).toEqual(digits(wrong.ys));
    expect(digits(corruptLabels(truth, 0, 1).ys)).toEqual(digits(truth.ys));
    const all = digits(corruptLabels(truth, 1, 2).ys);
    expect(all.some((digit, i) => digit === digits(truth.ys)[i])).toBe(false);
  });

  test("batches hold every image once an epoch, in another order each time", async () => {
    const images = loadSmallImages("train", 50);
    const epochs = shuffledBatches(images, { batchSize: 16, seed: 3 });
    const pass = async () => {
      const seen: number[][] = [];
      await epochs.forEachAsync((batch) => {
        seen.push(digits((batch as unknown as typeof images).ys));
      });
      return seen;
    };
    const [first, second] = [await pass(), await pass()];
    expect(first.map(({ length }) => length)).toEqual([16, 16, 16, 2]);
    expect(first.flat().sort()).toEqual(digits(images.ys).sort());
    expect(second).not.toEqual(first);
  });
});

describe("studies at another size", () => {
  const flags = { quick: false, workers: "2", backend: "wasm", full: false };
  const defaults = { network: "mlp", data: "mnist", images: 500 } as const;

  test("options say network, data, images and epochs; what cannot be is named", () => {
    const small = studyOptions("own", defaults, flags);
    expect(small).toMatchObject({ ...defaults, half: true, epochs: undefined, workers: 2 });
    const asked = { ...flags, full: true, network: "vgg9", data: "cifar", images: "50000", epochs: "300" };
    expect(studyOptions("own", defaults, asked)).toMatchObject({
      ...{ network: "vgg9", data: "cifar", images: 50_000, epochs: 300, half: false },
    });
    const message = (more: object, known: Parameters<typeof studyOptions>[1] = defaults) => {
      try {
        return studyOptions("own", known, { ...flags, ...more });
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message({ network: "vgg" })).toBe(
      "--network: expected one of mlp, lenet, vgg9, wide-resnet, got vgg",
    );
    expect(message({ images: "many" })).toBe("--images: expected a whole number above 0, got many");
    expect(message({ quick: true, epochs: "3" })).toBe("--epochs: expected none beside --quick, got 3");
    expect(message({ network: "mlp" }, { ...defaults, network: "lenet", networks: ["lenet", "vgg9"] })).toBe(
      "--network: expected one of lenet, vgg9, got mlp",
    );
    expect(message({ network: "mlp" }, { data: "mnist", images: 1 })).toBe(
      "--network: expected none, since own has networks of its own, got mlp",
    );
  });

  test.each(STUDY_NETWORKS)("%s takes the images that are loaded for it", (network) => {
    const settings = { network, data: "mnist", images: 2, half: true };
    const { xs, ys } = loadNetworkImages(settings, "train", 2);
    const model = createStudyNetwork(network, { shape: imageShape(settings), seed: 1 });
    expect((model.predict(xs) as tf.Tensor).shape).toEqual(ys.shape);
    model.dispose();
  });
});

describe("studies with --quick", () => {
  test("memorization: jumps around both optima, their embeddings and numbers", async () => {
    const { out, lines } = study("memorization");
    for (const name of ["good", "memorizing"]) {
      expect(lines.some((line) => line.startsWith(`${name}, the optimum: training loss`))).toBe(true);
      for (const seed of [0, 1]) {
        const run = await openRun(join(out, `${name}-jumps`, `seed-${seed}_step-0.5`));
        expect(Object.keys(run.snapshots[0]?.logs ?? {})).toContain("test_loss");
      }
    }
    for (const name of ["good", "memorizing"]) {
      const quality = lines.filter((line) => line.startsWith(name) && line.includes("trustworthiness"));
      expect(quality).toHaveLength(4);
      expect(lines.some((line) => line.startsWith(`${name}, test loss:`) && line.includes("basins"))).toBe(
        true,
      );
      expect(existsSync(join(out, `${name}-phate-test-loss.png`))).toBe(true);
    }
    expect(lines.at(-1)).toMatch(/^both, pca: the first axis holds [\d.]+ % of the variance$/);
    expect(existsSync(join(out, "both-pca-test-loss.png"))).toBe(true);
    expect(existsSync(join(out, "report.html"))).toBe(true);
  }, 180_000);

  test("initialisations: SGD and Adam from each start in one embedding", async () => {
    const { out, lines } = study("initialisations");
    expect(lines.filter((line) => /^(SGD|Adam), initialisation [12]: train loss/.test(line))).toHaveLength(4);
    const [sgd, adam, other] = await Promise.all(
      ["sgd-initialisation-1", "adam-initialisation-1", "sgd-initialisation-2"].map(async (name) =>
        (await openRun(join(out, name))).readTheta(0),
      ),
    );
    expect(adam).toEqual(sgd);
    expect(other).not.toEqual(sgd);
    expect(existsSync(join(out, "initialisations-phate-training-loss.png"))).toBe(true);
    expect(existsSync(join(out, "report.html"))).toBe(true);
  }, 180_000);

  test("prediction space: three shapes of networks in one picture", () => {
    const { out, lines } = study("prediction-space");
    expect(lines[0]).toMatch(/^inpca: explained stress 0\.\d+, trustworthiness/);
    expect(lines[1]).toMatch(/^phate: normalized stress/);
    for (const name of ["inpca.png", "phate.png", "report.html"])
      expect(existsSync(join(out, name))).toBe(true);
  }, 180_000);

  test("trajectories: one path on three kinds of planes, and how much of it they hold", () => {
    const { out, lines } = study("trajectories");
    const shares = lines.flatMap((line) => {
      const [, name, plane, share] = /^(SGD|Adam), (.*?): ([\d.]+) % of the variance/.exec(line) ?? [];
      return name === undefined ? [] : [{ name, plane, share: Number(share) }];
    });
    expect(shares).toHaveLength(6);
    for (const name of ["SGD", "Adam"]) {
      const [random, start, pca] = shares.filter((one) => one.name === name).map(({ share }) => share);
      // Two of some thousand random directions hold next to nothing, and no plane holds more than that of PCA.
      expect(random).toBeLessThan(1);
      expect(start).toBeLessThanOrEqual(pca as number);
      expect(pca).toBeGreaterThan(50);
    }
    expect(lines[2]).toMatch(/a random walk [\d.]+ %/);
    for (const name of ["sgd-pca.png", "adam-ineffective-initial.png", "report.html"])
      expect(existsSync(join(out, name))).toBe(true);
    // A run of other settings is not taken for what is asked.
    const args = [jiti, join(root, "examples/studies/trajectories.ts"), "--quick", "--out", out];
    const other = spawnSync(process.execPath, [...args, "--network", "vgg9"], {
      cwd: root,
      encoding: "utf8",
    });
    expect([other.status, other.stderr]).toEqual([
      1,
      expect.stringMatching(/expected .*vgg9.*, got .*lenet/),
    ]);
  }, 180_000);
});

describe("studies that are sweeps", () => {
  const file = (name: string): string => join(root, `examples/studies/${name}.ts`);

  test.each([
    ["batch-size", 8],
    ["skip-connections", 6],
    ["width", 6],
    ["repeatability", 10],
    ["corrupted-labels", 3],
  ])("%s plans %i trainings", async (name, count) => {
    expect(planSweep(await importSweep(file(name)), name).settings).toHaveLength(count);
  });

  test.each([
    [
      "batch-size",
      ["optimizer=sgd", "batchSize=32,64", "weightDecay=0.005", "images=64"],
      ["sgd-random-planes", "sgd-random-lines", "sgd-interpolation-0.005", "sgd-norms", "sgd-histogram"],
    ],
    [
      "skip-connections",
      ["skip=false", "depth=8", "width=0.25", "images=64"],
      ["random-planes", "random-lines"],
    ],
    ["repeatability", ["seed=3", "images=64"], ["random-planes", "ten-directions"]],
    ["corrupted-labels", ["corrupted=0.5", "images=64"], []],
  ])(
    "%s trains on a few digits, and its page has the figures of the study",
    (name, values, figures) => {
      const set = [...values, "data=mnist", "epochs=1"].flatMap((value) => ["--set", value]);
      const out = join(folder, `sweep-${name}`);
      const args = ["--backend", "wasm", "--format", "svg", "--json", "--out", out];
      const { status, stdout, stderr } = runCommandProcess("sweep", file(name), ...args, ...set);
      expect(status, stderr).toBe(0);
      expect(stderr).not.toContain("sweep-figures");
      const answer = JSON.parse(stdout) as {
        files: string[];
        runs: { status: string; figures: Record<string, number> }[];
      };
      for (const run of answer.runs) {
        expect(run.status, stderr).toBe("made");
        expect(run.figures.test_acc).toBeGreaterThanOrEqual(0);
        expect(run.figures.test_loss).toBeGreaterThan(0);
      }
      const drawn = answer.files.map((one) => basename(one, ".svg"));
      expect(drawn).toEqual(expect.arrayContaining(figures));
      const tables = readdirSync(out).filter((one) => one.endsWith("sharpness.csv"));
      expect(tables).toHaveLength(figures.some((one) => one.endsWith("planes")) ? 1 : 0);
      for (const table of tables) {
        const [, first = ""] = readFileSync(join(out, table), "utf8").split("\n");
        const numbers = first
          .slice(first.lastIndexOf('"') + 2)
          .split(",")
          .map(Number);
        expect(numbers).toHaveLength(6);
        expect(numbers.every(Number.isFinite)).toBe(true);
      }
    },
    180_000,
  );
});

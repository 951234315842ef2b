import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { openRun } from "../../src/store/run/open-run.js";
import { snapshotPath } from "../../src/store/run/snapshot-schema.js";
import { type JumpStudy, jumpAndRetrain } from "../../src/training/jump-and-retrain.js";
import type { JumpOptions } from "../../src/training/jump-options.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let data: ReturnType<typeof tinyData>;
let model: tf.Sequential;

beforeAll(async () => {
  await useTestBackend();
  data = tinyData();
  model = tinyModel(tf.train.momentum(0.1, 0.9));
  await model.fit(data.xs, data.ys, { epochs: 3, verbose: 0 });
});

let tensors = 0;
afterEach(() => {
  const expected = tensors;
  tensors = 0;
  if (expected > 0) expect(tf.memory().numTensors).toBe(expected);
});

/** Small jumps on the tiny data; from here to the end of the test no tensor may be left over. */
function small(options: Partial<JumpOptions> = {}, folder = newFolder()): Promise<JumpStudy> {
  tensors ||= tf.memory().numTensors;
  const chosen = { seeds: [0, 3], distances: [0.5], epochs: 2, batchSize: 5, learningRate: 0.05, ...options };
  return jumpAndRetrain(model, { train: data }, { directory: folder, ...chosen });
}

/** θ of every state of every run. */
async function thetas({ runs }: JumpStudy): Promise<number[][][]> {
  return Promise.all(
    runs.map(async ({ directory, states }) => {
      const run = await openRun(directory);
      const rows = await Promise.all(states.map((_, index) => run.readTheta(index)));
      await run.close();
      return rows.map((row) => Array.from(row));
    }),
  );
}

/** What an optimizer with momentum has gathered. */
function momenta(optimizer: tf.Optimizer): number[][] {
  const { accumulations } = optimizer as unknown as { accumulations: { variable: tf.Variable }[] };
  return accumulations.map(({ variable }) => Array.from(variable.dataSync()));
}

/** When each state of each run was recorded. */
async function times({ runs }: JumpStudy): Promise<number[][]> {
  return Promise.all(
    runs.map(async ({ directory }) => (await openRun(directory)).snapshots.map(({ time }) => time)),
  );
}

describe("the jump", () => {
  test("each filter is displaced by s times its norm, biases and batch norm by nothing", async () => {
    const { runs } = await small({ seeds: [7], distances: [0.25, 1], epochs: 1 });
    const layout = layoutOfModel(model);
    const origin = readWeightsSync(model, layout);
    for (const { directory, distance } of runs) {
      const theta = await (await openRun(directory)).readTheta(0);
      for (const { role, offset, size, shape } of layout.parameters) {
        const [rows, filters] = role === "kernel" ? (shape as [number, number]) : [size, 0];
        const moved = theta.slice(offset, offset + size).map((value, i) => value - (origin[offset + i] ?? 0));
        if (filters === 0) expect(moved.every((value) => value === 0)).toBe(true);
        for (let f = 0; f < filters; f++) {
          let [far, own] = [0, 0];
          for (let r = 0; r < rows; r++) {
            far += (moved[r * filters + f] as number) ** 2;
            own += (origin[offset + r * filters + f] as number) ** 2;
          }
          expect(Math.sqrt(far / own)).toBeCloseTo(distance, 5);
        }
      }
    }
  });

  test("sizes of one seed lie on one line through the optimum; another seed on another", async () => {
    const study = await small({ seeds: [0, 1], distances: [0.25, 0.5], epochs: 1 });
    const origin = Array.from(readWeightsSync(model, layoutOfModel(model)));
    const [near, far, other] = (await thetas(study)).map((rows) => rows[0] as number[]);
    const away = (row: number[] | undefined) => (row ?? []).map((value, i) => value - (origin[i] as number));
    const twice = away(near).map((value) => 2 * value);
    away(far).forEach((value, i) => {
      expect(value).toBeCloseTo(twice[i] as number, 5);
    });
    expect(away(other)).not.toEqual(away(near));
  });
});

describe("retraining", () => {
  test("the first updates are those of TF.js's own fitDataset on the same batches", async () => {
    const { runs } = await small({
      seeds: [2],
      epochs: 2,
      batchSize: 12,
      weightDecay: 0,
      optimizer: "sgd",
      learningRate: 0.1,
    });
    const [path] = await thetas({ runs } as JumpStudy);
    const twin = tinyModel(tf.train.sgd(0.1));
    tensors = 0;
    const layout = layoutOfModel(twin);
    const { assignWeights } = await import("../../src/model/bound-weights.js");
    assignWeights(twin, layout, Float32Array.from(path?.[0] ?? []));
    for (const state of [1, 2]) {
      await twin.fit(data.xs, data.ys, { epochs: 1, batchSize: 12, shuffle: false, verbose: 0 });
      const expected = readWeightsSync(twin, layout);
      // One batch of all samples: their order changes rounding only.
      path?.[state]?.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] as number, 5);
      });
    }
    twin.dispose();
  });

  test("weight decay alone shrinks every trainable weight by 1 - rate·decay an update", async () => {
    const zeros = { xs: tf.zeros([4, 3]), ys: tf.zeros([4, 2]) };
    const linear = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    linear.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const { runs } = await jumpAndRetrain(
      linear,
      { train: zeros },
      {
        directory: newFolder(),
        seeds: [0],
        distances: [1],
        epochs: 3,
        batchSize: 4,
        optimizer: "sgd",
        learningRate: 0.5,
        weightDecay: 0.2,
      },
    );
    const [rows] = await thetas({ runs } as JumpStudy);
    for (const epoch of [1, 2, 3]) {
      rows?.[epoch]?.forEach((value, i) => {
        expect(value).toBeCloseTo((rows[0]?.[i] as number) * 0.9 ** epoch, 6);
      });
    }
  });

  test("states: jump and each epoch, exact loss and metric on every set in the logs", async () => {
    const held = { xs: tf.randomNormal([6, 3], 0, 1, "float32", 3), ys: data.ys.slice(0, 6) };
    tensors = tf.memory().numTensors;
    const { runs } = await jumpAndRetrain(
      model,
      { train: data, validation: held, test: held },
      { directory: newFolder(), seeds: [0], distances: [0.5], epochs: 3, batchSize: 5 },
    );
    const [run] = runs;
    expect(run?.states.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3]);
    expect(run?.states.map(({ iteration }) => iteration)).toEqual([0, 3, 6, 9]);
    const evaluator = await createModelEvaluator(model, data);
    const [rows] = await thetas({ runs } as JumpStudy);
    for (const [index, { logs }] of (run?.states ?? []).entries()) {
      const { loss, metrics } = await evaluator.evaluate(Float32Array.from(rows?.[index] ?? []));
      expect([logs.loss, logs.acc]).toEqual([loss, metrics.acc]);
      expect(logs.val_loss).toBe(logs.test_loss);
      expect(Object.keys(logs).sort()).toEqual(
        ["acc", "loss", "test_acc", "test_loss", "val_acc", "val_loss"].sort(),
      );
    }
    evaluator.dispose();
    expect(run?.states.at(-1)?.logs.loss).toBeLessThan(run?.states[0]?.logs.loss as number);
  });

  test("a tf.data.Dataset of batches gives what its tensors give", async () => {
    const whole = await small({ seeds: [1] });
    const dataset = tf.data
      .array([0, 4, 8].map((start) => ({ xs: data.xs.slice(start, 4), ys: data.ys.slice(start, 4) })))
      .map((batch) =>
        tf.tidy(() => ({ xs: (batch as typeof data).xs.clone(), ys: (batch as typeof data).ys.clone() })),
      );
    tensors = tf.memory().numTensors;
    const same = await jumpAndRetrain(
      model,
      { train: dataset as never },
      { directory: newFolder(), seeds: [1], distances: [0.5], epochs: 2, batchSize: 5, learningRate: 0.05 },
    );
    expect(await thetas(same)).toEqual(await thetas(whole));
  });
});

describe("randomness", () => {
  test("the same seed gives the same bits, another one others", async () => {
    const [first, again] = [await small(), await small()];
    expect(await thetas(again)).toEqual(await thetas(first));
    expect(again.runs.map(({ states }) => states.map(({ logs }) => logs))).toEqual(
      first.runs.map(({ states }) => states.map(({ logs }) => logs)),
    );
    const [one, other] = await thetas(first);
    expect(other?.[1]).not.toEqual(one?.[1]);
  });

  test("dropout follows from the seed and differs from update to update", async () => {
    const dropping = tf.sequential({
      layers: [
        tf.layers.dense({ units: 16, inputShape: [3], activation: "relu" }),
        tf.layers.dropout({ rate: 0.5 }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    dropping.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const settings = { seeds: [4], distances: [0.5], epochs: 2, optimizer: "sgd", weightDecay: 0 } as const;
    const sample = { xs: data.xs.slice(0, 1), ys: data.ys.slice(0, 1) };
    const train = () => jumpAndRetrain(dropping, { train: sample }, { ...settings, directory: newFolder() });
    const [first, again] = [await train(), await train()];
    expect(await thetas(again)).toEqual(await thetas(first));
    expect(first.warnings.map(({ code }) => code)).not.toContain("unseeded-layers");
    // A dropped unit keeps its weights; two updates hardly ever drop the same of 16.
    const [rows] = await thetas(first);
    const still = (state: number) =>
      Array.from({ length: 48 }, (_, i) => rows?.[state]?.[i] === rows?.[state - 1]?.[i]);
    expect(still(1)).not.toEqual(still(2));
  });

  test("layers that cannot be seeded are named", async () => {
    const noisy = tf.sequential({
      layers: [
        tf.layers.gaussianNoise({ stddev: 0.1, inputShape: [3], name: "noise" }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    noisy.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const { warnings } = await jumpAndRetrain(
      noisy,
      { train: data },
      {
        directory: newFolder(),
        seeds: [0, 1],
        distances: [0.5],
        epochs: 1,
      },
    );
    expect(warnings.filter(({ code }) => code === "unseeded-layers")).toHaveLength(1);
    expect(warnings.find(({ code }) => code === "unseeded-layers")?.message).toContain("noise");
  });
});

describe("the original", () => {
  test("model, optimizer and data are left as they were, also after a failure", async () => {
    const before = flatWeights(model);
    const { optimizer } = model;
    const state = () => momenta(optimizer);
    const momentum = state();
    await small();
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "seed-0_step-0.5"), "in the way");
    await expect(small({}, folder)).rejects.toThrow("expected a directory");
    expect(flatWeights(model)).toEqual(before);
    expect(model.optimizer).toBe(optimizer);
    expect(state()).toEqual(momentum);
    expect(data.xs.isDisposed || data.ys.isDisposed).toBe(false);
  });

  test("a loss function of one's own is used by the copies", async () => {
    const own = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    const loss = (yTrue: tf.Tensor, yPred: tf.Tensor) => yPred.sub(yTrue).square().mean(-1).mul(3);
    own.compile({ optimizer: "sgd", loss });
    const settings = { seeds: [0], distances: [0.5], epochs: 1, optimizer: "sgd", weightDecay: 0 } as const;
    const triple = await jumpAndRetrain(own, { train: data }, { ...settings, directory: newFolder() });
    own.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const plain = await jumpAndRetrain(own, { train: data }, { ...settings, directory: newFolder() });
    const first = ({ runs }: JumpStudy) => runs[0]?.states[0]?.logs.loss as number;
    expect(first(triple)).toBeCloseTo(3 * first(plain), 5);
  });
});

describe("resuming", () => {
  test("complete jumps are found, half-done ones made anew, more seeds and sizes added", async () => {
    const folder = newFolder();
    const first = await small({}, folder);
    const whole = await thetas(first);
    const [kept, broken] = first.runs;
    rmSync(snapshotPath(broken?.directory ?? "", 2));
    const wrote = await times({ ...first, runs: first.runs.slice(0, 1) });
    const second = await small({ distances: [0.5, 0.75] }, folder);
    expect(second.runs.map(({ seed, distance, status }) => [seed, distance, status])).toEqual([
      [0, 0.5, "found"],
      [0, 0.75, "made"],
      [3, 0.5, "made"],
      [3, 0.75, "made"],
    ]);
    expect(await times({ ...second, runs: second.runs.slice(0, 1) })).toEqual(wrote);
    expect(second.runs[0]?.states).toEqual(kept?.states);
    const again = await thetas(second);
    expect([again[0], again[2]]).toEqual(whole);
    expect(readdirSync(folder).sort()).toEqual(
      ["seed-0_step-0.5", "seed-0_step-0.75", "seed-3_step-0.5", "seed-3_step-0.75"].sort(),
    );
  });

  test("what was made from something else is refused by name before anything is written, or replaced", async () => {
    const folder = newFolder();
    const made = await small({}, folder);
    const before = await thetas(made);
    await expect(small({ epochs: 3 }, folder)).rejects.toThrow(
      /made with epochs 3, got one made with epochs 2/,
    );
    await expect(small({ learningRate: 0.1 }, folder)).rejects.toThrow(/optimizer .*0\.1.*0\.05/);
    await expect(small({ normalize: "layer" }, folder)).rejects.toThrow(/direction .*layer.*filter/);
    const changed = { xs: data.xs.add(1), ys: data.ys };
    const options = { directory: folder, seeds: [0, 3], distances: [0.5], epochs: 2, batchSize: 5 } as const;
    await expect(
      jumpAndRetrain(model, { train: changed }, { ...options, learningRate: 0.05 }),
    ).rejects.toThrow(/expected a jump made with train [0-9a-f]{12}, got one made with train [0-9a-f]{12}/);
    const other = tinyModel();
    await expect(jumpAndRetrain(other, { train: data }, { ...options, learningRate: 0.05 })).rejects.toThrow(
      /expected a jump made with weights [0-9a-f]{12}, got/,
    );
    tensors = 0;
    // A jump that does not exist yet is not made when a later one is refused.
    await expect(small({ seeds: [5, 0], epochs: 3 }, folder)).rejects.toThrow("epochs");
    expect(readdirSync(folder)).not.toContain("seed-5_step-0.5");
    expect(await thetas(made)).toEqual(before);
    const replaced = await small({ epochs: 3, overwrite: true }, folder);
    expect(replaced.runs.map(({ status, states }) => [status, states.length])).toEqual([
      ["made", 4],
      ["made", 4],
    ]);
  });

  test("a damaged jump is an error that names the file, or replaced", async () => {
    const folder = newFolder();
    const { runs } = await small({ seeds: [0] }, folder);
    const file = snapshotPath(runs[0]?.directory ?? "", 1);
    writeFileSync(file, "no arrow");
    await expect(small({ seeds: [0] }, folder)).rejects.toThrow(file);
    const again = await small({ seeds: [0], overwrite: true }, folder);
    expect(again.runs.map(({ status }) => status)).toEqual(["made"]);
  });

  test("a training's own run is not taken for a jump, nor one that was trained on", async () => {
    const folder = newFolder();
    const own = tinyModel();
    await own.fit(data.xs, data.ys, {
      epochs: 2,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory: join(folder, "seed-0_step-0.5") })],
    });
    await expect(small({}, folder)).rejects.toThrow("expected a jump or nothing, got the run of a training");
    tensors = 0;
    const other = newFolder();
    await small({ seeds: [0] }, other);
    tensors = 0;
    await own.fit(data.xs, data.ys, {
      epochs: 3,
      initialEpoch: 2,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory: join(other, "seed-0_step-0.5"), resume: true })],
    });
    await expect(small({ seeds: [0] }, other)).rejects.toThrow(/expected 3 snapshots of a jump, got \d/);
  });

  test("an aborted call keeps what is complete and goes on later", async () => {
    const folder = newFolder();
    const stop = new AbortController();
    const call = small({ signal: stop.signal, onProgress: () => stop.abort() }, folder);
    await expect(call).rejects.toThrow(/abort/i);
    const statuses = (await small({}, folder)).runs.map(({ status }) => status);
    expect(statuses).toEqual(["found", "made"]);
  });
});

describe("bad input", () => {
  const cases: readonly [Partial<JumpOptions>, string][] = [
    [{ optimizer: "lion" as never }, "optimizer: expected one of sgd, momentum, rmsprop, adam"],
    [{ optimizer: 3 as never }, "optimizer: expected a name or an optimizer of tf.train, got number"],
    [{ optimizer: "sgd", momentum: 0.9 }, 'momentum: expected none with optimizer "sgd", got 0.9'],
    [{ momentum: 1 }, "momentum: expected a number from 0 up to"],
    [{ learningRate: 0 }, "learningRate: expected a number above 0, got 0"],
    [{ distances: [0.5, 0] }, "distances: expected numbers above 0, got 0"],
    [{ distances: [-1] }, "distances: expected numbers above 0, got -1"],
    [{ distances: [] }, "distances: expected a list of at least one number, got []"],
    [{ seeds: [1, 1] }, "seeds: expected each number once, got 1 twice"],
    [{ seeds: [0.5] }, "seed: expected a safe integer, got 0.5"],
    [{ epochs: 0 }, "epochs: expected an integer of at least 1, got 0"],
    [{ batchSize: 1.5 }, "batchSize: expected an integer of at least 1, got 1.5"],
    [{ weightDecay: -1 }, "weightDecay: expected a number of at least 0, got -1"],
    [{ workers: 0 }, "workers: expected an integer of at least 1, got 0"],
    [{ workers: 2 }, "workers: expected 1 where the TypeScript sources run directly, got 2"],
    [{ loss: "exact" as never }, 'loss: expected "model" or "logits", got "exact"'],
    [{ normalize: "filters" as never }, "normalize: expected one of filter"],
    [{ directory: "" }, 'directory: expected a path, got ""'],
  ];
  test.each(cases)("%o", async (options, message) => {
    await expect(small(options)).rejects.toThrow(message);
  });

  test("models and data that cannot be retrained", async () => {
    const options = { directory: newFolder(), seeds: [0], distances: [0.5], epochs: 1 };
    const bare = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    await expect(jumpAndRetrain(bare, { train: data }, options)).rejects.toThrow(
      /expected a compiled loss, got none/,
    );
    await expect(jumpAndRetrain({} as never, { train: data }, options)).rejects.toThrow(
      "expected a LayersModel",
    );
    tensors = tf.memory().numTensors;
    await expect(jumpAndRetrain(model, data as never, options)).rejects.toThrow(
      "data: expected { train }, and perhaps validation and test, got { xs, ys }",
    );
    await expect(jumpAndRetrain(model, { train: { xs: data.xs } as never }, options)).rejects.toThrow(
      /train: ys: expected tensors for .*, got nothing/,
    );
    const wide = { xs: tf.zeros([4, 5]), ys: tf.zeros([4, 2]) };
    tensors = tf.memory().numTensors;
    await expect(jumpAndRetrain(model, { train: data, test: wide }, options)).rejects.toThrow(
      /test: xs\..*: expected shape \[\*, 3\], got \[4, 5\]/,
    );
    expect(readdirSync(join(options.directory, "..")).includes(options.directory)).toBe(false);
  });

  test("weights that are not finite", async () => {
    const broken = tinyModel();
    broken.weights[0]?.write(tf.fill([3, 4], Number.NaN));
    tensors = tf.memory().numTensors;
    await expect(
      jumpAndRetrain(broken, { train: data }, { directory: newFolder(), epochs: 1 }),
    ).rejects.toThrow("expected finite weights, got NaN");
  });

  test("a retraining that diverges is recorded as it is and named", async () => {
    const { runs, warnings } = await small({
      seeds: [0],
      optimizer: "sgd",
      learningRate: 1e30,
      epochs: 3,
    });
    expect(runs[0]?.states).toHaveLength(4);
    expect(warnings.find(({ code }) => code === "jump-diverged")?.message).toContain("seed 0 distance 0.5");
  });
});

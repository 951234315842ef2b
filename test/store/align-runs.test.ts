import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { LayoutError } from "../../src/base/errors.js";
import { assertSameLayout } from "../../src/model/layout.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { alignRuns } from "../../src/store/run/align-runs.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { sampleDescription, sampleSnapshot } from "./sample-run.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

async function recorded(model: tf.LayersModel): Promise<Run> {
  const directory = newFolder();
  const { xs, ys } = tinyData();
  const callbacks = [trajectoryCallback({ directory })];
  await model.fit(xs, ys, { epochs: 1, batchSize: 4, verbose: 0, callbacks });
  return openRun(directory);
}

function frozen(count: number): tf.Sequential {
  const model = tinyModel();
  for (const layer of model.layers.slice(0, count)) layer.trainable = false;
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  return model;
}

/** Weights by their place in the architecture. */
function byKey(run: Run, theta: Float32Array): Map<string, number[]> {
  return new Map(
    run.layout.parameters.map(({ key = "", offset, size }) => [
      key,
      [...theta.subarray(offset, offset + size)],
    ]),
  );
}

describe("alignRuns", () => {
  it("runs whose layouts differ only in trainable get the order of the first, weight by weight", async () => {
    const runs = [await recorded(frozen(2)), await recorded(frozen(0))] as const;
    expect(runs[0].layout.digest).not.toBe(runs[1].layout.digest);
    const aligned = alignRuns(runs);
    expect(aligned[0].layout.digest).toBe(aligned[1].layout.digest);
    const names = (run: Run) => run.layout.parameters.map(({ key }) => key);
    expect(names(aligned[0])).toEqual(names(runs[0]));
    expect(aligned[0].layout.parameters.filter(({ trainable }) => trainable)).toHaveLength(6);
    for (const [r, run] of runs.entries()) {
      const view = aligned[r] as Run;
      const own = byKey(run, await run.readTheta(1));
      const whole = await view.readTheta(1);
      expect(byKey(view, whole)).toEqual(
        new Map([...own].sort((a, b) => names(view).indexOf(a[0]) - names(view).indexOf(b[0]))),
      );
      for (let start = 0; start < whole.length; start += 3) {
        const part = new Float32Array(Math.min(11, whole.length - start));
        await view.readThetaInto(1, start, part);
        expect([...part]).toEqual([...whole.subarray(start, start + part.length)]);
      }
      await expect(view.readThetaInto(1, whole.length - 1, new Float32Array(2))).rejects.toThrow(
        /start: expected/,
      );
    }
  });

  it("such runs share a plane", async () => {
    const runs = [await recorded(frozen(2)), await recorded(frozen(0))];
    const { directions, trajectories } = await analyzePlane(
      runs,
      { kind: "pca" },
      { directory: newFolder() },
    );
    if (directions === null) throw new Error("expected directions");
    expect(directions.center).toHaveLength(runs[0]?.layout.parameterCount as number);
    // θ of the second run's end is where the plane's own arithmetic puts it.
    const last = await (alignRuns(runs)[1] as Run).readTheta(1);
    const [x] = directions.vectors as [Float32Array];
    const along = last.reduce(
      (sum, value, i) => sum + (value - (directions.center[i] as number)) * (x[i] as number),
      0,
    );
    expect(trajectories[1]?.coordinates[2]).toBeCloseTo(along, 4);
  });

  it("runs of equal layouts come back as they are, others are refused", async () => {
    const runs = [await recorded(frozen(0)), await recorded(frozen(0))];
    expect(alignRuns(runs)).toBe(runs);
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 2, inputShape: [3], activation: "softmax" })],
    });
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const other = await recorded(model);
    expect(() => alignRuns([runs[0] as Run, other])).toThrow(LayoutError);
  });
});

it("a difference in trainable alone is counted, not told as two equal descriptions", () => {
  const differing = () => assertSameLayout(layoutOfModel(frozen(1)), layoutOfModel(frozen(0)), "runs");
  expect(differing).toThrow(
    /^runs: expected the same weights to be trainable, got trainable: 2 of 8 differ \(.*kernel, .*bias\)$/,
  );
});

describe("what a run says of its weights when it is opened", () => {
  it("names a weight that is recorded as not trainable and moves", async () => {
    const directory = newFolder();
    const model = frozen(1);
    const layout = layoutOfModel(model);
    const writer = await createRunWriter(directory, sampleDescription(1, { layout }));
    for (let step = 0; step < 3; step++) {
      const theta = new Float32Array(layout.parameterCount);
      const { offset, size } = layout.parameters.find(
        ({ name }) => name === model.layers[0]?.weights[0]?.name,
      ) as never;
      theta.fill(step, offset, offset + size);
      await writer.writeSnapshot({ ...sampleSnapshot(step, 1), theta });
    }
    await writer.close();
    const { warnings } = await openRun(directory);
    expect(warnings.map(({ code }) => code)).toEqual(["frozen-moves"]);
    expect(warnings[0]?.message).toContain(
      `not trainable move between the snapshots: ${model.layers[0]?.weights[0]?.name}.`,
    );
  });

  it.each([
    ["float32", 1e-5, []],
    ["float16", 1e-5, ["float16-rounding"]],
    ["float16", 1e-1, []],
  ] as const)("%s, steps of %d: %j", async (dtype, length, codes) => {
    const directory = newFolder();
    const size = 3000;
    const writer = await createRunWriter(directory, sampleDescription(size, { dtype }));
    for (let step = 0; step < 12; step++) {
      const theta = Float32Array.from(
        { length: size },
        (_, i) => Math.sin(i) + length * step * Math.cos(7 * i),
      );
      await writer.writeSnapshot({ ...sampleSnapshot(step, 1), theta });
    }
    await writer.close();
    const { warnings } = await openRun(directory);
    expect(warnings.map(({ code }) => code)).toEqual(codes);
    if (codes.length > 0)
      expect(warnings[0]?.message).toMatch(/makes up about (all|\d+ %) of the squared length/);
  });
});

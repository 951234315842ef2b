import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { alignedRuns, permutedRun } from "../../src/analysis/aligned-runs.js";
import { inversePermutation, randomPermutation } from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { loadData } from "../cli/fixtures/tiny-data.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders, type tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const folders: string[] = [];
const module = new URL("../cli/fixtures/tiny-data.js", import.meta.url).pathname;
let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;
let run: Run;

beforeAll(async () => {
  await useTestBackend();
  data = loadData() as ReturnType<typeof tinyData>;
  for (const name of ["first", "second"]) {
    model = tinyModel(tf.train.adam(0.05));
    const directory = newFolder();
    folders.push(directory);
    await model.fit(data.xs, data.ys, {
      epochs: 4,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory, name })],
    });
  }
  run = await openRun(folders[0]);
});

describe("aligned runs", () => {
  test("a permuted copy of a run comes back to it, at every snapshot", async () => {
    const groups = permutationGroups(model, run.layout);
    const permutation = randomPermutation(groups, 3);
    const copy = { ...permutedRun(run, groups, permutation), manifest: { ...run.manifest, name: "copy" } };
    const evaluator = await createLossEvaluator(model, data, { engine: "tfjs", layout: run.layout });
    const found = await alignedRuns([run, copy], model, data, { set: { name: "train", evaluator } });
    for (const [i] of run.snapshots.entries()) {
      expect(await found.runs[1].readTheta(i)).toEqual(await run.readTheta(i));
      const [part, own] = [new Float32Array(7), new Float32Array(7)];
      await found.runs[1].readThetaInto(i, 5, part);
      await run.readThetaInto(i, 5, own);
      expect(part).toEqual(own);
    }
    expect(found.sentences[0]).toMatch(
      /^Units of copy matched to those of first by weights on the final weights/,
    );
    expect(found.sentences[0]).toMatch(
      /distance from \d\S* to 0\.000, barrier of the train loss from \S+ to \S+ /,
    );
    evaluator.dispose();
  });

  test("a permuted view has digests of its own, and undoes its inverse", async () => {
    const groups = permutationGroups(model, run.layout);
    const permutation = randomPermutation(groups, 1);
    const view = permutedRun(run, groups, permutation);
    expect(await view.digest()).not.toBe(await run.digest());
    expect(view.thetaDigest(0)).not.toBe(run.thetaDigest(0));
    const back = permutedRun(view, groups, inversePermutation(permutation));
    expect(await back.readTheta(2)).toEqual(await run.readTheta(2));
    // What is read may be changed by the reader.
    (await view.readTheta(1)).fill(0);
    expect(await view.readTheta(1)).not.toEqual(new Float32Array(run.layout.parameterCount));
    await expect(view.readThetaInto(0, run.layout.parameterCount, new Float32Array(2))).rejects.toThrow();
  });

  test("says that runs of one start begin apart", async () => {
    const groups = permutationGroups(model, run.layout);
    const other = await openRun(folders[1]);
    const shared = {
      ...other,
      readTheta: async (index: number) => (index === 0 ? run.readTheta(0) : other.readTheta(index)),
    };
    const { sentences } = await alignedRuns([run, shared], model, data);
    expect(groups.groups).toHaveLength(1);
    expect(sentences[0]).toMatch(/Both runs began at the same weights, which are drawn apart\.$/);
  });

  test("compare --align offers both pictures, and says what was done", async () => {
    const out = newFolder();
    const { status, stdout, stderr } = await runCommand(
      ...["compare", ...folders, "--data", module, "--size", "4", "--seeds", "0", "--grid", "-1:1:3"],
      ...["--align", "--format", "svg", "html", "--out", out, "--json"],
    );
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const files = (JSON.parse(stdout).files as string[]).map((file) => file.slice(out.length + 1));
    expect(files).toEqual(expect.arrayContaining(["joint.svg", "joint-aligned.svg", "compare.html"]));
    expect(readFileSync(join(out, "compare.html"), "utf8")).toMatch(
      /Units of second matched to those of first by weights on the final weights/,
    );
  });
});

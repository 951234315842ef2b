import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { type AnalyzePlaneOptions, analyzePlane } from "../../src/analysis/analyze-plane.js";
import { embedRuns } from "../../src/analysis/embed.js";
import { isModelPoint, openSubject } from "../../src/analysis/model-point.js";
import type { PcaPlaneOptions } from "../../src/analysis/plane-directions.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { analyzeWeights } from "../../src/analysis/weights-stage.js";
import { InvalidOptionError } from "../../src/base/errors.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import { partOfRun, type Run } from "../../src/store/run/run.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { sampleDescription, sampleSnapshot } from "../store/sample-run.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const SIZE = 5;

beforeAll(() => useTestBackend());

/** Writes a run of the weights given. */
async function writeRun(thetas: readonly Float32Array[], name = "run"): Promise<Run> {
  const directory = newFolder();
  const writer = await createRunWriter(directory, sampleDescription(SIZE, { name }));
  for (const [step, theta] of thetas.entries()) {
    await writer.writeSnapshot({ ...sampleSnapshot(step, SIZE), theta });
  }
  await writer.close();
  return openRun(directory);
}

/** Six steps on an arc; the last ones are spoilt. */
function arc(count: number, spoil: (theta: Float32Array, step: number) => Float32Array = (theta) => theta) {
  return Array.from({ length: count }, (_, step) =>
    spoil(
      Float32Array.from({ length: SIZE }, (_, i) => (1 - step / count) * Math.cos(step / 3 + i) + 0.01 * i),
      step,
    ),
  );
}

const bowl = functionEvaluator((theta) => 0.1 + theta.reduce((sum, value) => sum + value * value, 0), SIZE);

function analyze(run: Run, options: AnalyzePlaneOptions & Pick<PcaPlaneOptions, "second" | "seed"> = {}) {
  const { second, seed, ...rest } = options;
  const sets = [{ name: "train", evaluator: bowl }];
  return analyzePlane([run], { kind: "pca", second, seed }, { sets, size: 5, ...rest });
}

describe("a run that diverged", () => {
  test.each([
    ["NaN", (theta: Float32Array) => theta.fill(Number.NaN)],
    ["infinite in one weight", (theta: Float32Array) => theta.with(2, Number.POSITIVE_INFINITY)],
    ["1e30", (theta: Float32Array) => theta.map((value) => 1e30 * value)],
  ])("to weights that are %s is drawn as far as it is finite, and the rest is named", async (_, spoil) => {
    const run = await writeRun(
      arc(7, (theta, step) => (step > 4 ? spoil(theta) : theta)),
      "wild",
    );
    const { figure, trajectories, runs, warnings, directions } = await analyze(run);
    expect(runs[0]?.snapshots.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
    expect(Array.from(directions?.center ?? [])).toEqual(Array.from(await run.readTheta(4)));
    const losses = await Promise.all(
      [0, 1, 2, 3, 4].map(async (i) => (await bowl.evaluate(await run.readTheta(i))).loss),
    );
    expect(Array.from(trajectories[0]?.trueLoss ?? [])).toEqual(losses);
    const message =
      "wild: 2 of 7 snapshots have diverged (weights that are not finite, or above 1e10) and are left out: steps 5, 6";
    expect(warnings).toContainEqual({ code: "diverged-snapshots", message });
    expect(figure?.caption).toContain(message);
    expect((await readFigures(run)).figures[0]?.figure).toEqual(figure);
    const random = await analyzePlane(
      [run],
      { kind: "random", normalize: "none", ignore: [] },
      { size: 3, sets: [{ name: "train", evaluator: bowl }] },
    );
    expect(random.figure?.title).toContain("wild at step 4");
  });
});

describe("a part of a run", () => {
  test("is analysed as a run that has no other snapshots, and shares its results", async () => {
    const thetas = arc(8);
    const run = await writeRun(thetas);
    const part = await analyze(run, { from: 2, until: 6 });
    expect(part.runs[0]?.snapshots.map(({ step }) => step)).toEqual([2, 3, 4, 5, 6]);
    const alone = await writeRun(thetas.slice(2, 7));
    const whole = await analyze(alone);
    expect(part.surfaces).toEqual(whole.surfaces);
    expect(part.trajectories).toEqual(whole.trajectories);
    expect(await part.runs[0]?.digest()).toBe(await alone.digest());
    expect((await readFigures(run)).figures[0]?.figure).toEqual(part.figure);
  });

  test("has weight statistics and embeddings of its own, beside those of the whole", async () => {
    const run = await writeRun(arc(12));
    const whole = await analyzeWeights([run]);
    const part = await analyzeWeights([run], { from: 3, until: 8 });
    expect(whole.statistics[0]?.norm).toHaveLength(12);
    expect([...(part.statistics[0]?.norm ?? [])]).toEqual([...(whole.statistics[0]?.norm.slice(3, 9) ?? [])]);
    expect(part.statistics[0]?.pathLength.at(-1)).toBeLessThan(whole.statistics[0]?.pathLength.at(-1) ?? 0);
    const options = { method: "pca" } as const;
    const all = await embedRuns([run], options);
    const some = await embedRuns([run], { ...options, from: 3, until: 8 });
    expect([all.step.length, [...some.step]]).toEqual([12, [3, 4, 5, 6, 7, 8]]);
    const names = (folder: string) => readdirSync(join(run.directory, folder)).sort();
    expect(names("weights")).toEqual(["statistics-3-8.arrow", "statistics.arrow"]);
    expect(names("embeddings")).toEqual([
      expect.stringMatching(/^pca-2d-[0-9a-f]{8}.arrow$/),
      "pca-2d.arrow",
    ]);
    expect(await embedRuns([partOfRun(run, { from: 3, until: 8 })], options)).toEqual(some);
    await expect(embedRuns([run], { from: 20 })).rejects.toThrow(
      "expected steps within 0 to 11, got 20 to the end",
    );

    const { status, stdout, stderr } = await runCommand(
      "weights",
      `${run.directory}@3..`,
      "--until",
      "8",
      "--out",
      newFolder(),
      "--json",
    );
    expect([status, JSON.parse(stdout || "{}").runs?.[0]?.epochs.length], stderr).toEqual([0, 6]);
    const embedded = await runCommand(
      "embed",
      run.directory,
      "--from",
      "3",
      "--method",
      "pca",
      "--out",
      newFolder(),
      "--json",
    );
    expect(embedded.status, embedded.stderr).toBe(0);
    const single = await runCommand("weights", `${run.directory}@3`);
    expect([single.status, single.stderr]).toEqual([
      2,
      expect.stringContaining("expected run directories, or RUN@A..B"),
    ]);
  });

  test("has a reference, and so has a snapshot", async () => {
    const run = await writeRun(arc(6));
    const steps = async (reference: string) => {
      const subject = await openSubject(`${run.directory}${reference}`);
      return isModelPoint(subject) ? subject.index : subject.snapshots.map(({ step }) => step);
    };
    expect(await steps("")).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await steps("@1..3")).toEqual([1, 2, 3]);
    expect(await steps("@4..")).toEqual([4, 5]);
    expect(await steps("@..1")).toEqual([0, 1]);
    expect(await steps("@3")).toBe(3);
    await expect(steps("@7..9")).rejects.toThrow("expected steps within 0 to 5, got 7 to 9");
    await expect(analyze(run, { from: -1 })).rejects.toThrow(InvalidOptionError);
  });
});

describe("a path without a second component", () => {
  const straight = Array.from({ length: 4 }, (_, step) => new Float32Array(SIZE).fill(1 - step / 4));

  test.each([
    ["of 2 snapshots", arc(2)],
    ["that is straight", straight],
  ])("%s has a plane with a random direction at a right angle, named as such", async (_, thetas) => {
    const run = await writeRun(thetas);
    const { directions, warnings, figure, trajectories } = await analyze(run, { seed: 3 });
    const [a, b] = (directions?.vectors ?? []) as [Float32Array, Float32Array];
    const dot = (x: Float32Array, y: Float32Array) =>
      x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
    expect(dot(a, b)).toBeCloseTo(0, 6);
    expect(dot(b, b)).toBeCloseTo(1, 5);
    expect(directions?.labels).toEqual(["PC 1", "random direction (seed 3)"]);
    expect(warnings.map(({ code }) => code)).toContain("random-second-direction");
    expect(figure?.layout).toBe("lead");
    for (const share of trajectories[0]?.inPlaneShare ?? []) expect(share).toBeCloseTo(1, 5);
    const other = await analyze(run, { seed: 4 });
    expect(other.directions?.vectors[1]).not.toEqual(b);
    await expect(analyze(run, { second: "component" })).rejects.toThrow(InvalidOptionError);
  });

  test("a second direction of choice may be random on any path", async () => {
    const run = await writeRun(arc(6));
    const { directions } = await analyze(run, { second: "random" });
    expect(directions?.labels[1]).toBe("random direction (seed 0)");
  });
});

test("every tensor is freed", () => {
  expect(tf.memory().numTensors).toBe(0);
});

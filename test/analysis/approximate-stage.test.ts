import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type SurfaceRequest, storedSurface } from "../../src/analysis/stored-surface.js";
import { RunStateError } from "../../src/base/errors.js";
import type { EvaluatorFacts, LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { listSurfaces } from "../../src/store/kinds/stored-surfaces.js";
import { readSurface } from "../../src/store/kinds/surface-file.js";
import { createGrid } from "../../src/surface/grid.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { LANDSCAPES, SAMPLES } from "../surface/approximate/landscapes.js";
import {
  type CountedEvaluator,
  PLANE,
  sampleFunction,
  withGap,
} from "../surface/approximate/sample-function.js";
import { requestOf } from "./interrupted-surface.mjs";

const newFolder = temporaryFolders();
const axis = { from: -1, to: 1, size: 17 };
const grid = createGrid({ grid: { alpha: axis, beta: axis } });

function hinges(classes: Int32Array | null = null): CountedEvaluator {
  return sampleFunction(LANDSCAPES.hinges(2), SAMPLES, classes);
}

/** Evaluates several at a time, in an order of its own. */
function atOnce(evaluator: CountedEvaluator, concurrency: number): LossEvaluator {
  let turn = 0;
  const wait = () => {
    turn = (turn + 3) % 4;
    return new Promise((done) => setTimeout(done, turn));
  };
  const { openSamples } = evaluator;
  if (openSamples === undefined) throw new Error("expected an evaluator of single samples");
  return {
    ...evaluator,
    concurrency,
    evaluate: (theta, how) => wait().then(() => evaluator.evaluate(theta, how)),
    async openSamples(rows, signal) {
      const own = await openSamples(rows, signal);
      return { ...own, losses: (theta, how) => wait().then(() => own.losses(theta, how)) };
    },
  };
}

function stage(directory: string, evaluator: LossEvaluator, options: Partial<SurfaceRequest> = {}) {
  return storedSurface({
    ...requestOf(directory, 17, evaluator),
    points: PLANE,
    grid,
    approximate: {},
    ...options,
  });
}

const namesIn = (directory: string) => readdirSync(join(directory, "surfaces"));
/** The only file of a surface in a folder. */
const ownFile = (directory: string) => {
  const names = namesIn(directory).filter((name) => name.endsWith(".arrow"));
  expect(names.length).toBe(1);
  return join(directory, "surfaces", names[0] as string);
};

/** Stops after so many points. */
function stopAfter(points: number): Pick<SurfaceRequest, "signal" | "onProgress"> {
  const controller = new AbortController();
  let seen = 0;
  return {
    signal: controller.signal,
    onProgress: () => {
      if (++seen === points) controller.abort(new Error("enough"));
    },
  };
}

describe("an approximate surface", () => {
  test("is the same in every bit however many points are evaluated at once", async () => {
    const [one, two, five] = [newFolder(), newFolder(), newFolder()];
    await stage(one, hinges());
    await stage(two, atOnce(hinges(), 2));
    await stage(five, atOnce(hinges(), 5));
    const bytes = readFileSync(ownFile(one));
    expect(readFileSync(ownFile(two)).equals(bytes)).toBe(true);
    expect(readFileSync(ownFile(five)).equals(bytes)).toBe(true);
  });

  test.each([
    [2, 1],
    [9, 1],
    [30, 1],
    [60, 1],
    [9, 3],
    [30, 3],
    [60, 3],
  ])(
    "that is interrupted after %i points, of %i at once, goes on to the same bytes",
    async (points, width) => {
      const classes = Int32Array.from({ length: SAMPLES }, (_, i) => i % 10);
      const [file, other] = [newFolder(), newFolder()];
      const whole = hinges(classes);
      await stage(other, whole);
      const evaluator = hinges(classes);
      const several = () => (width === 1 ? evaluator : atOnce(evaluator, width));
      await expect(stage(file, several(), stopAfter(points))).rejects.toThrow("enough");
      const before = evaluator.evaluated();
      await new Promise((done) => setTimeout(done, 20));
      expect(evaluator.evaluated()).toBe(before);
      expect(namesIn(file).map((name) => name.replace(/[0-9a-f]{8}/, "*"))).toEqual([
        ".pca-train-*.arrow.tiles",
      ]);
      // Twice: what went on and is interrupted again loses nothing either.
      await expect(stage(file, several(), { ...stopAfter(points + 20), resume: true })).rejects.toThrow(
        "enough",
      );
      expect(evaluator.evaluated()).toBeGreaterThan(before);
      await stage(file, atOnce(evaluator, 3), { resume: true });
      // Each time it goes on two points that are known are evaluated again, on all samples; of what was stopped
      // between subsample and all samples the subsample is.
      const lost = width === 1 ? 0 : 2 * width * 3 * Math.sqrt(SAMPLES);
      expect(evaluator.evaluated() - whole.evaluated()).toBeLessThanOrEqual(4 * SAMPLES + lost);
      expect(readFileSync(ownFile(file)).equals(readFileSync(ownFile(other)))).toBe(true);
      expect(namesIn(file).length).toBe(1);
    },
  );

  test.each([{}, { subsample: 0 }])(
    "is known by the version of the way it was made, with %o",
    async (approximate) => {
      const directory = newFolder();
      await stage(directory, hinges(), { approximate });
      const [stored] = await listSurfaces(directory);
      expect(stored?.key?.approximate).toMatchObject({ version: 3 });
    },
  );

  test("goes on where a policy found no loss, and where every evaluation is exact", async () => {
    const gap = () => withGap(hinges(), (theta) => theta[0] > 0.6);
    for (const approximate of [{}, { subsample: 0 }]) {
      const [file, other] = [newFolder(), newFolder()];
      const { surface } = await stage(other, gap(), { approximate });
      await expect(stage(file, gap(), { approximate, ...stopAfter(20) })).rejects.toThrow("enough");
      const again = await stage(file, gap(), { approximate });
      expect(again.surface).toEqual(surface);
      expect(await readSurface(ownFile(file))).toEqual(surface);
    }
  });

  test("is not gone on with where model, data, slice or options are others", async () => {
    const file = newFolder();
    await expect(stage(file, hinges(), stopAfter(12))).rejects.toThrow("enough");
    const known = (facts: Partial<EvaluatorFacts>): LossEvaluator => {
      const evaluator = hinges();
      return { ...evaluator, facts: { ...evaluator.facts, ...facts } };
    };
    const cases: readonly [Partial<SurfaceRequest>, string][] = [
      [{ evaluator: known({ modelDigest: "other" }) }, "another model (digest"],
      [{ evaluator: known({ dataDigest: "other" }) }, "another data (digest"],
      [{ slice: "x" }, "another slice (digest plane, now x)"],
      [{ approximate: { tolerance: 0.02 } }, "another tolerance, budget, subsample, seed or version"],
      [{ approximate: { seed: 1 } }, "another tolerance, budget, subsample, seed or version"],
    ];
    for (const [options, message] of cases) {
      await expect(stage(file, hinges(), { ...options, resume: true })).rejects.toThrow(RunStateError);
      await expect(stage(file, hinges(), { ...options, resume: true })).rejects.toThrow(message);
    }
    await stage(file, hinges(), { approximate: { seed: 1 } });
    // What was interrupted stays, beside the other one.
    expect(namesIn(file).length).toBe(2);
  });

  test("starts anew when told so", async () => {
    for (const options of [{ force: true }, { resume: false }]) {
      const [file, evaluator, whole] = [newFolder(), hinges(), hinges()];
      await stage(newFolder(), whole);
      await expect(stage(file, evaluator, stopAfter(30))).rejects.toThrow("enough");
      const before = evaluator.evaluated();
      await stage(file, evaluator, options);
      expect(evaluator.evaluated() - before).toBe(whole.evaluated());
    }
  });
});

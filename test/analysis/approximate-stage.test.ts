import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ApproximateStageParts, approximateStage } from "../../src/analysis/approximate-stage.js";
import { RunStateError } from "../../src/base/errors.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
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

const newFolder = temporaryFolders();
const axis = { from: -1, to: 1, points: 17 };
const grid = createGrid({ range: { alpha: axis, beta: axis } });

function provenanceOf(inputs: Readonly<Record<string, string>> = {}) {
  const options = { alpha: Array.from(grid.alpha) };
  const known = { data: "data", model: "model", directions: "plane", ...inputs };
  return { kind: "surface", version: 1, options, seed: null, inputs: known };
}

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

function stage(file: string, evaluator: LossEvaluator, options: Partial<ApproximateStageParts> = {}) {
  return approximateStage({
    evaluator,
    points: PLANE,
    grid,
    file,
    provenance: provenanceOf(),
    approximate: {},
    force: false,
    ...options,
  });
}

const newFile = () => join(newFolder(), "surfaces", "pca.arrow");
const ownFile = (file: string) => file.replace(".arrow", ".approximate.arrow");

/** Stops after so many points. */
function stopAfter(points: number): Pick<ApproximateStageParts, "signal" | "onProgress"> {
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
    const [one, two, five] = [newFile(), newFile(), newFile()];
    await stage(one, hinges());
    await stage(two, atOnce(hinges(), 2));
    await stage(five, atOnce(hinges(), 5));
    const bytes = readFileSync(ownFile(one));
    expect(readFileSync(ownFile(two)).equals(bytes)).toBe(true);
    expect(readFileSync(ownFile(five)).equals(bytes)).toBe(true);
  });

  test.each([2, 9, 30, 60])(
    "that is interrupted after %i points goes on to the same bytes",
    async (points) => {
      const classes = Int32Array.from({ length: SAMPLES }, (_, i) => i % 10);
      const [file, other] = [newFile(), newFile()];
      const whole = hinges(classes);
      await stage(other, whole);
      const evaluator = hinges(classes);
      await expect(stage(file, evaluator, stopAfter(points))).rejects.toThrow("enough");
      const before = evaluator.evaluated();
      expect(existsSync(ownFile(file))).toBe(false);
      expect(readdirSync(join(file, ".."))).toEqual([".pca.approximate.arrow.tiles"]);
      // Twice: what went on and is interrupted again loses nothing either.
      await expect(stage(file, evaluator, { ...stopAfter(points + 20), resume: true })).rejects.toThrow(
        "enough",
      );
      expect(evaluator.evaluated()).toBeGreaterThan(before);
      await stage(file, atOnce(evaluator, 3), { resume: true });
      expect(evaluator.evaluated()).toBe(whole.evaluated());
      expect(readFileSync(ownFile(file)).equals(readFileSync(ownFile(other)))).toBe(true);
      expect(readdirSync(join(file, ".."))).toEqual(["pca.approximate.arrow"]);
    },
  );

  test("goes on where a policy found no loss, and where every evaluation is exact", async () => {
    const gap = () => withGap(hinges(), (theta) => theta[0] > 0.6);
    for (const approximate of [{}, { subsample: 0 }]) {
      const [file, other] = [newFile(), newFile()];
      const { surface } = await stage(other, gap(), { approximate });
      await expect(stage(file, gap(), { approximate, ...stopAfter(20) })).rejects.toThrow("enough");
      const again = await stage(file, gap(), { approximate });
      expect(again.surface).toEqual(surface);
      expect(await readSurface(ownFile(file))).toEqual(surface);
    }
  });

  test("is not gone on with where model, data, directions or options are others", async () => {
    const file = newFile();
    await expect(stage(file, hinges(), stopAfter(12))).rejects.toThrow("enough");
    const cases: readonly [Partial<ApproximateStageParts>, string][] = [
      [{ provenance: provenanceOf({ model: "other" }) }, "another model (digest model, now other)"],
      [{ provenance: provenanceOf({ data: "other" }) }, "another data (digest data, now other)"],
      [{ provenance: provenanceOf({ directions: "x" }) }, "another directions (digest plane, now x)"],
      [{ approximate: { tolerance: 0.02 } }, "another tolerance, budget, subsample or seed"],
      [{ approximate: { seed: 1 } }, "another tolerance, budget, subsample or seed"],
    ];
    for (const [options, message] of cases) {
      await expect(stage(file, hinges(), { ...options, resume: true })).rejects.toThrow(RunStateError);
      await expect(stage(file, hinges(), { ...options, resume: true })).rejects.toThrow(message);
    }
    const engine = { name: "function", backend: "js", batchSize: 7, threads: 1 };
    const plain = hinges();
    const other = { ...plain, facts: { ...plain.facts, engine } };
    await expect(stage(file, other)).rejects.toThrow("another engine (function on js, batch size 0");
    const { surface } = await stage(file, hinges(), { approximate: { seed: 1 } });
    expect(surface.warnings.map(({ code }) => code)).toContain("interrupted-surface-replaced");
    expect(existsSync(join(file, "..", ".pca.approximate.arrow.tiles"))).toBe(false);
  });

  test("starts anew when told so", async () => {
    for (const options of [{ force: true }, { resume: false }]) {
      const [file, evaluator, whole] = [newFile(), hinges(), hinges()];
      await stage(newFile(), whole);
      await expect(stage(file, evaluator, stopAfter(30))).rejects.toThrow("enough");
      const before = evaluator.evaluated();
      await stage(file, evaluator, options);
      expect(evaluator.evaluated() - before).toBe(whole.evaluated());
    }
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type StoredSurfaceOptions, storedSurface } from "../../src/analysis/resumable.js";
import { RunStateError } from "../../src/base/errors.js";
import { functionEvaluator } from "../../src/loss/function-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { readSurface } from "../../src/store/kinds/surface-file.js";
import { readArtifact } from "../../src/store/results/artifact.js";
import type { Surface } from "../../src/surface/surface.js";
import { bitsOf } from "../store/sample-run.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { gridOf, lossOf, plane, provenanceOf } from "./interrupted-surface.mjs";

const newFolder = temporaryFolders();
const newFile = () => join(newFolder(), "surfaces", "pca.arrow");

/** The closed form, counting its calls. */
function counting(): LossEvaluator & { calls: number } {
  const plain = functionEvaluator(lossOf, 2, { metricNames: ["index"], id: "form" });
  const evaluator = { ...plain, calls: 0 };
  evaluator.evaluate = (theta) => {
    evaluator.calls++;
    return plain.evaluate(theta);
  };
  return evaluator;
}

async function evaluate(
  file: string,
  evaluator: LossEvaluator,
  options: StoredSurfaceOptions = {},
  points = 21,
) {
  return storedSurface(file, provenanceOf(points), evaluator, plane, gridOf(points), options);
}

function tilesOf(file: string): string {
  return join(dirname(file), ".pca.arrow.tiles");
}

function bits({ loss, metrics, center, nonFinite }: Surface) {
  return [...[loss, metrics.index as Float64Array].map(bitsOf), center, nonFinite];
}

describe("a surface that was stopped early", () => {
  test("is stored as what it is, read back so, and completed by the next call, bit for bit", async () => {
    const [file, evaluator] = [newFile(), counting()];
    const partial = await evaluate(file, evaluator, { budget: { points: 50 } });
    expect(partial.partial?.budget).toBe("50 points");
    const stored = (await readSurface(file)) as Surface;
    expect(stored.partial).toEqual(partial.partial);
    expect(bits(stored)).toEqual(bits(partial));
    expect(stored.nonFinite).toBeGreaterThan(0);
    expect(evaluator.calls).toBe(50);
    const more = await evaluate(file, evaluator, { budget: { points: 100 } });
    expect(more.partial?.evaluated.reduce((sum, one) => sum + one, 0)).toBe(150);
    const surface = await evaluate(file, evaluator);
    expect(evaluator.calls).toBe(441);
    const whole = await evaluate(newFile(), counting());
    expect(surface).toEqual(whole);
    expect(bits((await readSurface(file)) as Surface)).toEqual(bits(whole));
    expect(readdirSync(dirname(file))).toEqual(["pca.arrow"]);
    await evaluate(file, evaluator);
    expect(evaluator.calls).toBe(441);
  });

  test("starts anew when told so", async () => {
    for (const options of [{ force: true }, { resume: false }]) {
      const [file, evaluator] = [newFile(), counting()];
      await evaluate(file, evaluator, { budget: { points: 50 } });
      await evaluate(file, evaluator, options);
      expect(evaluator.calls).toBe(50 + 441);
    }
  });
});

describe("a surface that was interrupted", () => {
  test("by kill -9 goes on where the last tile ended, and equals one that was not, bit for bit", async () => {
    const file = newFile();
    const script = fileURLToPath(new URL("./interrupted-surface.mjs", import.meta.url));
    const child = spawn(process.execPath, [script, file], { stdio: "inherit" });
    const isThere = () =>
      existsSync(tilesOf(file)) && readdirSync(tilesOf(file)).some((name) => /^\d/.test(name));
    await expect.poll(isThere, { timeout: 50_000, interval: 20 }).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(file)).toBe(false);
    const evaluator = counting();
    const surface = await evaluate(file, evaluator, { resume: true });
    expect(evaluator.calls).toBeGreaterThan(0);
    expect(evaluator.calls).toBeLessThan(441);
    const other = newFile();
    const whole = await evaluate(other, counting());
    expect(surface).toEqual(whole);
    expect(readFileSync(file).equals(readFileSync(other))).toBe(true);
    expect(existsSync(tilesOf(file))).toBe(false);
  });

  test("is not gone on with where something else is asked; the error names it", async () => {
    const [file, evaluator] = [newFile(), counting()];
    await evaluate(file, evaluator, { budget: { points: 9 } });
    const resume = (points: number, data: string, given: LossEvaluator) =>
      storedSurface(file, provenanceOf(points, data), given, plane, gridOf(points), { resume: true });
    await expect(resume(21, "other", evaluator)).rejects.toThrow(RunStateError);
    await expect(resume(21, "other", evaluator)).rejects.toThrow(
      "one of 9 points with another data (digest data, now other)",
    );
    await expect(resume(11, "data", evaluator)).rejects.toThrow("another grid (alpha)");
    const { facts } = evaluator;
    const other = { ...evaluator, facts: { ...facts, engine: { ...facts.engine, batchSize: 64 } } };
    await expect(resume(21, "data", other)).rejects.toThrow(
      /another engine \(function on js, batch size 0, threads 1; now function on js, batch size 64, threads 1\)/,
    );
    // Not asked to resume: of something else it starts anew and says so; of another engine it does not.
    await expect(evaluate(file, other)).rejects.toThrow("another engine");
    const calls = evaluator.calls;
    const anew = await evaluate(file, evaluator, {}, 11);
    expect(evaluator.calls - calls).toBe(121);
    expect(anew.warnings.map(({ code }) => code)).toContain("interrupted-surface-replaced");
  });

  test("by an error tells that error, also where what was computed cannot be kept", async () => {
    const [file, evaluator] = [newFile(), counting()];
    const failing = {
      ...evaluator,
      evaluate: async (theta: Float32Array) => {
        if (evaluator.calls === 0) return evaluator.evaluate(theta);
        rmSync(tilesOf(file), { recursive: true, force: true });
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(tilesOf(file), "in the way");
        throw new Error("what went wrong first");
      },
    };
    await expect(evaluate(file, failing)).rejects.toThrow("what went wrong first");
  });

  test("with nothing left, resume just starts", async () => {
    const evaluator = counting();
    await evaluate(newFile(), evaluator, { resume: true }, 5);
    expect(evaluator.calls).toBe(25);
  });
});

test("what was chosen is written down, and is no part of what a surface is known by", async () => {
  const [file, evaluator] = [newFile(), counting()];
  const chosen = { engine: { ...evaluator.facts.engine } };
  await storedSurface(file, { ...provenanceOf(5), chosen }, evaluator, plane, gridOf(5), {});
  expect((await readArtifact(file))?.provenance.chosen).toEqual(chosen);
  await evaluate(file, evaluator, {}, 5);
  expect(evaluator.calls).toBe(25);
});

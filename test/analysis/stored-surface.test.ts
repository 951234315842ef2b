import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { sharpnessStage } from "../../src/analysis/compare/compare-facts.js";
import { modelOf } from "../../src/analysis/model-point.js";
import { type SurfaceRequest, storedSurface } from "../../src/analysis/stored-surface.js";
import { RunStateError } from "../../src/base/errors.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { listSurfaces } from "../../src/store/kinds/stored-surfaces.js";
import { readSurface } from "../../src/store/kinds/surface-file.js";
import { readArtifact } from "../../src/store/results/artifact.js";
import type { Surface } from "../../src/surface/surface.js";
import { bitsOf } from "../store/sample-run.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { gridOf, lossOf, requestOf } from "./interrupted-surface.mjs";
import { memoryRun } from "./memory-run.js";

const newFolder = temporaryFolders();
const surfacesIn = (directory: string) => join(directory, "surfaces");

/** The closed form, counting its calls. */
function counting(id = "form"): LossEvaluator & { calls: number } {
  const plain = functionEvaluator(lossOf, 2, { metricNames: ["index"], id });
  const evaluator = { facts: plain.facts, calls: 0, evaluate: plain.evaluate, dispose() {} };
  evaluator.evaluate = (theta) => {
    evaluator.calls++;
    return plain.evaluate(theta);
  };
  return evaluator;
}

async function evaluate(
  directory: string,
  evaluator: LossEvaluator,
  options: Partial<SurfaceRequest> = {},
  points = 21,
): Promise<Surface> {
  return (await storedSurface({ ...requestOf(directory, points, evaluator), ...options })).surface;
}

/** The only file of a surface, complete or not. */
function fileIn(directory: string): string {
  const names = readdirSync(surfacesIn(directory)).filter((name) => name.endsWith(".arrow"));
  expect(names.length).toBe(1);
  return join(surfacesIn(directory), names[0] as string);
}

/** The only folder of tiles. */
function tilesIn(directory: string): string | undefined {
  if (!existsSync(surfacesIn(directory))) return undefined;
  const name = readdirSync(surfacesIn(directory)).find((one) => one.endsWith(".tiles"));
  return name === undefined ? undefined : join(surfacesIn(directory), name);
}

function bits({ loss, metrics, center, nonFinite }: Surface) {
  return [...[loss, metrics.index as Float64Array].map(bitsOf), center, nonFinite];
}

/** Evaluations that compare what is stored with the loss as it is now: the center and another point. */
const CHECK = 2;

describe("a surface that was stopped early", () => {
  test("is stored as what it is, read back so, and completed by the next call, bit for bit", async () => {
    const [directory, evaluator] = [newFolder(), counting()];
    const partial = await evaluate(directory, evaluator, { budget: { points: 50 } });
    expect(partial.partial?.budget).toBe("50 points");
    const stored = (await readSurface(fileIn(directory))) as Surface;
    expect(stored.partial).toEqual(partial.partial);
    expect(bits(stored)).toEqual(bits(partial));
    expect(stored.nonFinite).toBeGreaterThan(0);
    expect((await listSurfaces(directory)).map((one) => one.partial)).toEqual(["50 points"]);
    expect(evaluator.calls).toBe(50);
    const more = await evaluate(directory, evaluator, { budget: { points: 100 } });
    expect(more.partial?.evaluated.reduce((sum, one) => sum + one, 0)).toBe(150);
    const before = evaluator.calls;
    const surface = await evaluate(directory, evaluator);
    // NaN is evaluated again where why it is NaN is not stored.
    expect(evaluator.calls - before).toBeLessThan(441 - 150 + 2 * CHECK + 21);
    const other = newFolder();
    const whole = await evaluate(other, counting());
    expect(surface).toEqual(whole);
    expect(bits((await readSurface(fileIn(directory))) as Surface)).toEqual(bits(whole));
    expect(tilesIn(directory)).toBeUndefined();
    const calls = evaluator.calls;
    await evaluate(directory, evaluator);
    expect(evaluator.calls).toBe(calls + CHECK);
  });

  test("starts anew when told so", async () => {
    const [directory, evaluator] = [newFolder(), counting()];
    await evaluate(directory, evaluator, { budget: { points: 50 } });
    await evaluate(directory, evaluator, { force: true });
    expect(evaluator.calls).toBe(50 + 441);
  });
});

describe("a surface that was interrupted", () => {
  test("by kill -9 goes on where the last tile ended, and equals one that was not, bit for bit", async () => {
    const directory = newFolder();
    const script = fileURLToPath(new URL("./interrupted-surface.mjs", import.meta.url));
    const child = spawn(process.execPath, [script, directory], { stdio: "inherit" });
    const isThere = () => {
      const tiles = tilesIn(directory);
      return tiles !== undefined && readdirSync(tiles).some((name) => /^\d/.test(name));
    };
    await expect.poll(isThere, { timeout: 50_000, interval: 20 }).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(readdirSync(surfacesIn(directory)).every((name) => name.startsWith("."))).toBe(true);
    const evaluator = counting();
    const surface = await evaluate(directory, evaluator, { resume: true });
    expect(evaluator.calls).toBeGreaterThan(0);
    expect(evaluator.calls).toBeLessThan(441);
    const other = newFolder();
    const whole = await evaluate(other, counting());
    expect(surface).toEqual(whole);
    expect(readFileSync(fileIn(directory)).equals(readFileSync(fileIn(other)))).toBe(true);
    expect(tilesIn(directory)).toBeUndefined();
  });

  test("is not gone on with where something else is asked; the error names it", async () => {
    const [directory, evaluator] = [newFolder(), counting()];
    await evaluate(directory, evaluator, { budget: { points: 9 } });
    const resume = (points: number, given: LossEvaluator) =>
      evaluate(directory, given, { resume: true }, points);
    const { facts } = evaluator;
    const otherData = { ...evaluator, facts: { ...facts, dataDigest: "other" } };
    await expect(resume(21, otherData)).rejects.toThrow(RunStateError);
    await expect(resume(21, otherData)).rejects.toThrow("another data (digest form, now other)");
    await expect(resume(11, evaluator)).rejects.toThrow("another grid (alpha)");
    const request = { engine: "auto", batchSize: null, threads: null };
    const asked = { ...evaluator, facts: { ...facts, request } };
    await evaluate(newFolder(), asked, { budget: { points: 9 } });
    const other = newFolder();
    await evaluate(other, asked, { budget: { points: 9 } });
    const chosen = { ...asked, facts: { ...asked.facts, engine: { ...facts.engine, batchSize: 64 } } };
    await expect(evaluate(other, chosen)).rejects.toThrow(
      /another engine \(function on js, batch size 0, threads 1; now function on js, batch size 64, threads 1\)/,
    );
    // Of something else it stands beside what was interrupted, which stays.
    await evaluate(directory, evaluator, {}, 11);
    expect(tilesIn(directory)).toBeDefined();
    expect((await listSurfaces(directory)).length).toBe(2);
  });

  test("by an error tells that error, also where what was computed cannot be kept", async () => {
    const [directory, evaluator] = [newFolder(), counting()];
    await evaluate(directory, counting(), { budget: { points: 1 } });
    const tiles = tilesIn(directory) as string;
    rmSync(surfacesIn(directory), { recursive: true });
    const failing = {
      ...evaluator,
      evaluate: async (theta: Float32Array) => {
        if (evaluator.calls === 0) return evaluator.evaluate(theta);
        rmSync(tiles, { recursive: true, force: true });
        mkdirSync(dirname(tiles), { recursive: true });
        writeFileSync(tiles, "in the way");
        throw new Error("what went wrong first");
      },
    };
    await expect(evaluate(directory, failing)).rejects.toThrow("what went wrong first");
  });

  test("with nothing left, resume just starts", async () => {
    const evaluator = counting();
    await evaluate(newFolder(), evaluator, { resume: true }, 5);
    expect(evaluator.calls).toBe(25);
  });

  test("of another grid gives its points to the one that is asked", async () => {
    const [directory, evaluator] = [newFolder(), counting()];
    const controller = new AbortController();
    const onProgress = (done: number) => {
      if (done === 12) controller.abort(new Error("enough"));
    };
    const stopped = evaluate(directory, evaluator, { signal: controller.signal, onProgress }, 5);
    await expect(stopped).rejects.toThrow("enough");
    const before = evaluator.calls;
    const surface = await evaluate(directory, evaluator, {}, 9);
    expect(evaluator.calls - before).toBeLessThanOrEqual(81 - 12 + CHECK + 1);
    expect(surface).toEqual(await evaluate(newFolder(), counting(), {}, 9));
  });
});

test("what was chosen is written down, and is no part of what a surface is known by", async () => {
  const [directory, evaluator] = [newFolder(), counting()];
  await evaluate(directory, evaluator, {}, 5);
  const file = fileIn(directory);
  expect((await readArtifact(file))?.provenance.chosen).toEqual({
    engine: { ...evaluator.facts.engine },
    isShared: false,
    ordinal: 1,
  });
  expect(gridOf(5).alpha.length).toBe(5);
  const request = { engine: "function", batchSize: 0, threads: 1 };
  const faster = { ...evaluator.facts.engine, threads: 4 };
  const other = { ...evaluator, facts: { ...evaluator.facts, request, engine: faster } };
  const calls = evaluator.calls;
  await evaluate(directory, other, {}, 5);
  expect(evaluator.calls).toBe(calls + CHECK);
});

test("a stored ε-sharpness is not taken where the loss has changed in its closure", async () => {
  let factor = 1;
  let calls = 0;
  const loss = (theta: Float32Array) => {
    calls++;
    return factor * theta.reduce((sum, value) => sum + value * value, 0);
  };
  const evaluator = functionEvaluator(loss, 3, { id: "closure" });
  const point = await modelOf(memoryRun("one", [Float32Array.of(1, 2, 3)]));
  const options = { directory: newFolder(), epsilon: 0.05, seed: 0, ignore: [], normalize: "none" } as const;
  const stage = () => sharpnessStage(point, { name: "train", evaluator }, options);
  const first = await stage();
  const whole = calls;
  expect(await stage()).toEqual(first);
  // Read, and compared with the loss of today.
  expect(calls - whole).toBeLessThan(whole / 10);
  factor = 3;
  expect((await stage()).maximum).toBeCloseTo(3 * first.maximum, 4);
});

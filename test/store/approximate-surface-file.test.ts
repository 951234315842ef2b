import { join } from "node:path";
import { expect, test } from "vitest";
import { storedSurface } from "../../src/analysis/stored-surface.js";
import type { Provenance } from "../../src/base/provenance.js";
import { captionSentences } from "../../src/figure/make/figure-caption.js";
import { readSurface, writeSurface } from "../../src/store/kinds/surface-file.js";
import { approximateSurface } from "../../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { createGrid } from "../../src/surface/grid.js";
import { requestOf } from "../analysis/interrupted-surface.mjs";
import { temporaryFolders } from "../support/tiny-training.js";
import { LANDSCAPES } from "../surface/approximate/landscapes.js";
import { PLANE, sampleFunction } from "../surface/approximate/sample-function.js";

const newFolder = temporaryFolders();
const axis = { from: -1, to: 1, size: 15 };
const grid = createGrid({ grid: { alpha: axis, beta: axis } });
const provenance: Provenance = { kind: "surface", version: 1, options: {}, seed: null, inputs: {} };
const evaluator = sampleFunction(LANDSCAPES.bowl(1), 400);

test("an approximate surface comes back bit for bit, an exact one without an approximation", async () => {
  const file = join(newFolder(), "surface.arrow");
  const surface = await approximateSurface(evaluator, PLANE, grid);
  await writeSurface(file, surface, provenance);
  expect(await readSurface(file, provenance)).toEqual(surface);
  const exact = await evaluateSurface(evaluator, PLANE, grid);
  await writeSurface(file, exact, provenance);
  expect(await readSurface(file, provenance)).toEqual(exact);
});

test("a stored approximation is read again, but not for other settings nor as the exact surface", async () => {
  const directory = newFolder();
  const stage = (tolerance: number) =>
    storedSurface({
      ...requestOf(directory, 15, evaluator),
      points: PLANE,
      grid,
      approximate: { tolerance },
    });
  const { surface, file } = await stage(0.01);
  const before = evaluator.evaluated();
  expect((await stage(0.01)).surface).toEqual(surface);
  // Two exact points are compared with the loss as it is now.
  expect(evaluator.evaluated() - before).toBe(2 * 400);
  expect((await stage(0.05)).file).not.toBe(file);
  const exact = await storedSurface({ ...requestOf(directory, 15, evaluator), points: PLANE, grid });
  expect(exact.surface.approximation).toBeUndefined();
  // An exact surface that is there goes before an approximate one.
  expect((await stage(0.01)).surface).toEqual(exact.surface);
});

test("what was approximated without single samples is not taken for what is with a subsample", async () => {
  const directory = newFolder();
  const { openSamples: _, ...wholeSets } = evaluator;
  const shared = { points: PLANE, grid, approximate: {} };
  const without = await storedSurface({ ...requestOf(directory, 15, wholeSets), ...shared });
  const withSubsample = await storedSurface({ ...requestOf(directory, 15, evaluator), ...shared });
  expect([without, withSubsample].map(({ surface }) => surface.approximation?.subsample)).toEqual([0, 60]);
  expect(withSubsample.file).not.toBe(without.file);
});

test("the caption says how large the error is", async () => {
  const surface = await approximateSurface(evaluator, PLANE, grid);
  const facts = {
    surface,
    scale: { kind: "linear", levels: [1, 2] },
    interpolation: "cubic",
    paths: [],
  } as const;
  const caption = captionSentences({ ...facts, lossName: "loss", dataName: null }).join(" ");
  expect(caption).toMatch(/Approximate, error of the loss at most .+ \(.+ of its range\) on 95 % of points/);
  expect(caption).toContain("between 15 × 15 grid points");
});

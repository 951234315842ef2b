import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, InvalidDataError } from "../../src/base/errors.js";
import type { Directions } from "../../src/directions/directions.js";
import type { Trajectory } from "../../src/directions/project.js";
import { readDirections, writeDirections } from "../../src/store/kinds/directions-file.js";
import { readLineSlice, writeLineSlice } from "../../src/store/kinds/line-file.js";
import { readSurface, writeSurface } from "../../src/store/kinds/surface-file.js";
import { readTrajectory, writeTrajectory } from "../../src/store/kinds/trajectory-file.js";
import { type Artifact, readArtifact, writeArtifact } from "../../src/store/results/artifact.js";
import type { LineSlice } from "../../src/surface/lines/level-set-width.js";
import type { Surface } from "../../src/surface/surface.js";
import { sampleProvenance, temporaryFolder } from "./sample-run.js";

const length = fc.integer({ min: 1, max: 6 });
const reals = (count: number) =>
  fc.array(fc.double(), { minLength: count, maxLength: count }).map((values) => Float64Array.from(values));
const floats = (count: number) =>
  fc.array(fc.float(), { minLength: count, maxLength: count }).map((values) => Float32Array.from(values));
const warnings = fc.array(fc.record({ code: fc.string(), message: fc.string() }), { maxLength: 2 });

const anyDirections: fc.Arbitrary<Directions> = fc
  .tuple(length, fc.integer({ min: 0, max: 3 }))
  .chain(([d, k]) =>
    fc.record({
      kind: fc.string(),
      center: floats(d),
      vectors: fc.array(floats(d), { minLength: k, maxLength: k }),
      labels: fc.array(fc.string({ unit: "grapheme" }), { minLength: k, maxLength: k }),
      explainedVarianceRatio: fc.option(reals(k)),
      randomWalkBaseline: fc.option(reals(k)),
      warnings,
    }),
  );

const anyTrajectory: fc.Arbitrary<Trajectory> = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 5 }))
  .chain(([n, k]) =>
    fc.record({
      coordinates: reals(n * k),
      dimensions: fc.constant(k),
      inPlaneShare: reals(n),
      distance: reals(n),
      trueLoss: fc.option(reals(n)),
      planeLoss: fc.option(reals(n)),
      warnings,
    }),
  );

const metricNames = fc.uniqueArray(fc.string(), { maxLength: 3 });
const anySurface: fc.Arbitrary<Surface> = fc.tuple(length, length, metricNames).chain(([w, h, names]) => {
  const metrics = <T>(value: () => fc.Arbitrary<T>) =>
    fc
      .tuple(...names.map(value))
      .map((all) => Object.fromEntries(names.map((name, i) => [name, all[i] as T])));
  return fc.record({
    alpha: reals(w),
    beta: reals(h),
    loss: reals(w * h),
    metrics: metrics(() => reals(w * h)),
    center: fc.record({
      loss: fc.double(),
      metrics: metrics(() => fc.double()),
      clippedShare: fc.option(fc.double()),
    }),
    nonFinite: fc.nat(),
    clippedShare: fc.option(fc.double()),
    lossMode: fc.constantFrom("model", "logits"),
    samples: fc.nat(),
    engine: fc.record({ name: fc.string(), backend: fc.string(), batchSize: fc.nat(), threads: fc.nat() }),
    warnings,
  });
});

const provenance = sampleProvenance();

async function roundTrip<T>(
  any: fc.Arbitrary<T>,
  write: (file: string, value: T, from: typeof provenance) => Promise<void>,
  read: (file: string, expected?: typeof provenance) => Promise<T | null>,
): Promise<void> {
  const file = join(await temporaryFolder(), "results", "x.arrow");
  await fc.assert(
    fc.asyncProperty(any, async (value) => {
      await write(file, value, provenance);
      // Numbers are compared with Object.is: NaN equals NaN, −0 does not equal 0.
      expect(await read(file, provenance)).toEqual(value);
    }),
  );
  expect(await read(file, sampleProvenance(2))).toBeNull();
  expect(await read(`${file}.missing`, provenance)).toBeNull();
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length >> 1));
  await expect(read(file, provenance)).rejects.toThrow(FormatError);
}

describe("bit for bit, null when stale or missing, FormatError when damaged", () => {
  test("directions", () => roundTrip(anyDirections, writeDirections, readDirections));
  test("trajectory", () => roundTrip(anyTrajectory, writeTrajectory, readTrajectory));
  test("surface", () => roundTrip(anySurface, writeSurface, readSurface));
});

/** A 2×3 surface (H rows over beta, W columns over alpha) with loss = 10·row + column. */
const small: Surface = {
  alpha: Float64Array.of(-1, 0, 1),
  beta: Float64Array.of(0, 5),
  loss: Float64Array.of(0, 1, 2, 10, 11, 12),
  metrics: { acc: new Float64Array(6).fill(0.5), alpha: new Float64Array(6).fill(7) },
  center: { loss: 1, metrics: { acc: 0.5, alpha: 7 }, clippedShare: null },
  nonFinite: 0,
  clippedShare: null,
  lossMode: "logits",
  samples: 10,
  engine: { name: "tfjs", backend: "wasm", batchSize: 64, threads: 1 },
  warnings: [],
};

test("a surface is in long form, rows over beta, columns over alpha", async () => {
  const file = join(await temporaryFolder(), "surface.arrow");
  await writeSurface(file, small, provenance);
  const table = tableFromIPC(await readFile(file));
  expect(table.names).toEqual(["alpha", "beta", "loss", "acc", "metric:alpha"]);
  const rows = table.toArray().map(({ alpha, beta, loss }) => [alpha, beta, loss]);
  expect(rows).toEqual([
    [-1, 0, 0],
    [0, 0, 1],
    [1, 0, 2],
    [-1, 5, 10],
    [0, 5, 11],
    [1, 5, 12],
  ]);
});

test("coordinates that are no grid are refused, of a surface and of lines", async () => {
  const folder = await temporaryFolder();
  const damaged = async (file: string, alpha: Float64Array) => {
    const artifact = (await readArtifact(file)) as Artifact;
    await writeArtifact(file, { ...artifact, columns: { ...artifact.columns, alpha: { values: alpha } } });
    return file;
  };
  const surface = join(folder, "surface.arrow");
  await writeSurface(surface, small, provenance);
  await damaged(surface, Float64Array.of(-1, 0, 1, -1, 0.5, 1));
  await expect(readSurface(surface)).rejects.toThrow(FormatError);
  await expect(readSurface(surface)).rejects.toThrow("expected the coordinates of a grid, got other ones");

  const lines = join(folder, "lines.arrow");
  const curve = (seed: number) => ({
    set: "train",
    seed,
    surface: {
      ...small,
      beta: Float64Array.of(0),
      loss: Float64Array.of(3, 2, 4),
      metrics: {},
      center: { loss: 2, metrics: {}, clippedShare: null },
    },
  });
  const slice: LineSlice = {
    kind: "random",
    axis: "along a direction",
    alpha: small.alpha,
    curves: [curve(0), curve(1)],
    marks: [],
    batchNorm: "none",
    warnings: [],
  };
  await writeLineSlice(lines, slice, provenance);
  expect((await readLineSlice(lines))?.curves.length).toBe(2);
  await damaged(lines, Float64Array.of(-1, 0, 1, -1, 0, 2));
  await expect(readLineSlice(lines)).rejects.toThrow(
    "the same coordinates for each curve, got others for curve 1",
  );
});

test("directions have a row for the centre and one for each vector", async () => {
  const file = join(await temporaryFolder(), "directions.arrow");
  const directions: Directions = {
    kind: "pca",
    center: Float32Array.of(1, 2),
    vectors: [Float32Array.of(3, 4), Float32Array.of(5, 6)],
    labels: ["PC 1", "PC 2"],
    explainedVarianceRatio: Float64Array.of(0.75, 0.25),
    randomWalkBaseline: null,
    warnings: [],
  };
  await writeDirections(file, directions, provenance);
  const table = tableFromIPC(await readFile(file));
  expect(table.toColumns()).toMatchObject({
    label: ["center", "PC 1", "PC 2"],
    explainedVarianceRatio: Float64Array.of(Number.NaN, 0.75, 0.25),
  });
  expect(table.names).not.toContain("randomWalkBaseline");
});

test("what does not fit together is refused", async () => {
  const file = join(await temporaryFolder(), "x.arrow");
  const broken = { ...small, loss: new Float64Array(5) };
  await expect(writeSurface(file, broken, provenance)).rejects.toThrow(/loss: expected 2 × 3 values, got 5/);
  const trajectory: Trajectory = {
    coordinates: new Float64Array(4),
    dimensions: 2,
    inPlaneShare: new Float64Array(3),
    distance: new Float64Array(2),
    trueLoss: null,
    planeLoss: null,
    warnings: [],
  };
  await expect(writeTrajectory(file, trajectory, provenance)).rejects.toThrow(
    /inPlaneShare: expected length 2, got 3/,
  );
  await expect(readSurface(file)).resolves.toBeNull();
  await writeTrajectory(file, { ...trajectory, inPlaneShare: new Float64Array(2) }, provenance);
  await expect(readSurface(file)).rejects.toThrow(/x.arrow: details: expected the facts of such a result/);
  await expect(readDirections(file)).rejects.toThrow(FormatError);
  const directions = {
    kind: "x",
    center: new Float32Array(2),
    vectors: [new Float32Array(3)],
    labels: ["a"],
  };
  const shares = { explainedVarianceRatio: null, randomWalkBaseline: null, warnings: [] };
  await expect(writeDirections(file, { ...directions, ...shares }, provenance)).rejects.toThrow(
    InvalidDataError,
  );
});

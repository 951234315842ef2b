import { cpSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AnalyzePlaneOptions, analyzePlane } from "../../src/analysis/analyze-plane.js";
import { modelPoint } from "../../src/analysis/model-point.js";
import type { PlaneSpec } from "../../src/analysis/plane-spec.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator, ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { modelFromManifest } from "../../src/model/model-from-manifest.js";
import { readDirections } from "../../src/store/kinds/directions-file.js";
import { listSurfaces } from "../../src/store/kinds/stored-surfaces.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { loadData, loadTestData } from "../golden/run-v1/data.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const fixture = fileURLToPath(new URL("../golden/run-v1", import.meta.url));
let directory: string;
let run: Run;

beforeAll(() => useTestBackend());
beforeEach(async () => {
  directory = newFolder();
  cpSync(join(fixture, "run"), directory, { recursive: true });
  run = await openRun(directory);
});

/** Evaluators on both sets as the stored results asked for them, counting their evaluations. */
async function evaluators() {
  const model = await modelFromManifest(run.manifest);
  const counts = { train: 0, test: 0 };
  const counting = (name: "train" | "test", { openSlice, ...inner }: LossEvaluator) => ({
    name,
    evaluator: {
      ...inner,
      evaluate(theta: Float32Array, how?: ThetaEvaluation) {
        counts[name]++;
        return inner.evaluate(theta, how);
      },
    },
  });
  const options = { engine: "tfjs-fused", batchSize: 12, layout: run.layout } as const;
  const train = await createLossEvaluator(model, loadData(), options);
  const held = await createLossEvaluator(model, loadTestData(), options);
  return { counts, train: counting("train", train), test: counting("test", held) };
}

/** Files of a folder with the times at which they were written. */
const written = (folder: string) =>
  readdirSync(join(directory, folder)).map((name) => [name, statSync(join(directory, folder, name)).mtimeMs]);

describe("a run of version 1", () => {
  test("has its PCA surface read, after two of its points are compared, and nothing rewritten", async () => {
    const { counts, train } = await evaluators();
    const before = written("surfaces");
    const { surfaces, trajectories, warnings } = await analyzePlane(
      [run],
      { kind: "pca" },
      { sets: [train], size: [5, 4] },
    );
    expect(surfaces[0]?.surface.alpha.length).toBe(5);
    expect(written("surfaces")).toEqual(before);
    // 2 for the surface; the end of the path, and the path again if another backend computed it.
    expect(counts.train).toBeLessThanOrEqual(2 + 1 + 2 * run.snapshots.length);
    expect(trajectories[0]?.trueLoss?.length).toBe(run.snapshots.length);
    expect(warnings.map(({ code }) => code)).not.toContain("loss-changed");
  });

  test.each<[string, () => Promise<PlaneSpec>, number, boolean]>([
    ["random", async () => ({ kind: "random", seed: 1 }), 1, true],
    ["models", async () => ({ kind: "models" }), 3, false],
    [
      "custom",
      async () => {
        const directions = await readDirections(join(fixture, "custom-directions.arrow"));
        if (directions === null) throw new Error("expected directions");
        return { kind: "custom", directions };
      },
      1,
      false,
    ],
  ])("has its %s plane read too", async (_, spec, count, hasTest) => {
    const { counts, train, test: held } = await evaluators();
    const models = count === 1 ? [run] : await Promise.all([0, 1, 3].map((step) => modelPoint(run, step)));
    const options: AnalyzePlaneOptions = { sets: hasTest ? [train, held] : [train], size: 4 };
    const before = written("surfaces");
    await analyzePlane(models, await spec(), options);
    expect(counts).toEqual({ train: 2, test: hasTest ? 2 : 0 });
    expect(written("surfaces")).toEqual(before);
    // Another grid stands beside it.
    await analyzePlane(models, await spec(), { ...options, size: 3 });
    expect(written("surfaces").length).toBe(before.length + (hasTest ? 2 : 1));
  });

  test("is drawn from what is stored, every surface of it listed", async () => {
    const stored = await listSurfaces(directory);
    expect(stored.every(({ version }) => version === 1)).toBe(true);
    expect(stored.map(({ name }) => name)).toContain("pca");
    const { figures } = await readFigures(run);
    const names = figures.map(({ name }) => name);
    expect(names).toContain("plot");
    expect(names).toContain("plot-random");
    const plot = figures.find(({ name }) => name === "plot")?.figure;
    const losses = plot?.runs[0]?.columns.find(({ name }) => name === "true loss")?.values ?? [];
    expect(losses.length).toBe(run.snapshots.length);
    expect(losses.every((loss) => loss !== null)).toBe(true);
  });
});

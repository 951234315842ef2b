import { readdirSync } from "node:fs";
import { join } from "node:path";
import { analyzePlane } from "../../../src/analysis/analyze-plane.js";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import { writeLineSlice } from "../../../src/store/kinds/line-file.js";
import { writeSurface } from "../../../src/store/kinds/surface-file.js";
import { openRun } from "../../../src/store/run/open-run.js";
import type { Run } from "../../../src/store/run/run.js";
import { createRunWriter } from "../../../src/store/run/run-writer.js";
import { sampleSurface, uniform } from "../../figure/sample-figures.js";
import { sampleDescription, sampleProvenance, sampleSnapshot } from "../../store/sample-run.js";
import { plainLinearAlgebra } from "../../support/plain-linear-algebra.js";

/** Weights of the run: an arc in a space of `SIZE` dimensions. */
export const SIZE = 5;

/** A loss over the weights: a bowl that is nowhere 0. */
export function lossOf(theta: Float32Array): number {
  return 0.1 + theta.reduce((sum, value, i) => sum + (i + 1) * value * value, 0);
}

/** Writes a run of `count` snapshots that spiral into 0. */
export async function writeSpiral(directory: string, count: number, name = "spiral"): Promise<Run> {
  const writer = await createRunWriter(directory, sampleDescription(SIZE, { name }));
  for (let step = 0; step < count; step++) {
    const left = 1 - step / count;
    const theta = Float32Array.from({ length: SIZE }, (_, i) => left * Math.cos(step / 3 + i) + 0.01 * i);
    await writer.writeSnapshot({ ...sampleSnapshot(step, SIZE), learningRate: step < 4 ? 0.1 : 0.01, theta });
  }
  await writer.close();
  return openRun(directory);
}

/** A run with a PCA surface, its path, another plane with a hole, and a line, all stored. */
export async function writeStoredResults(directory: string, name?: string): Promise<Run> {
  const run = await writeSpiral(directory, 8, name);
  const evaluator = functionEvaluator(lossOf, SIZE);
  const sets = [{ name: "train", evaluator }];
  await analyzePlane([run], { kind: "pca" }, { sets, linearAlgebra: plainLinearAlgebra, size: [6, 5] });
  const axis = uniform(-1, 1, 4);
  const plane = sampleSurface(axis, uniform(-2, 2, 3), (a, b) =>
    a === -1 && b === -2 ? Number.NaN : 1 + a * a + b,
  );
  const provenance = {
    ...sampleProvenance(),
    inputs: {},
    options: { plane: "random", sets: [{ name: "train" }] },
  };
  await writeSurface(join(directory, "surfaces", "random-train.arrow"), plane, provenance);
  await writeLineSlice(
    join(directory, "lines", "random-1.arrow"),
    {
      kind: "random",
      axis: "along a direction",
      alpha: axis,
      curves: ["train", "=1+1"].map((set) => ({
        set,
        seed: 0,
        surface: sampleSurface(axis, Float64Array.of(0), (a) => 2 + a),
      })),
      marks: [],
      batchNorm: "keep",
      warnings: [],
    },
    { ...sampleProvenance(), inputs: {} },
  );
  return run;
}

/** The name of the only result of that beginning in a folder, without its extension. */
export function storedName(directory: string, folder: string, beginning: string): string {
  const names = readdirSync(join(directory, folder)).filter((name) => name.startsWith(beginning));
  if (names.length !== 1) throw new Error(`expected one ${beginning} in ${folder}, got ${names.join(", ")}`);
  return (names[0] as string).replace(/\.arrow$/, "");
}

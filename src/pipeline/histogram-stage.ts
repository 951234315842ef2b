import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ParameterRole } from "../params/layout.js";
import { readHistograms, writeHistograms } from "../store/histograms-file.js";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import { type WeightHistograms, weightHistograms } from "../weights/weight-histogram.js";

/** A run under the name by which it is told apart. */
export interface NamedRun {
  readonly name: string;
  readonly run: Run;
}

/** Histograms of final weights, and what they leave out. */
export interface SolutionHistograms {
  /** null where no run has weights to count. */
  readonly histograms: WeightHistograms | null;
  readonly warnings: readonly LandscapeWarning[];
}

/** A run's final weights that a histogram can show. */
interface Solution {
  readonly name: string;
  readonly theta: Float32Array;
}

/**
 * Returns histograms of the final weights of the runs that share the first one's layout: of the kernels, or, where
 * there are none, of weights of no known role. Runs of other layouts, with the same weights as another, or with
 * weights that are not finite are left out, each with a warning.
 *
 * @param directory - stores them as `weights/histogram.arrow` there, where they are not there yet; null does not.
 */
export async function histogramStage(
  runs: readonly NamedRun[],
  directory: string | null,
): Promise<SolutionHistograms> {
  const [{ run: first }] = runs as readonly [NamedRun, ...NamedRun[]];
  const { solutions, warnings } = await solutionsOf(runs);
  const has = (role: ParameterRole) => first.layout.parameters.some((p) => p.trainable && p.role === role);
  const role = (["kernel", "other"] as const).find(has);
  if (solutions.length === 0 || role === undefined) return { histograms: null, warnings };
  const histograms = weightHistograms(first.layout, solutions, { roles: [role] });
  if (directory !== null) {
    const file = join(directory, "weights", "histogram.arrow");
    const provenance = provenanceOf(solutions, role, histograms);
    if ((await readHistograms(file, provenance)) === null)
      await writeHistograms(file, histograms, provenance);
  }
  return { histograms, warnings };
}

async function solutionsOf(runs: readonly NamedRun[]) {
  const [{ name: firstName, run: first }] = runs as readonly [NamedRun, ...NamedRun[]];
  const solutions: Solution[] = [];
  const warnings: LandscapeWarning[] = [];
  const leaveOut = (name: string, why: string): void => {
    warnings.push({ code: "not-in-histogram", message: `${name} is not in the histogram: ${why}` });
  };
  for (const { name, run } of runs) {
    if (run.layout.digest !== first.layout.digest) {
      leaveOut(name, `its weights have another layout than those of ${firstName}`);
      continue;
    }
    const theta = await run.readTheta(run.snapshots.length - 1);
    const twin = solutions.find((other) => other.theta.every((value, i) => value === theta[i]));
    if (twin !== undefined) leaveOut(name, `its final weights are those of ${twin.name}`);
    else if (!theta.every(Number.isFinite)) leaveOut(name, "its final weights are not all finite");
    else solutions.push({ name, theta });
  }
  return { solutions, warnings };
}

function provenanceOf(
  solutions: readonly Solution[],
  role: ParameterRole,
  { edges }: WeightHistograms,
): Provenance {
  const digest = ({ theta }: Solution): string =>
    createHash("sha256")
      .update(new Uint8Array(theta.buffer, theta.byteOffset, theta.byteLength))
      .digest("hex");
  return {
    kind: "weight-histogram",
    version: 1,
    options: { roles: [role], bins: edges.length - 1, names: solutions.map(({ name }) => name) },
    seed: null,
    inputs: Object.fromEntries(solutions.map((solution, i) => [`model${i}`, digest(solution)])),
  };
}

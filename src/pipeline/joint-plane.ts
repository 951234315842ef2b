import { LandscapeError } from "../errors.js";
import { assertSameLayout } from "../params/match-layout.js";
import type { OpenedRun } from "./compare-evaluators.js";

/** Losses closer than this share are those of one network, computed by two engines. */
const SAME_LOSS = 1e-4;

/** Says why runs cannot share a plane, or null if they can: one layout, and the same loss at the same weights. */
export async function whyNoJointPlane(
  runs: readonly [OpenedRun, ...OpenedRun[]],
  signal?: AbortSignal,
): Promise<string | null> {
  const [first] = runs;
  const other = runs.find(({ run }) => run.layout.digest !== first.run.layout.digest);
  if (other !== undefined) {
    return (
      `There is no plane that holds all paths: ${describeLayout(first)} and ${describeLayout(other)} ` +
      `differ in their weights${firstDifference(first, other)}.`
    );
  }
  const [own] = first.sets;
  for (const { name, sets, point } of runs) {
    const [train] = sets;
    if (train === own) continue;
    const a = (await own.evaluator.evaluate(point.theta, signal)).loss;
    const b = (await train.evaluator.evaluate(point.theta, signal)).loss;
    if (Object.is(a, b) || Math.abs(a - b) <= SAME_LOSS * Math.max(Math.abs(a), Math.abs(b))) continue;
    return (
      `There is no surface under all paths: at the final weights of "${name}" the network of "${first.name}" ` +
      `has another loss (${a.toPrecision(4)}) than its own (${b.toPrecision(4)}), so that they differ in layers or ` +
      `in the compiled loss.`
    );
  }
  return null;
}

function describeLayout({ name, run: { layout } }: OpenedRun): string {
  const { parameterCount, parameters, digest } = layout;
  const count = parameterCount.toLocaleString("en");
  return `"${name}" (${count} numbers in ${parameters.length} weights, layout ${digest.slice(0, 8)})`;
}

function firstDifference(a: OpenedRun, b: OpenedRun): string {
  try {
    assertSameLayout(a.run.layout, b.run.layout, "");
    return "";
  } catch (error) {
    if (!(error instanceof LandscapeError)) throw error;
    const where = error.where.replace(/^: /, "");
    return `${where === "" ? "" : `, first in ${where}`}: ${error.expected} against ${error.got}`;
  }
}

import type { ParameterLayout } from "../params/layout.js";

/**
 * Returns for each weight of a layout a key that stays the same when the model is built again in the same
 * process, or its trainable flags are changed.
 *
 * TF.js numbers layers by a counter of the process ("dense_Dense1", later "dense_Dense7"), so names alone
 * would give the same architecture other random directions each time. The key is the name with its numbers
 * taken out, and the place that the numbers have among the weights of the same remaining name.
 */
export function weightKeys(layout: ParameterLayout): string[] {
  const names = layout.parameters.map(({ name }) => ({
    stem: name.replace(/\d+/g, "#"),
    numbers: numbersOf(name),
  }));
  return names.map(({ stem, numbers }) => {
    const rank = names.filter((other) => other.stem === stem && isBefore(other.numbers, numbers)).length;
    return `${stem}:${rank}`;
  });
}

function numbersOf(name: string): number[] {
  return (name.match(/\d+/g) ?? []).map(Number);
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at] < b[at];
}

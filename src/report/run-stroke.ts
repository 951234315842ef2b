import type { Theme } from "./palette.js";

/** Dashes of the first, second and third round through the palette. */
const DASHES: readonly (readonly number[] | null)[] = [null, [7, 3], [2, 3]];

/** How the line of a run is drawn where there are more runs than colours: each round has its own dashes. */
export interface RunStroke {
  readonly color: string;
  readonly lineDash: readonly number[] | null;
}

/** Returns colour and dashes of the n-th run. */
export function runStroke(index: number, { runs }: Theme): RunStroke {
  return {
    color: runs[index % runs.length] as string,
    lineDash: DASHES[Math.floor(index / runs.length) % DASHES.length] ?? null,
  };
}

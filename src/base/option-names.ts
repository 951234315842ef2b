import { InvalidOptionError } from "./errors.js";

/** Old and new names of options, by what takes them. */
export const RENAMED_OPTIONS = {
  /** Principal components of a path, and the random walk beside them. */
  pca: { center: "centering", select: "components" },
  /** Planes. */
  plane: {
    points: "size",
    range: "grid",
    center: "centering",
    title: "figure.title",
    metric: "figure.metric",
    accuracyAs: "figure.accuracyAs",
    dataName: "figure.names.data",
    lossName: "figure.names.loss",
  },
  /** Comparisons of runs. */
  compare: {
    points: "size",
    range: "grid",
    center: "centering",
    dataName: "names.data",
    lossName: "names.loss",
  },
  /** Grids, and literal coordinates along an axis of theirs. */
  grid: { points: "size", range: "grid" },
  axis: { points: "size" },
  /** Approximate surfaces. */
  approximate: { budget: "share" },
  /** Jumps. */
  jump: { steps: "distances" },
  /** Lines of the surface module, whose coordinates are numbers. */
  lines: { range: "grid" },
  /** Lines, whose text says range and size. */
  line: {
    range: "grid",
    points: "grid",
    title: "figure.title",
    metric: "figure.metric",
    accuracyAs: "figure.accuracyAs",
    dataName: "figure.names.data",
  },
  /** Every method that lays points out in 2 or 3 dimensions. */
  embedding: {
    nComponents: "dimensions",
    components: "dimensions",
    randomState: "seed",
    center: "centered",
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Refuses options under a name that they no longer have: ignored, they would leave the default in effect.
 *
 * @param options - the options as the caller gave them.
 * @param takers - what takes them.
 * @throws {@link InvalidOptionError} naming the old key and the new one.
 * @example refuseRenamed({ nComponents: 3 }, "embedding"); // nComponents: this option is now called dimensions
 */
export function refuseRenamed(options: object, ...takers: readonly (keyof typeof RENAMED_OPTIONS)[]): void {
  for (const taker of takers) {
    for (const [old, name] of Object.entries(RENAMED_OPTIONS[taker])) {
      if ((options as Readonly<Record<string, unknown>>)[old] === undefined) continue;
      const error = new InvalidOptionError(old, `the option ${name}`, `its earlier name ${old}`);
      error.message = `${old}: this option is now called ${name}`;
      throw error;
    }
  }
}

/** The names of all options of a type: a table that the compiler keeps complete. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses options that nobody reads: ignored, a slip of the pen would leave the default in effect.
 *
 * @param options - the options as the caller gave them.
 * @param known - the names of all options there are.
 * @param within - the option that holds them, for messages: "report". Default none.
 * @throws {@link InvalidOptionError} naming the first unknown one, and the known one that it is near to.
 * @example refuseUnknown({ shedule: "epoch" }, { schedule: true }); // … did you mean schedule?
 */
export function refuseUnknown(options: object, known: Readonly<Record<string, true>>, within?: string): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known);
  const near = names
    .map((name) => ({ name, distance: editDistance(unknown.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const isNear = near !== undefined && near.distance <= Math.max(1, Math.floor(unknown.length / 3));
  const where = within === undefined ? unknown : `${within}.${unknown}`;
  throw new InvalidOptionError(where, "an option that exists", "an unknown one", {
    hint: isNear ? `did you mean ${near.name}?` : `there are ${names.join(", ")}`,
  });
}

/** Letters to be added, left out, changed or swapped with the next to make one word of the other. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const before = rows[i - 1] as number[];
      const change = (before[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((before[j] as number) + 1, (row[j - 1] as number) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, ((rows[i - 2] as number[])[j - 2] as number) + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return (rows[a.length] as number[])[b.length] as number;
}

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
    dataName: "figure.names.data",
    lossName: "figure.names.loss",
  },
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
 * @example refuseRenamed({ nComponents: 3 }, "embedding"); // nComponents: … this option is called dimensions
 */
export function refuseRenamed(options: object, ...takers: readonly (keyof typeof RENAMED_OPTIONS)[]): void {
  for (const taker of takers) {
    for (const [old, name] of Object.entries(RENAMED_OPTIONS[taker])) {
      if ((options as Readonly<Record<string, unknown>>)[old] === undefined) continue;
      throw new InvalidOptionError(old, "its new name", "its old one", {
        hint: `this option is called ${name}`,
      });
    }
  }
}

/** A value that JSON can carry. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * Where a computed result comes from. Two results with equal `kind`, `version`, `options`, `seed` and
 * `inputs` are the same; a stored result whose provenance differs from what is asked is stale.
 */
export interface Provenance {
  /** What was computed: "pca-directions", "surface", "trajectory", … */
  readonly kind: string;
  /** Version of the algorithm and of the file's layout; raised when either changes. */
  readonly version: number;
  /** Every option that influences the result, defaults included. */
  readonly options: { readonly [key: string]: JsonValue };
  /** Seed of the random numbers, null where none are used. */
  readonly seed: number | null;
  /** sha-256 digests of the inputs by name: runs, layout, directions, data, model. */
  readonly inputs: { readonly [name: string]: string };
}

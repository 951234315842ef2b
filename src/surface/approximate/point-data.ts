/** What is known of a grid point. */
export const UNKNOWN = 0;
/** Evaluated on the subsample. */
export const SAMPLED = 1;
/** Evaluated on all samples. */
export const EXACT = 2;

/** The knowledge of one quantity (the loss, or a metric) over a grid. */
export interface QuantityData {
  /** Value over all samples (H·W); NaN where the point is not EXACT. */
  readonly exact: Float64Array;
  /** Values on the subsample, sample by sample (H·W); null where it has not been evaluated. */
  readonly samples: (Float64Array | null)[];
}

/** The knowledge of all quantities over a grid. */
export interface PointData {
  readonly width: number;
  readonly height: number;
  /** UNKNOWN, SAMPLED or EXACT (H·W). */
  readonly state: Uint8Array;
  readonly loss: QuantityData;
  readonly metrics: Readonly<Record<string, QuantityData>>;
}

/** Makes a grid of which nothing is known. */
export function createPointData(width: number, height: number, metricNames: readonly string[]): PointData {
  const points = width * height;
  const quantity = (): QuantityData => ({
    exact: new Float64Array(points).fill(Number.NaN),
    samples: new Array<Float64Array | null>(points).fill(null),
  });
  return {
    width,
    height,
    state: new Uint8Array(points),
    loss: quantity(),
    metrics: Object.fromEntries(metricNames.map((name) => [name, quantity()])),
  };
}

/** The flat indices of the points of a state. */
export function pointsOf({ state }: PointData, wanted: number): number[] {
  return Array.from(state.keys()).filter((point) => state[point] === wanted);
}

/** The ends of the grid, which no other points surround. */
export function cornersOf({ width, height }: Pick<PointData, "width" | "height">): ReadonlySet<number> {
  const last = (height - 1) * width;
  return new Set([0, width - 1, last, last + width - 1]);
}

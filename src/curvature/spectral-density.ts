import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { type Eigenpairs, lanczos, ritzPairs, topEigenpairs } from "./lanczos.js";
import type { SymmetricOperator } from "./symmetric-operator.js";
import { normalVector } from "./vectors.js";

/** Options of {@link spectralDensity}. */
export interface DensityOptions extends Stoppable {
  /** Lanczos steps for each random vector. Default 96. */
  readonly steps?: number | undefined;
  /** Random vectors. Default 4. */
  readonly probes?: number | undefined;
  /** Eigenvalues of largest magnitude that are found first and taken out as spikes. Default 10. */
  readonly outliers?: number | undefined;
  /** κ: bumps of the density are the narrower the larger it is. Default 3. */
  readonly sharpness?: number | undefined;
  /** How far the density reaches beyond the eigenvalues, as a share of their range. Default 0.05. */
  readonly margin?: number | undefined;
  /** Points of the density. Default 512. */
  readonly points?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Called after each product. Default none. */
  readonly onProgress?: ((products: number) => void) | undefined;
}

/** How the eigenvalues of an operator are spread. */
export interface SpectralDensity {
  /** Places on the axis of eigenvalues, in increasing order. */
  readonly values: Float64Array;
  /** Density of the bulk there; its integral is the bulk's share of all eigenvalues, 1 − outliers/n. */
  readonly density: Float64Array;
  /** The eigenvalues that were taken out, by decreasing magnitude, each 1/n of the spectrum; with residuals. */
  readonly outliers: Eigenpairs | null;
  /** Standard deviation of a bump. */
  readonly width: number;
  readonly products: number;
}

/**
 * Estimates the spectral density by stochastic Lanczos quadrature: the Ritz values of Krylov spaces from random
 * vectors, each with the square of its vector's first entry as weight, widened to Gaussian bumps.
 *
 * The largest outliers are deflated, or their bumps would stretch the scale of the bulk. The width of a bump is
 * σ = 2/((m − 1)·√(8 ln κ)) of half the range, m the number of Ritz values, so that neighbouring ones just merge.
 *
 * @throws {@link InvalidOptionError} if an option cannot be used.
 * @see Papyan 2019, The full spectrum of deepnet Hessians at scale; Lin, Saad & Yang 2016.
 * @example const { values, density, outliers } = await spectralDensity(hessianOperator(point, layout));
 */
export async function spectralDensity(
  operator: SymmetricOperator,
  options: DensityOptions = {},
): Promise<SpectralDensity> {
  const { sharpness = 3, margin = 0.05, seed = 0, signal, onProgress } = options;
  const steps = wholeNumber("steps", options.steps ?? 96, 2);
  const probes = wholeNumber("probes", options.probes ?? 4, 1);
  const points = wholeNumber("points", options.points ?? 512, 2);
  const outlierCount = Math.min(
    wholeNumber("outliers", options.outliers ?? 10, 0),
    Math.max(0, operator.size - 2),
  );
  if (!(sharpness > 1)) throw new InvalidOptionError("sharpness", "a number above 1", String(sharpness));
  if (!(margin >= 0)) throw new InvalidOptionError("margin", "a number of at least 0", String(margin));
  let products = 0;
  const counted: SymmetricOperator = {
    size: operator.size,
    async apply(vector, stop) {
      const image = await operator.apply(vector, stop);
      onProgress?.(++products);
      return image;
    },
  };
  const outliers =
    outlierCount === 0
      ? null
      : await topEigenpairs(counted, { count: outlierCount, seed, signal, products: 100 + 4 * outlierCount });
  const nodes: { value: number; weight: number }[] = [];
  // A small matrix has fewer Ritz values than steps were asked for, further apart.
  let most = 2;
  for (let probe = 0; probe < probes; probe++) {
    const found = await lanczos(counted, {
      steps,
      start: normalVector(operator.size, seed, "density", probe),
      deflated: outliers?.vectors ?? [],
      signal,
    });
    const { values, vectors } = ritzPairs(found);
    const m = values.length;
    most = Math.max(most, m);
    for (let i = 0; i < m; i++) nodes.push({ value: values[i], weight: vectors[i * m] ** 2 / probes });
  }
  const bulk = (operator.size - outlierCount) / operator.size;
  return { ...smoothed(nodes, bulk, { steps: most, sharpness, margin, points }), outliers, products };
}

interface Smoothing {
  readonly steps: number;
  readonly sharpness: number;
  readonly margin: number;
  readonly points: number;
}

function smoothed(
  nodes: readonly { readonly value: number; readonly weight: number }[],
  share: number,
  { steps, sharpness, margin, points }: Smoothing,
): Pick<SpectralDensity, "values" | "density" | "width"> {
  const low = Math.min(...nodes.map(({ value }) => value));
  const high = Math.max(...nodes.map(({ value }) => value));
  const span = high - low || Math.max(Math.abs(high), 1e-12);
  const half = (span * (1 + 2 * margin)) / 2;
  const width = (half * 2) / (steps - 1) / Math.sqrt(8 * Math.log(sharpness));
  // Room for whole bumps at both ends.
  const reach = Math.max(span * margin, 4 * width);
  const values = new Float64Array(points).map(
    (_, i) => low - reach + ((high - low + 2 * reach) * i) / (points - 1),
  );
  const density = values.map((x) =>
    nodes.reduce((sum, { value, weight }) => sum + weight * Math.exp(-(((x - value) / width) ** 2) / 2), 0),
  );
  const scale = share / (width * Math.sqrt(2 * Math.PI));
  return { values, density: density.map((value) => value * scale), width };
}

/** A loss surface as numbers: rows over beta, columns over alpha. */
export interface SampledSurface {
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  readonly loss: Float64Array;
}

/**
 * Returns (∂L/∂α, ∂L/∂β) of a sampled surface at any point inside the grid.
 *
 * Derivatives at the grid points are differences of second order (central inside, three-point at the edges),
 * and are interpolated bilinearly in between: exact for a quadratic loss on a uniform grid. NaN outside the
 * grid and where a value that enters is not finite.
 */
export function surfaceGradient(
  { alpha, beta, loss }: SampledSurface,
  a: number,
  b: number,
): readonly [number, number] {
  const width = alpha.length;
  const [i, u] = cellOf(alpha, a);
  const [j, v] = cellOf(beta, b);
  if (i < 0 || j < 0) return [Number.NaN, Number.NaN];
  const row = (y: number) => (x: number) => loss[y * width + x];
  const column = (x: number) => (y: number) => loss[y * width + x];
  const mix = (at: (x: number, y: number) => number): number => {
    let sum = 0;
    for (const [x, wx] of weights(i, u)) for (const [y, wy] of weights(j, v)) sum += wx * wy * at(x, y);
    return sum;
  };
  return [mix((x, y) => derivative(alpha, row(y), x)), mix((x, y) => derivative(beta, column(x), y))];
}

/** The two grid lines next to a position, without one of weight 0, whose values must not enter. */
function weights(index: number, share: number): readonly (readonly [number, number])[] {
  const both = [
    [index, 1 - share],
    [index + 1, share],
  ] as const;
  return both.filter(([, weight]) => weight !== 0);
}

/** Index of the cell and place in it, or −1 outside. A hair outside by rounding counts as the edge. */
function cellOf(axis: Float64Array, at: number): [number, number] {
  const last = axis.length - 1;
  if (last < 2) return [-1, 0];
  const step = (axis[last] - axis[0]) / last;
  const place = (at - axis[0]) / step;
  if (!(place >= -1e-9 && place <= last + 1e-9)) return [-1, 0];
  const index = Math.min(last - 1, Math.max(0, Math.floor(place)));
  return [index, Math.min(1, Math.max(0, place - index))];
}

function derivative(axis: Float64Array, value: (index: number) => number, at: number): number {
  const last = axis.length - 1;
  const step = (axis[last] - axis[0]) / last;
  if (at === 0) return (-3 * value(0) + 4 * value(1) - value(2)) / (2 * step);
  if (at === last) return (3 * value(last) - 4 * value(last - 1) + value(last - 2)) / (2 * step);
  return (value(at + 1) - value(at - 1)) / (2 * step);
}

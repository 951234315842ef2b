import { refineAxis } from "./coarse-to-fine.js";
import type { Surface } from "./surface.js";

/**
 * Returns a surface that stopped early with the points in between filled in, for pictures: each missing value
 * is interpolated linearly between the coarser grid points around it, as the order of evaluation refines them.
 * Evaluated values stay; a complete surface is returned as it is.
 *
 * The result still says which values were computed (`partial`).
 */
export function fillPartial(surface: Surface): Surface {
  const { partial, loss, metrics } = surface;
  if (partial === undefined) return surface;
  const fill = filler(surface.alpha, surface.beta, partial.evaluated);
  return {
    ...surface,
    loss: fill(loss),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, fill(values)])),
  };
}

function filler(alpha: Float64Array, beta: Float64Array, evaluated: Uint8Array) {
  const [x, y] = [refineAxis(alpha.length), refineAxis(beta.length)];
  const width = alpha.length;
  const missing = Array.from(evaluated.keys()).filter((index) => evaluated[index] === 0);
  const levelOf = (index: number) =>
    Math.max(x.level[index % width] as number, y.level[Math.floor(index / width)] as number);
  missing.sort((a, b) => levelOf(a) - levelOf(b));
  return (values: Float64Array): Float64Array => {
    const filled = values.slice();
    for (const index of missing) {
      const [i, j] = [index % width, Math.floor(index / width)];
      const level = levelOf(index);
      const columns = around(alpha, x, i, level);
      const rows = around(beta, y, j, level);
      let value = 0;
      for (const row of rows) {
        for (const column of columns) {
          value += row.share * column.share * (filled[row.index * width + column.index] as number);
        }
      }
      // A corner has nothing coarser around it.
      filled[index] = level === 0 ? nearest(values, evaluated, index, width) : value;
    }
    return filled;
  };
}

/** The coordinates of lower level around one, with shares; itself if it is of lower level. */
function around(
  axis: Float64Array,
  { level, low, high }: ReturnType<typeof refineAxis>,
  at: number,
  now: number,
): { readonly index: number; readonly share: number }[] {
  if ((level[at] as number) < now) return [{ index: at, share: 1 }];
  const [from, to] = [low[at] as number, high[at] as number];
  const share =
    ((axis[at] as number) - (axis[from] as number)) / ((axis[to] as number) - (axis[from] as number));
  return [
    { index: from, share: 1 - share },
    { index: to, share },
  ];
}

/** The evaluated value that lies nearest on the grid; NaN if there is none. */
function nearest(values: Float64Array, evaluated: Uint8Array, index: number, width: number): number {
  let best = Number.POSITIVE_INFINITY;
  let value = Number.NaN;
  for (const [other, isKnown] of evaluated.entries()) {
    if (isKnown === 0) continue;
    const across = (other % width) - (index % width);
    const up = Math.floor(other / width) - Math.floor(index / width);
    const distance = across * across + up * up;
    if (distance >= best) continue;
    best = distance;
    value = values[other] as number;
  }
  return value;
}

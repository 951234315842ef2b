/** Returns N points of k coordinates each, flat and row-major. */
export function flatten(points: readonly ArrayLike<number>[], k: number): Float64Array {
  const flat = new Float64Array(points.length * k);
  points.forEach((point, i) => {
    flat.set(point, i * k);
  });
  return flat;
}

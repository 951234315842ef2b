/**
 * Returns A·x for each vector (n) and a dense symmetric A (n, n), two vectors at a time so that the matrix is
 * read half as often.
 */
export function symmetricTimes(
  matrix: Float64Array,
  vectors: readonly Float64Array[],
  n: number,
): readonly Float64Array[] {
  const images = vectors.map(() => new Float64Array(n));
  for (let v = 0; v < vectors.length; v += 2) {
    const x = vectors[v];
    const y = vectors[v + 1] ?? x;
    const imageY = images[v + 1] ?? images[v];
    for (let i = 0; i < n; i++) {
      const at = i * n;
      let sumX = 0;
      let sumY = 0;
      for (let j = 0; j < n; j++) {
        const value = matrix[at + j];
        sumX += value * x[j];
        sumY += value * y[j];
      }
      images[v][i] = sumX;
      imageY[i] = sumY;
    }
  }
  return images;
}

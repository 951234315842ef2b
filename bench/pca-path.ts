/**
 * A made-up path like that of a training: a few slow modes that relax at their own rates, and noise that
 * accumulates. Row i is a function of rows before it, so rows are asked for in order.
 *
 * @param columns - D, the length of each row.
 * @returns a function that writes the next row into its argument.
 */
export function createPath(rows: number, columns: number): (out: Float32Array) => void {
  const theta = new Float32Array(columns);
  const random = createNoise(7);
  const modes = [1, 3, 7].map((rate) => ({ rate, shape: Float32Array.from({ length: 1009 }, random) }));
  for (let c = 0; c < columns; c++) theta[c] = 0.1 * random();
  let i = 0;
  return (out) => {
    const step = modes.map(({ rate }) => (Math.exp((-rate * i) / rows) * rate) / rows);
    for (let c = 0; c < columns; c++) {
      const at = c % 1009;
      let change = 0.002 * random();
      for (let m = 0; m < modes.length; m++) change += 0.1 * step[m] * modes[m].shape[at];
      theta[c] += change;
    }
    out.set(theta);
    i++;
  };
}

/** Uniform numbers in [−1, 1), fast and repeatable. */
function createNoise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

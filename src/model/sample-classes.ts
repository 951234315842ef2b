/**
 * Returns the class of each sample from its targets: the place of the one in one-hot rows, or whole numbers
 * from 0 on in rows of one. Null where the targets are no classes.
 *
 * @param targets - (samples, width), row-major.
 */
export function classesOf(targets: ArrayLike<number>, width: number): Int32Array | null {
  if (width < 1 || targets.length === 0 || targets.length % width !== 0) return null;
  const classes = new Int32Array(targets.length / width);
  for (let sample = 0; sample < classes.length; sample++) {
    const found = width === 1 ? wholeNumber(targets[sample]) : placeOfOne(targets, sample * width, width);
    if (found === -1) return null;
    classes[sample] = found;
  }
  return classes;
}

function wholeNumber(value: number): number {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : -1;
}

function placeOfOne(targets: ArrayLike<number>, start: number, width: number): number {
  let place = -1;
  for (let i = 0; i < width; i++) {
    const value = targets[start + i];
    if (value === 0) continue;
    if (value !== 1 || place !== -1) return -1;
    place = i;
  }
  return place;
}

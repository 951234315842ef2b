// Twelve points in the plane, and whether they lie in the upper half.
import * as tf from "@tensorflow/tfjs";

const angles = Array.from({ length: 12 }, (_, i) => (i * Math.PI) / 6 + 0.2);

export function loadData() {
  const xs = tf.tensor2d(angles.map((angle) => [Math.fround(Math.cos(angle)), Math.fround(Math.sin(angle))]));
  const ys = tf.tensor2d(angles.map((angle) => (Math.sin(angle) > 0 ? [1, 0] : [0, 1])));
  return { xs, ys };
}

export function loadTestData() {
  const { xs, ys } = loadData();
  return { xs: xs.slice(0, 6), ys: ys.slice(0, 6) };
}

export const dataName = "12 points on a circle";

import type { Window } from "./graph.js";

/** How Keras names the padding of a window. */
export type PaddingName = "same" | "valid";

/** What determines a window's padding and the shape of its result. */
export interface WindowSettings {
  readonly size: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly padding: PaddingName;
}

/**
 * Returns a window over an image (height, width), with the padding in pixels: TensorFlow's "same" puts the
 * odd pixel at the bottom and right.
 */
export function windowOver(image: readonly [number, number], settings: WindowSettings): Window {
  const { size, strides = [1, 1], dilations = [1, 1], padding } = settings;
  const around = (axis: 0 | 1): [number, number] => {
    const reach = (size[axis] - 1) * dilations[axis];
    if (padding === "valid") return [0, 0];
    const steps = Math.ceil(image[axis] / strides[axis]);
    const total = Math.max((steps - 1) * strides[axis] + reach + 1 - image[axis], 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [top, bottom] = around(0);
  const [left, right] = around(1);
  return { size, strides, dilations, padding: { kind: padding, top, bottom, left, right } };
}

/** Returns height and width of what a window gives over an image. */
export function windowResult(image: readonly [number, number], window: Window): [number, number] {
  const { top, bottom, left, right } = window.padding;
  const length = (axis: 0 | 1, padded: number): number => {
    const reach = (window.size[axis] - 1) * window.dilations[axis] + 1;
    return Math.floor((padded - reach) / window.strides[axis]) + 1;
  };
  return [length(0, image[0] + top + bottom), length(1, image[1] + left + right)];
}

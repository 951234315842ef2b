import type { Parameter, ParameterLayout } from "../../src/model/layout.js";

/** A weight of a made-up layout: what differs from a trainable Dense kernel. */
export type ParameterSpec = Pick<Parameter, "name" | "shape"> & Partial<Parameter>;

/** Makes a layout out of weights in order; offsets and sizes follow from the shapes. */
export function makeLayout(specs: readonly ParameterSpec[]): ParameterLayout {
  let offset = 0;
  const parameters = specs.map((spec): Parameter => {
    const size = spec.shape.reduce((product, length) => product * length, 1);
    const isMatrix = spec.shape.length > 1;
    const parameter: Parameter = {
      role: isMatrix ? "kernel" : "bias",
      trainable: true,
      layerType: "Dense",
      filterAxes: isMatrix ? [spec.shape.length - 1] : null,
      ...spec,
      offset,
      size,
    };
    offset += size;
    return parameter;
  });
  const trainableCount = parameters.reduce((sum, { size, trainable }) => sum + (trainable ? size : 0), 0);
  return { parameters, parameterCount: offset, trainableCount, digest: "test" };
}

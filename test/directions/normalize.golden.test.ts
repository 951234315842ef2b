import { describe, it } from "vitest";
import { type Normalization, normalizeDirection } from "../../src/directions/normalize.js";
import type { ParameterRole } from "../../src/params/layout.js";
import { expectAllClose } from "../support/allclose.js";
import { readGolden } from "../support/golden.js";
import { makeLayout } from "../support/layout.js";

interface Tensor {
  readonly keras: unknown[];
  readonly keras_shape: number[];
}
interface Golden {
  readonly order: string[];
  readonly weights: Record<string, Tensor>;
  readonly direction: Record<string, Tensor>;
  readonly results: Record<string, Record<string, { readonly keras: unknown[] }>>;
}

const golden = readGolden<Golden>("b_normalize.json");
const ROLES: Record<string, ParameterRole> = { bias: "bias", bn_gamma: "scale", bn_beta: "offset" };
const layout = makeLayout(
  golden.order.map((name) => ({
    name,
    shape: golden.weights[name].keras_shape,
    role: ROLES[name] ?? "kernel",
    ...(name === "depthwise" ? { filterAxes: [2, 3] } : {}),
  })),
);

function flatten(tensors: Record<string, { readonly keras: unknown[] }>): Float32Array {
  return Float32Array.from(golden.order.flatMap((name) => tensors[name].keras.flat(8) as number[]));
}

describe("normalizeDirection against the reference", () => {
  const theta = flatten(golden.weights);
  const direction = flatten(golden.direction);

  it.each(Object.keys(golden.results))("%s", (name) => {
    const [, norm, ignored] = /^norm=(.*)\|ignore=(.*)$/.exec(name) ?? [];
    const result = normalizeDirection(direction, theta, layout, {
      normalize: (norm || "none") as Normalization,
      oneDimensional: "reference",
      ...(ignored === "" ? { ignore: [] } : {}),
    });
    expectAllClose(result, flatten(golden.results[name]), { absolute: 1e-6 });
  });
});

import * as tf from "@tensorflow/tfjs";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { inLayout, layoutShape, type WeightLayout } from "../../../../src/loss/engine/onnx/onnx-writer.js";
import { useTestBackend } from "../../../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 4, maxLength: 4 });

/** The same by TF.js: turned to `axes`. */
async function turned(values: Float32Array, shape: number[], axes: number[]): Promise<number[]> {
  const result = tf.tidy(() => tf.tensor(values, shape).transpose(axes));
  const data = Array.from(await result.data());
  result.dispose();
  return data;
}

function counting(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, (_, i) => i);
}

describe("inLayout", () => {
  it.each([
    ["convolution", [3, 2, 0, 1]],
    ["depthwise", [2, 3, 0, 1]],
  ] as const)("turns %s kernels as transposing does", async (kind, axes) => {
    await fc.assert(
      fc.asyncProperty(lengths, async (shape) => {
        const values = counting(shape);
        const own = Array.from(inLayout(values, shape, { kind }));
        expect(own).toEqual(await turned(values, shape, [...axes]));
        expect(counting(layoutShape(shape, { kind })).length).toBe(values.length);
      }),
      { numRuns: 25 },
    );
  });

  it("moves the rows of a dense kernel behind an image", async () => {
    const [height, width, channels, units] = [3, 2, 4, 5];
    const values = counting([height, width, channels, units]);
    const layout: WeightLayout = { kind: "flattened", image: [height, width, channels] };
    const own = inLayout(values, [height * width * channels, units], layout);
    expect(Array.from(own)).toEqual(await turned(values, [height, width, channels, units], [2, 0, 1, 3]));
  });
});

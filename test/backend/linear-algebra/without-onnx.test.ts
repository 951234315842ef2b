import * as tf from "@tensorflow/tfjs";
import { expect, it, vi } from "vitest";
import { createLinearAlgebra } from "../../../src/backend/linear-algebra/create-linear-algebra.js";
import { jsLinearAlgebra } from "../../../src/backend/linear-algebra/js-linear-algebra.js";
import { openOnnxGram } from "../../../src/backend/linear-algebra/onnx-gram.js";
import { useTestBackend } from "../../support/backend.js";
import { expectClose } from "../expect-close.js";

// A package that is there and does not load, as on a machine that its binaries are not made for.
vi.mock("../../../src/backend/onnx-runtime.js", () => ({
  loadOnnxRuntime: () => ({
    state: "broken",
    reason: "wrong ELF class",
    cause: new Error("wrong ELF class"),
  }),
}));

it.each([
  [64, 50, 2],
  [131, 20, 3],
  [70, 6000, 1],
])(
  "(%i, %i), %i blocks: the backend multiplies where ONNX Runtime does not load",
  async (rows, columns, count) => {
    await useTestBackend();
    expect(await openOnnxGram()).toBeNull();
    const size = rows * columns;
    const blocks = Float32Array.from({ length: count * size }, (_, i) => Math.sin(i * i));
    const expected = new Float64Array(rows * rows).fill(0.5);
    for (let b = 0; b < count; b++) {
      await jsLinearAlgebra.addGramInto(expected, blocks.subarray(b * size, (b + 1) * size), rows, columns);
    }
    const gram = new Float64Array(rows * rows).fill(0.5);
    const before = tf.memory().numTensors;
    await createLinearAlgebra().addGramInto(gram, blocks, rows, columns, count);
    expectClose(gram, expected, { absolute: 1e-7 * columns, relative: 3e-6 });
    expect(tf.memory().numTensors).toBe(before);
  },
);

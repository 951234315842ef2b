import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { selectBackend } from "../../src/backend/select-backend.js";
import { expectClose } from "./expect-close.js";

/** These kernels exist on one backend only, so the tests use it whatever the run is for. */
beforeAll(async () => {
  await selectBackend({ backend: "wasm" });
});

/** Deterministic values without a pattern that a wrong index would hide in. */
function values(size: number, seed: number): Float32Array {
  let state = seed * 7919 + 12345;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Runs `compute` on a backend with tensors made from the same values there; returns the result's values. */
async function on(
  backend: "wasm" | "cpu",
  shapes: readonly number[][],
  compute: (...tensors: tf.Tensor[]) => tf.Tensor,
): Promise<{ shape: number[]; data: Float32Array }> {
  await tf.setBackend(backend);
  try {
    const result = tf.tidy(() =>
      compute(...shapes.map((shape, i) => tf.tensor(values(tf.util.sizeFromShape(shape), i), shape))),
    );
    const data = result.dataSync<"float32">();
    result.dispose();
    return { shape: result.shape, data };
  } finally {
    await tf.setBackend("wasm");
  }
}

async function expectSameOnBoth(
  shapes: readonly number[][],
  compute: (...tensors: tf.Tensor[]) => tf.Tensor,
) {
  const expected = await on("cpu", shapes, compute);
  const actual = await on("wasm", shapes, compute);
  expect(actual.shape).toEqual(expected.shape);
  expectClose(actual.data, expected.data, { absolute: 2e-5, relative: 1e-4 });
}

let tensorsBefore = 0;
let buffersBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
  buffersBefore = (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  expect((tf.backend() as unknown as { numDataIds(): number }).numDataIds()).toBe(buffersBefore);
});

type Pad = "valid" | "same" | number | tf.backend_util.ExplicitPadding;

const convolution = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 5, max: 9 }),
    width: fc.integer({ min: 5, max: 9 }),
    channels: fc.integer({ min: 1, max: 5 }),
    filters: fc.integer({ min: 1, max: 5 }),
    rows: fc.integer({ min: 1, max: 4 }),
    columns: fc.integer({ min: 1, max: 4 }),
    strideRows: fc.integer({ min: 1, max: 3 }),
    strideColumns: fc.integer({ min: 1, max: 3 }),
    pad: fc.oneof(
      fc.constantFrom<Pad>("valid", "same", 0, 1, 2, 5),
      fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)).map(
        ([top, bottom, left, right]): Pad => [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ],
      ),
    ),
  })
  .filter(({ rows, columns, strideRows, strideColumns, pad, ...c }) => {
    // Only positions on a whole grid: TF.js refuses numbers that do not divide without a rounding mode.
    if (typeof pad !== "number") return true;
    return (
      (c.height + 2 * pad - rows) % strideRows === 0 && (c.width + 2 * pad - columns) % strideColumns === 0
    );
  });

type Convolution = typeof convolution extends fc.Arbitrary<infer T> ? T : never;

function shapes(
  { batch, height, width, channels, filters, rows, columns, ...c }: Convolution,
  isDepthwise: boolean,
) {
  const x = [batch, height, width, channels] as [number, number, number, number];
  const filter = [rows, columns, channels, filters] as [number, number, number, number];
  const strides = [c.strideRows, c.strideColumns] as [number, number];
  const info = tf.backend_util.computeConv2DInfo(x, filter, strides, 1, c.pad, undefined, isDepthwise);
  return { x, filter, dy: info.outShape as [number, number, number, number], strides, pad: c.pad };
}

const RUNS = { numRuns: 80, seed: 1 };

describe("gradients of convolutions equal those of the plain JavaScript backend", () => {
  it("Conv2D, to the filter", async () => {
    const check = async (c: Convolution) => {
      const { x, filter, dy, strides, pad } = shapes(c, false);
      await expectSameOnBoth([x, dy], (a, b) =>
        run(
          "Conv2DBackpropFilter",
          { x: a, dy: b },
          { strides, pad, dataFormat: "NHWC", filterShape: filter },
        ),
      );
    };
    await fc.assert(fc.asyncProperty(convolution, check), RUNS);
  });

  it("Conv2D, to the input", async () => {
    const check = async (c: Convolution) => {
      const { x, filter, dy, strides, pad } = shapes(c, false);
      await expectSameOnBoth([dy, filter], (a, b) =>
        run("Conv2DBackpropInput", { dy: a, filter: b }, { strides, pad, dataFormat: "NHWC", inputShape: x }),
      );
    };
    await fc.assert(fc.asyncProperty(convolution, check), RUNS);
  });

  it("DepthwiseConv2dNative, to the filter", async () => {
    const check = async (c: Convolution) => {
      const { x, filter, dy, strides, pad } = shapes(c, true);
      await expectSameOnBoth([x, dy], (a, b) =>
        run(
          "DepthwiseConv2dNativeBackpropFilter",
          { x: a, dy: b },
          { strides, pad, dilations: [1, 1], filterShape: filter },
        ),
      );
    };
    await fc.assert(fc.asyncProperty(convolution, check), RUNS);
  });

  it("DepthwiseConv2dNative, to the input", async () => {
    const check = async (c: Convolution) => {
      const { x, filter, dy, strides, pad } = shapes(c, true);
      await expectSameOnBoth([dy, filter], (a, b) =>
        run(
          "DepthwiseConv2dNativeBackpropInput",
          { dy: a, filter: b },
          { strides, pad, dilations: [1, 1], inputShape: x },
        ),
      );
    };
    await fc.assert(fc.asyncProperty(convolution, check), RUNS);
  });
});

/** Runs a kernel by its name; the operations of tf leave some attributes out. */
function run(kernelName: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor {
  return tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;
}

/** Central differences of the scalar `f` at `at`, one entry after the other. */
function finiteDifferences(f: (x: tf.Tensor) => tf.Tensor, at: Float32Array, shape: number[]): Float32Array {
  const step = 0.25;
  const moved = (i: number, by: number) =>
    tf.tidy(() => {
      const x = at.slice();
      x[i] = (x[i] as number) + by;
      return f(tf.tensor(x, shape)).dataSync()[0] as number;
    });
  return at.map((_, i) => (moved(i, step) - moved(i, -step)) / (2 * step));
}

describe("gradients of convolutions equal finite differences", () => {
  const x = values(2 * 6 * 7 * 3, 1);
  const xShape: [number, number, number, number] = [2, 6, 7, 3];
  const cases = [
    { strides: [1, 1], dilations: [1, 1], pad: "valid" },
    { strides: [1, 1], dilations: [1, 1], pad: "same" },
    { strides: [2, 3], dilations: [1, 1], pad: "same" },
    { strides: [2, 1], dilations: [1, 1], pad: "valid" },
  ] as const;

  it.each(cases)("conv2d, strides $strides, $pad", ({ strides, pad }) => {
    const filterShape: [number, number, number, number] = [3, 2, 3, 4];
    const filter = values(3 * 2 * 3 * 4, 2);
    checkBoth(x, xShape, filter, filterShape, (a, b) => tf.conv2d(a, b, [...strides], pad));
  });

  it.each(cases)("depthwiseConv2d, strides $strides, $pad", ({ strides, pad }) => {
    const filterShape: [number, number, number, number] = [3, 2, 3, 2];
    const filter = values(3 * 2 * 3 * 2, 2);
    checkBoth(x, xShape, filter, filterShape, (a, b) => tf.depthwiseConv2d(a, b, [...strides], pad));
  });

  it.each([
    [[2, 1], "valid"],
    [[1, 2], "same"],
    [[2, 2], "same"],
  ] as const)("dilated depthwise kernels, dilations %s, %s", (dilations, pad) => {
    // TF.js refuses to differentiate dilated convolutions, and its own kernels ignore the dilation.
    const filterShape: [number, number, number, number] = [3, 2, 3, 2];
    const filter = values(3 * 2 * 3 * 2, 2);
    const forward = (a: tf.Tensor, b: tf.Tensor) =>
      tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, pad, "NHWC", [...dilations]);
    const weights = tf.tidy(() => {
      const y = forward(tf.tensor(x, xShape), tf.tensor(filter, filterShape));
      return tf.keep(tf.tensor(values(y.size, 3), y.shape));
    });
    const attrs = { strides: [1, 1], dilations, pad };
    const toFilter = tf.tidy(() =>
      run(
        "DepthwiseConv2dNativeBackpropFilter",
        { x: tf.tensor(x, xShape), dy: weights },
        { ...attrs, filterShape },
      ).dataSync(),
    );
    const toInput = tf.tidy(() =>
      run(
        "DepthwiseConv2dNativeBackpropInput",
        { dy: weights, filter: tf.tensor(filter, filterShape) },
        { ...attrs, inputShape: xShape },
      ).dataSync(),
    );
    const loss = (a: tf.Tensor, b: tf.Tensor) => forward(a, b).mul(weights).sum();
    const expectedFilter = finiteDifferences((b) => loss(tf.tensor(x, xShape), b), filter, filterShape);
    const expectedInput = finiteDifferences((a) => loss(a, tf.tensor(filter, filterShape)), x, xShape);
    weights.dispose();
    expectClose(toFilter, expectedFilter, { absolute: 1e-3, relative: 1e-3 });
    expectClose(toInput, expectedInput, { absolute: 1e-3, relative: 1e-3 });
  });

  /** Compares both gradients of a weighted sum of `forward` with finite differences. */
  function checkBoth(
    input: Float32Array,
    inputShape: [number, number, number, number],
    filter: Float32Array,
    filterShape: [number, number, number, number],
    forward: (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor,
  ) {
    const loss = (a: tf.Tensor, b: tf.Tensor) => {
      const y = forward(a as tf.Tensor4D, b as tf.Tensor4D);
      return y.mul(tf.tensor(values(y.size, 3), y.shape)).sum() as tf.Scalar;
    };
    const [toInput, toFilter] = tf.tidy(() =>
      tf
        .grads(loss)([tf.tensor(input, inputShape), tf.tensor(filter, filterShape)])
        .map((gradient) => gradient.dataSync()),
    ) as [Float32Array, Float32Array];
    const tolerance = { absolute: 1e-3, relative: 1e-3 };
    const atFilter = (b: tf.Tensor) => loss(tf.tensor(input, inputShape), b);
    const atInput = (a: tf.Tensor) => loss(a, tf.tensor(filter, filterShape));
    expectClose(toFilter, finiteDifferences(atFilter, filter, filterShape), tolerance);
    expectClose(toInput, finiteDifferences(atInput, input, inputShape), tolerance);
  }
});

describe("other kernels", () => {
  it("UnsortedSegmentSum equals the plain JavaScript backend's, segments outside the range left out", async () => {
    const segments = fc.record({
      rest: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
      numSegments: fc.integer({ min: 1, max: 6 }),
      ids: fc.array(fc.integer({ min: -2, max: 7 }), { minLength: 1, maxLength: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(segments, ({ rest, numSegments, ids }) =>
        expectSameOnBoth([[ids.length, ...rest]], (x) =>
          tf.unsortedSegmentSum(x, tf.tensor1d(ids, "int32"), numSegments),
        ),
      ),
      RUNS,
    );
  });

  it("the gradient of gather counts a row as often as it was taken", () => {
    const gradient = tf.tidy(() =>
      tf
        .grad((x) => tf.gather(x, tf.tensor1d([2, 0, 2, 2], "int32")).sum())(tf.ones([4, 2]))
        .dataSync(),
    );
    expect([...gradient]).toEqual([1, 1, 0, 0, 3, 3, 0, 0]);
  });

  it("MaxPoolGrad equals the plain JavaScript backend's, ties included", async () => {
    const pooling = fc.record({
      shape: fc.tuple(fc.nat(2), fc.nat(6), fc.nat(6), fc.nat(3)),
      window: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      pad: fc.constantFrom("valid" as const, "same" as const),
      levels: fc.constantFrom(1, 2, 100),
    });
    await fc.assert(
      fc.asyncProperty(pooling, async ({ shape, window, strides, pad, levels }) => {
        const x = [shape[0] + 1, shape[1] + 3, shape[2] + 3, shape[3] + 1];
        await expectSameOnBoth([x], (a) =>
          tf.grad((b) => {
            const y = tf.maxPool(b as tf.Tensor4D, window, strides, pad);
            return y.mul(tf.tensor(values(y.size, 3), y.shape)).sum();
          })(a.mul(levels).round()),
        );
      }),
      RUNS,
    );
  });

  it.each([
    ["same", 3, 2],
    ["same", [2, 3], 1],
    [1, 3, 2],
    ["valid", 2, 2],
  ] as const)(
    "the gradient of average pooling equals finite differences, pad %s, window %s, stride %s",
    (...pool) => {
      const [pad, window, stride] = pool as unknown as ["same" | number, number | [number, number], number];
      const shape = [2, 5, 7, 3];
      checkGradient(shape, (x) => tf.avgPool(x as tf.Tensor4D, window, stride, pad));
    },
  );

  it.each(["same", "valid"] as const)("the gradient of average pooling over volumes, pad %s", (pad) => {
    checkGradient([1, 3, 4, 5, 2], (x) => tf.avgPool3d(x as tf.Tensor5D, [2, 3, 2], [1, 2, 1], pad));
  });

  /** Compares the gradient of a weighted sum of `forward` with finite differences. */
  function checkGradient(shape: number[], forward: (x: tf.Tensor) => tf.Tensor) {
    const x = values(tf.util.sizeFromShape(shape), 4);
    const loss = (a: tf.Tensor) => {
      const y = forward(a);
      return y.mul(tf.tensor(values(y.size, 5), y.shape)).sum();
    };
    const gradient = tf.tidy(() => tf.grad(loss)(tf.tensor(x, shape)).dataSync<"float32">().slice());
    expectClose(gradient, finiteDifferences(loss, x, shape), { absolute: 1e-3, relative: 1e-3 });
  }

  it.each<[string, () => tf.Tensor]>([
    ["MaxPool3D", () => tf.maxPool3d(tf.ones([1, 2, 2, 2, 2]) as tf.Tensor5D, 2, 1, "valid")],
    ["Conv3DBackpropInputV2", () => conv3dGradient("Input", 1)],
    ["Conv3DBackpropFilterV2", () => conv3dGradient("Filter", 2)],
    ["GatherV2", () => tf.gather(tf.ones([2, 3]), tf.tensor2d([[1], [0]], [2, 1], "int32"), 1, 1)],
  ])("%s, which gives wrong results, is refused by name", (kernelName, compute) => {
    expect(() => tf.tidy(compute)).toThrow(
      `${kernelName} on the "wasm" backend of TensorFlow.js: expected right results, got wrong ones; use @tensorflow`,
    );
  });

  /** Runs the gradient kernel of a convolution of volumes with respect to its input or its filter. */
  function conv3dGradient(to: "Input" | "Filter", stride: number): tf.Tensor {
    const shape = to === "Input" ? { inputShape: [1, 3, 3, 3, 1] } : { filterShape: [2, 2, 2, 1, 1] };
    const x = tf.ones([1, 3, 3, 3, 1]);
    const filter = tf.ones([2, 2, 2, 1, 1]);
    const dy = tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, stride, "valid");
    const inputs = to === "Input" ? { dy, filter } : { x, dy };
    const strides = [stride, stride, stride];
    return run(`Conv3DBackprop${to}V2`, inputs, { ...shape, strides, pad: "valid" });
  }

  it("Conv3DBackpropFilterV2 works where its results are right", () => {
    const gradient = tf.tidy(() => conv3dGradient("Filter", 1).dataSync<"float32">().slice());
    expect([...gradient]).toEqual(new Array(8).fill(64));
  });

  it("matMul with transposed operands equals the plain JavaScript backend's", async () => {
    const size = fc.integer({ min: 1, max: 6 });
    const product = fc.record({ m: size, k: size, n: size, batch: fc.array(size, { maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(product, fc.boolean(), fc.boolean(), ({ m, k, n, batch }, transposeA, transposeB) =>
        expectSameOnBoth(
          [
            [...batch, ...(transposeA ? [k, m] : [m, k])],
            [...batch, ...(transposeB ? [n, k] : [k, n])],
          ],
          (a, b) => tf.matMul(a, b, transposeA, transposeB),
        ),
      ),
      RUNS,
    );
  });

  it("refuses NCHW by name", () => {
    const x = tf.ones([1, 2, 5, 5]);
    const dy = tf.ones([1, 3, 3, 3]);
    const attrs = { strides: 1, pad: "valid", dataFormat: "NCHW", filterShape: [3, 3, 2, 3] };
    expect(() => run("Conv2DBackpropFilter", { x, dy }, attrs)).toThrow(
      'Conv2DBackpropFilter on the wasm backend: expected data format "NHWC", got "NCHW"',
    );
    tf.dispose([x, dy]);
  });
});

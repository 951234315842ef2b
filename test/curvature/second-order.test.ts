import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { recordKernels } from "../../src/backend/record-kernels.js";
import { knownKernels, secondOrder } from "../../src/curvature/second-order.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(useTestBackend);

/** Numbers between −1.5 and 1.5, none near 0, another set for each key. */
function numbers(shape: number[], key: number): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => {
    const x = Math.sin(12.9898 * (i + 1) + 78.233 * key) * 43758.5453;
    const share = x - Math.floor(x);
    return (share < 0.5 ? -1 : 1) * (0.15 + 1.3 * Math.abs(2 * share - 1));
  });
  return tf.tensor(values, shape);
}

/** uᵀ·H·v of a scalar function of some variables, and the kernels that it runs. */
function form(values: tf.Tensor[], us: tf.Tensor[], vs: tf.Tensor[], loss: (ws: tf.Tensor[]) => tf.Tensor) {
  const variables = values.map((value) => tf.variable(value));
  const recording = recordKernels(variables, () => ({ loss: loss(variables), outputs: [] }));
  const kernels = recording.nodes.map(({ kernel }) => kernel);
  const second = secondOrder(recording, variables);
  const product = second.hessianVector(vs);
  const value = tf.tidy(() =>
    product.reduce((sum, h, i) => {
      return sum + (h === null ? 0 : (tf.sum(tf.mul(h, us[i] as tf.Tensor)).dataSync()[0] as number));
    }, 0),
  );
  second.dispose();
  tf.dispose(product.filter((one) => one !== null));
  tf.dispose(variables);
  return { value, kernels };
}

const seen = new Set<string>();

/** Second derivative of a float64 formula by central differences. */
const curve = (f: (x: number) => number, x: number) => {
  const h = 1e-4;
  return (f(x + h) - 2 * f(x) + f(x - h)) / h ** 2;
};

const erf = (x: number): number => {
  let [sum, term] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const selu = (x: number) => (x > 0 ? 1.0507009873554805 * x : 1.7580993408473768 * Math.expm1(x));

type Unary = [kernel: string, op: (x: tf.Tensor) => tf.Tensor, formula: (x: number) => number];

const UNARY: Unary[] = [
  ["Relu", (x) => tf.relu(x), (x) => Math.max(0, x)],
  ["Relu6", (x) => tf.relu6(x), (x) => Math.min(6, Math.max(0, x))],
  ["LeakyRelu", (x) => tf.leakyRelu(x, 0.3), (x) => (x > 0 ? x : 0.3 * x)],
  ["Elu", (x) => tf.elu(x), (x) => (x > 0 ? x : Math.expm1(x))],
  ["Selu", (x) => tf.selu(x), selu],
  ["Sigmoid", (x) => tf.sigmoid(x), sigmoid],
  ["Tanh", (x) => tf.tanh(x), Math.tanh],
  ["Softplus", (x) => tf.softplus(x), (x) => Math.log1p(Math.exp(x))],
  ["Erf", (x) => tf.erf(x), erf],
  ["Exp", (x) => tf.exp(x), Math.exp],
  ["Expm1", (x) => tf.expm1(x), Math.expm1],
  ["Log", (x) => tf.log(tf.square(x)), (x) => Math.log(x * x)],
  ["Log1p", (x) => tf.log1p(tf.square(x)), (x) => Math.log1p(x * x)],
  ["Sqrt", (x) => tf.sqrt(tf.exp(x)), (x) => Math.exp(x / 2)],
  ["Rsqrt", (x) => tf.rsqrt(tf.exp(x)), (x) => Math.exp(-x / 2)],
  ["Square", (x) => tf.square(x), (x) => x * x],
  ["Reciprocal", (x) => tf.reciprocal(x), (x) => 1 / x],
  ["Sin", (x) => tf.sin(x), Math.sin],
  ["Cos", (x) => tf.cos(x), Math.cos],
  ["Abs", (x) => tf.mul(x, tf.abs(x)), (x) => x * Math.abs(x)],
  ["Neg", (x) => tf.exp(tf.neg(x)), (x) => Math.exp(-x)],
  ["ClipByValue", (x) => tf.square(tf.clipByValue(x, -1, 0.7)), (x) => Math.min(0.7, Math.max(-1, x)) ** 2],
  ["Pow", (x) => tf.pow(x, 3), (x) => x ** 3],
  ["Multiply", (x) => tf.mul(x, tf.sigmoid(x)), (x) => x * sigmoid(x)],
  ["RealDiv", (x) => tf.div(x, tf.add(tf.square(x), 1)), (x) => x / (x * x + 1)],
  ["Maximum", (x) => tf.square(tf.maximum(x, 0.4)), (x) => Math.max(x, 0.4) ** 2],
  ["Minimum", (x) => tf.square(tf.minimum(x, 0.4)), (x) => Math.min(x, 0.4) ** 2],
  ["SquaredDifference", (x) => tf.squaredDifference(tf.square(x), tf.scalar(1)), (x) => (x * x - 1) ** 2],
  ["Sub", (x) => tf.sub(tf.exp(x), tf.square(x)), (x) => Math.exp(x) - x * x],
  [
    "Select",
    (x) => tf.where(tf.greater(x, 0), tf.exp(x), tf.square(x)),
    (x) => (x > 0 ? Math.exp(x) : x * x),
  ],
  ["AddN", (x) => tf.addN([tf.exp(x), tf.square(x)]), (x) => Math.exp(x) + x * x],
];

describe("functions of one number, against float64 formulas", () => {
  test.each(UNARY)("%s", (kernel, op, formula) => {
    const [w, c, u, v] = [0, 1, 2, 3].map((key) => numbers([3, 4], key)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const { value, kernels } = form([w], [u], [v], ([x]) => tf.sum(tf.mul(c, op(x as tf.Tensor))));
    expect(kernels).toContain(kernel);
    for (const one of kernels) seen.add(one);
    const [ws, cs, us, vs] = [w, c, u, v].map((tensor) => tensor.dataSync()) as Float32Array[];
    let [expected, size] = [0, 0];
    ws?.forEach((x, i) => {
      const term = cs[i] * curve(formula, x) * us[i] * vs[i];
      expected += term;
      size += Math.abs(term);
    });
    expect(Math.abs(value - expected)).toBeLessThan(1e-5 * size + 1e-5);
  });
});

type Linear = [kernel: string, shape: number[], op: (x: tf.Tensor) => tf.Tensor];

const LINEAR: Linear[] = [
  ["Reshape", [2, 6], (x) => tf.reshape(x, [3, 4])],
  ["Identity", [2, 6], (x) => tf.clone(x)],
  ["ExpandDims", [2, 6], (x) => tf.expandDims(x, 1)],
  ["Cast", [2, 6], (x) => tf.cast(x, "float32").add(tf.cast(tf.greater(x, 99), "float32"))],
  ["Transpose", [2, 3, 4], (x) => tf.transpose(x, [2, 0, 1])],
  ["Reverse", [2, 6], (x) => tf.reverse(x, 1)],
  ["Sum", [2, 3, 4], (x) => tf.sum(x, [0, 2])],
  ["Mean", [2, 3, 4], (x) => tf.mean(x, 1, true)],
  ["Max", [4, 5], (x) => tf.max(x, 1)],
  ["Min", [4, 5], (x) => tf.min(x, 0)],
  ["Tile", [1, 4], (x) => tf.broadcastTo(x, [3, 4])],
  ["Tile", [2, 3], (x) => tf.tile(x, [2, 3])],
  [
    "PadV2",
    [2, 3],
    (x) =>
      tf.pad(x, [
        [1, 0],
        [2, 1],
      ]),
  ],
  ["Slice", [4, 5], (x) => tf.slice(x, [1, 2], [2, 3])],
  ["Concat", [4, 5], (x) => tf.concat([x, tf.ones([4, 2]), tf.mul(x, 2)], 1)],
  ["Pack", [4, 5], (x) => tf.stack([x, tf.ones([4, 5]), tf.mul(x, 2)], 1)],
  ["SplitV", [4, 6], (x) => tf.split(x, [1, 2, 3], 1)[2] as tf.Tensor],
  ["Unpack", [3, 4], (x) => tf.sub(tf.unstack(x, 0)[1] as tf.Tensor, tf.unstack(x, 0)[2] as tf.Tensor)],
  ["GatherV2", [4, 3], (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], "int32"), 0)],
  ["GatherV2", [2, 4, 3], (x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32"), 1)],
  ["ResizeNearestNeighbor", [1, 2, 3, 2], (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [4, 6])],
  ["ResizeBilinear", [1, 2, 3, 2], (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [4, 6])],
  ["AvgPool", [2, 6, 6, 2], (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, "valid")],
  ["AvgPool", [1, 5, 5, 2], (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same")],
  ["MaxPool", [2, 6, 6, 2], (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid")],
  ["MaxPool", [1, 7, 9, 2], (x) => tf.maxPool(x as tf.Tensor4D, [2, 3], 3, "valid")],
  ["MaxPool", [1, 7, 6, 2], (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, "same")],
  ["MaxPool", [1, 7, 6, 2], (x) => tf.maxPool(x as tf.Tensor4D, [3, 2], 1, "valid")],
  ["Add", [1, 4], (x) => tf.add(x, tf.zeros([3, 4]))],
];

describe("linear kernels: ½·Σ c·(L·w)² has the Hessian Lᵀ·diag(c)·L", () => {
  test.each(LINEAR)("%s %s", (kernel, shape, op) => {
    const isWrong = kernel.startsWith("Resize") || (kernel === "AvgPool" && shape[1] === 5);
    if (isWrong && tf.getBackend() === "cpu") {
      seen.add(kernel);
      const w = tf.variable(tf.ones(shape));
      const open = () =>
        secondOrder(
          recordKernels([w], () => ({ loss: tf.sum(op(w)), outputs: [] })),
          [w],
        );
      expect(open).toThrow("which the plain JavaScript backend has wrong");
      return;
    }
    const count = shape.reduce((a, b) => a * b, 1);
    // Whole numbers, shuffled: small moves change no choice.
    const w = tf.tensor(
      Float32Array.from({ length: count }, (_, i) => (i * 7919) % count),
      shape,
    );
    const [u, v] = [1, 2].map((key) => numbers(shape, key)) as [tf.Tensor, tf.Tensor];
    const c = numbers(op(w).shape, 3);
    const { value, kernels } = form([w], [u], [v], ([x]) =>
      tf.mul(tf.sum(tf.mul(c, tf.square(op(x as tf.Tensor)))), 0.5),
    );
    expect(kernels).toContain(kernel);
    for (const one of kernels) seen.add(one);
    // Directional derivatives by large differences are exact where no choice changes.
    const along = (d: tf.Tensor) =>
      tf.mul(tf.sub(op(tf.add(w, tf.mul(d, 2 ** -5))), op(tf.sub(w, tf.mul(d, 2 ** -5)))), 2 ** 4);
    const terms = tf.mul(c, tf.mul(along(u), along(v))).dataSync<"float32">();
    const [expected, size] = [terms.reduce((a, b) => a + b, 0), terms.reduce((a, b) => a + Math.abs(b), 0)];
    expect(Math.abs(value - expected)).toBeLessThan(2e-4 * size);
  });
});

type Product = [kernel: string, a: number[], b: number[], op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor];

const depthwise = (pad: "same" | "valid", strides: number) => (x: tf.Tensor, filter: tf.Tensor) =>
  tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad);

const PRODUCTS: Product[] = [
  ["BatchMatMul", [3, 4], [4, 2], (a, b) => tf.matMul(a, b)],
  ["BatchMatMul", [4, 3], [4, 2], (a, b) => tf.matMul(a, b, true)],
  ["BatchMatMul", [3, 4], [2, 4], (a, b) => tf.matMul(a, b, false, true)],
  ["BatchMatMul", [4, 3], [2, 4], (a, b) => tf.matMul(a, b, true, true)],
  ["BatchMatMul", [2, 3, 4], [2, 4, 2], (a, b) => tf.matMul(a, b)],
  ["_FusedMatMul", [3, 4], [4, 2], (a, b) => tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D })],
  ["Conv2D", [2, 6, 5, 2], [3, 3, 2, 3], (x, f) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, "same")],
  ["Conv2D", [1, 7, 7, 2], [3, 2, 2, 3], (x, f) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 2, "valid")],
  [
    "FusedConv2D",
    [1, 5, 5, 2],
    [3, 3, 2, 2],
    (x, filter) =>
      tf.fused.conv2d({ x: x as tf.Tensor4D, filter: filter as tf.Tensor4D, strides: 1, pad: "valid" }),
  ],
  ["DepthwiseConv2dNative", [1, 5, 5, 2], [3, 3, 2, 2], depthwise("same", 1)],
  ["DepthwiseConv2dNative", [1, 7, 7, 2], [3, 3, 2, 1], depthwise("valid", 2)],
  [
    "FusedDepthwiseConv2D",
    [1, 5, 5, 2],
    [3, 3, 2, 2],
    (x, filter) =>
      tf.fused.depthwiseConv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        strides: 1,
        pad: "valid",
      }),
  ],
  [
    "Conv2DBackpropInput",
    [1, 3, 3, 2],
    [3, 3, 4, 2],
    (x, f) => tf.conv2dTranspose(x as tf.Tensor4D, f as tf.Tensor4D, [1, 6, 6, 4], 2, "same"),
  ],
  ["Multiply", [3, 4], [4], (a, b) => tf.mul(a, b)],
  ["Prelu", [3, 4], [4], (x, alpha) => tf.prelu(x, tf.abs(alpha))],
];

describe("products: ½·Σ c·B(a, b)² by what B itself gives", () => {
  test.each(PRODUCTS)("%s %s %s", (kernel, shapeA, shapeB, op) => {
    const [a, ua, va] = [0, 1, 2].map((key) => numbers(shapeA, key)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [b, ub, vb] = [4, 5, 6].map((key) => numbers(shapeB, key)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const c = numbers(op(a, b).shape, 3);
    const lossOf = (x: tf.Tensor, y: tf.Tensor) => tf.mul(tf.sum(tf.mul(c, tf.square(op(x, y)))), 0.5);
    const { value, kernels } = form([a, b], [ua, ub], [va, vb], ([x, y]) =>
      lossOf(x as tf.Tensor, y as tf.Tensor),
    );
    expect(kernels).toContain(kernel);
    for (const one of kernels) seen.add(one);
    // uᵀ·H·v by mixed differences of B alone, exact for a bilinear function.
    const h = 2 ** -6;
    const at = (s: number, t: number) =>
      op(
        tf.add(a, tf.add(tf.mul(ua, s * h), tf.mul(va, t * h))),
        tf.add(b, tf.add(tf.mul(ub, s * h), tf.mul(vb, t * h))),
      );
    const first = (s: number, t: number) => tf.div(tf.sub(at(s, t), at(-s, -t)), 2 * h);
    const mixed = tf.div(tf.add(tf.sub(at(1, 1), at(1, -1)), tf.sub(at(-1, -1), at(-1, 1))), 4 * h * h);
    const terms = tf
      .mul(c, tf.add(tf.mul(first(1, 0), first(0, 1)), tf.mul(op(a, b), mixed)))
      .dataSync<"float32">();
    const [expected, size] = [terms.reduce((x, y) => x + y, 0), terms.reduce((x, y) => x + Math.abs(y), 0)];
    expect(Math.abs(value - expected)).toBeLessThan(2e-3 * size);
  });
});

describe("the rest", () => {
  test("softmax: Σ c·log softmax(x) has the Hessian −Σc·(diag p − p·pᵀ)", () => {
    const [w, u, v] = [0, 1, 2].map((key) => numbers([1, 5], key)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const c = tf.tensor([[0.2, 0.5, 0.1, 0.7, 0.4]]);
    const { value, kernels } = form([w], [u], [v], ([x]) =>
      tf.neg(tf.sum(tf.mul(c, tf.log(tf.softmax(x as tf.Tensor2D))))),
    );
    for (const one of kernels) seen.add(one);
    const p = tf.softmax(w as tf.Tensor2D).dataSync<"float32">();
    const [us, vs] = [u.dataSync(), v.dataSync()];
    const mean = (x: ArrayLike<number>) => p.reduce((sum, share, i) => sum + share * x[i], 0);
    const expected =
      1.9 * (p.reduce((sum, share, i) => sum + share * us[i] * vs[i], 0) - mean(us) * mean(vs));
    expect(value).toBeCloseTo(expected, 5);
  });

  test("batch norm in evaluation mode, by its formula", () => {
    const shapes = [[2, 3, 3, 2], [2], [2]];
    const [w, u, v] = [0, 10, 20].map((key) =>
      shapes.map((shape, i) => numbers(shape, key + i)),
    ) as tf.Tensor[][];
    const [mean, variance] = [tf.tensor1d([0.1, -0.2]), tf.tensor1d([0.5, 1.5])];
    const c = numbers([2, 3, 3, 2], 30);
    const kernel = ([x, scale, offset]: tf.Tensor[]) =>
      tf.batchNorm(x as tf.Tensor4D, mean, variance, offset as tf.Tensor1D, scale as tf.Tensor1D, 1e-3);
    const formula = ([x, scale, offset]: tf.Tensor[]) => {
      const normal = tf.div(tf.sub(x as tf.Tensor, mean), tf.sqrt(tf.add(variance, 1e-3)));
      return tf.add(tf.mul(normal, scale as tf.Tensor), offset as tf.Tensor);
    };
    const [found, expected] = [kernel, formula].map((layer) =>
      form(w as tf.Tensor[], u as tf.Tensor[], v as tf.Tensor[], (ws) =>
        tf.sum(tf.mul(c, tf.tanh(layer(ws)))),
      ),
    );
    for (const one of found?.kernels ?? []) seen.add(one);
    expect(found?.kernels).toContain("FusedBatchNorm");
    expect(found?.value).toBeCloseTo(expected?.value as number, 4);
  });

  test("every kernel with a rule was met above", () => {
    expect(knownKernels().filter((kernel) => !seen.has(kernel))).toEqual([]);
  });

  test("a kernel without a rule, and a call that a rule refuses, are named", () => {
    const w = tf.variable(numbers([3, 3], 0));
    const image = tf.variable(numbers([1, 5, 5, 1], 0));
    const filter = tf.variable(numbers([2, 2, 1, 1], 1));
    const open = (weights: tf.Variable[], loss: () => tf.Tensor) => () =>
      secondOrder(
        recordKernels(weights, () => ({ loss: loss(), outputs: [] })),
        weights,
      );
    const before = tf.memory().numTensors;
    expect(open([w], () => tf.sum(tf.cumsum(w)))).toThrow(
      'curvature, kernel "Cumsum": expected a verified second derivative, got none',
    );
    expect(
      open([image, filter], () =>
        tf.sum(tf.conv2d(image as tf.Tensor4D, filter as tf.Tensor4D, 1, "valid", "NHWC", 2)),
      ),
    ).toThrow('kernel "Conv2D": expected a verified second derivative, got dilations');
    expect(open([w], () => tf.sum(tf.pow(2, w)))).toThrow("an exponent that depends on the weights");
    // One that the loss does not depend on is no obstacle.
    open([w], () => {
      tf.cumsum(w);
      return tf.sum(tf.square(w));
    })().dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("the engine and the registry of gradients are as before, also after a throw", () => {
    const engine = tf.engine() as unknown as { state: object; runKernelFunc: unknown };
    const facts = () => ({
      ...(engine.state as Record<string, unknown>),
      own: Object.hasOwn(engine, "runKernelFunc"),
      gradients: ["Tanh", "Relu", "Conv2D"].map((kernel) => tf.getGradient(kernel)),
      numTensors: tf.memory().numTensors,
    });
    const w = tf.variable(tf.ones([2]));
    const before = facts();
    const pick = ({
      own,
      gradients,
      gradientDepth,
      kernelDepth,
      activeTape,
      numTensors,
    }: typeof before & Record<string, unknown>) => ({
      own,
      gradients,
      gradientDepth,
      kernelDepth,
      activeTape,
      numTensors,
    });
    expect(() =>
      recordKernels([w], () => {
        tf.tanh(w);
        throw new Error("stop");
      }),
    ).toThrow("stop");
    secondOrder(
      recordKernels([w], () => ({ loss: tf.sum(tf.tanh(w)), outputs: [] })),
      [w],
    ).dispose();
    expect(pick(facts())).toEqual(pick(before));
  });

  test("a variable that is given another value later stays as it was recorded", () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const second = secondOrder(
      recordKernels([w], () => ({ loss: tf.sum(tf.pow(w, 3)), outputs: [] })),
      [w],
    );
    w.assign(tf.tensor1d([5, 5]));
    const [product] = second.hessianVector([tf.tensor1d([1, 1])]);
    expect(Array.from(product?.dataSync() ?? [])).toEqual([6, 12]);
    second.dispose();
  });
});

import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createCurvature, hessianOperator, topEigenpairs, weightBlocks } from "../../src/doors/curvature.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(useTestBackend);

const compile = (model: tf.LayersModel, loss = "meanSquaredError") => {
  model.compile({ optimizer: "sgd", loss });
  return model;
};

function sequential(...layers: tf.layers.Layer[]): tf.LayersModel {
  return compile(tf.sequential({ layers }));
}

/** θ of a model with weights that no initializer makes zero. */
async function thetaOf(
  model: tf.LayersModel,
  layout: { parameterCount: number } & Parameters<typeof readWeights>[1],
) {
  const theta = await readWeights(model, layout);
  const own = new Float32Array(theta.length);
  for (const { offset, size, role } of layout.parameters) {
    for (let i = offset; i < offset + size; i++)
      own[i] = theta[i] + (role === "kernel" ? 0 : 0.1 * Math.sin(i + 1));
    if (role === "state") for (let i = offset; i < offset + size; i++) own[i] = 0.6 + 0.3 * Math.sin(i);
  }
  return own;
}

const wave = (length: number, key: number) =>
  Float64Array.from({ length }, (_, i) => Math.sin(key * (i + 1)));

const image: [number, number, number] = [6, 6, 2];
const conv = { filters: 3, kernelSize: 3, activation: "tanh" } as const;

const MODELS: Record<string, () => tf.LayersModel> = {
  "dense, sigmoid": () =>
    sequential(
      tf.layers.dense({ inputShape: [5], units: 6, activation: "sigmoid" }),
      tf.layers.dense({ units: 2, activation: "softplus" }),
    ),
  "swish, mish, gelu": () =>
    sequential(
      tf.layers.dense({ inputShape: [5], units: 6, activation: "swish" }),
      tf.layers.dense({ units: 6, activation: "mish" }),
      tf.layers.dense({ units: 4 }),
      tf.layers.activation({ activation: "gelu" as "tanh" }),
      tf.layers.dense({ units: 2 }),
    ),
  "convolution, batch norm, average pool": () =>
    sequential(
      tf.layers.conv2d({ inputShape: image, ...conv }),
      tf.layers.batchNormalization(),
      tf.layers.averagePooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2 }),
    ),
  "depthwise, separable, global pool": () =>
    sequential(
      tf.layers.depthwiseConv2d({ inputShape: image, kernelSize: 3, depthMultiplier: 2, activation: "tanh" }),
      tf.layers.separableConv2d({ filters: 3, kernelSize: 2, activation: "tanh" }),
      tf.layers.globalAveragePooling2d({ dataFormat: "channelsLast" }),
      tf.layers.dense({ units: 2 }),
    ),
  "transposed convolution, upsampling": () =>
    sequential(
      tf.layers.conv2dTranspose({
        inputShape: image,
        filters: 2,
        kernelSize: 3,
        strides: 2,
        activation: "tanh",
      }),
      tf.layers.upSampling2d({ size: [2, 2] }),
      tf.layers.conv2d({ filters: 1, kernelSize: 3, strides: 2, activation: "tanh" }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2 }),
    ),
  "layer norm, 1-D convolution": () =>
    sequential(
      tf.layers.conv1d({ inputShape: [8, 3], filters: 4, kernelSize: 3, activation: "tanh" }),
      tf.layers.layerNormalization(),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2 }),
    ),
  LSTM: () => sequential(tf.layers.lstm({ inputShape: [4, 3], units: 3 }), tf.layers.dense({ units: 2 })),
  GRU: () => sequential(tf.layers.gru({ inputShape: [4, 3], units: 3 }), tf.layers.dense({ units: 2 })),
  "embedding, simple recurrent": () =>
    sequential(
      tf.layers.embedding({ inputShape: [4], inputDim: 5, outputDim: 3 }),
      tf.layers.simpleRNN({ units: 3 }),
      tf.layers.dense({ units: 2 }),
    ),
  "branches, sum, product": () => {
    const input = tf.input({ shape: [4] });
    const [a, b] = [1, 2].map(() => tf.layers.dense({ units: 3, activation: "tanh" }).apply(input)) as [
      tf.SymbolicTensor,
      tf.SymbolicTensor,
    ];
    const sum = tf.layers.add().apply([a, b]) as tf.SymbolicTensor;
    const product = tf.layers.multiply().apply([a, b]) as tf.SymbolicTensor;
    const joined = tf.layers.concatenate().apply([sum, product]) as tf.SymbolicTensor;
    const output = tf.layers.dense({ units: 2 }).apply(joined) as tf.SymbolicTensor;
    return compile(tf.model({ inputs: input, outputs: output }));
  },
};

function dataFor(model: tf.LayersModel, samples = 12) {
  const shape = [samples, ...((model.inputs[0] as tf.SymbolicTensor).shape.slice(1) as number[])];
  const size = shape.reduce((a, b) => a * b, 1);
  const isWhole = model.layers.some((layer) => layer.getClassName() === "Embedding");
  const values = Float32Array.from(wave(size, 1.3), (x) => (isWhole ? Math.floor(2.4 * (x + 1)) : x));
  return {
    xs: tf.tensor(values, shape),
    ys: tf.tensor2d(Float32Array.from(wave(2 * samples, 2.1)), [samples, 2]),
  };
}

describe("products of smooth models agree with differences of the gradient, and are symmetric", () => {
  test.each(Object.entries(MODELS))("%s", async (name, make) => {
    const model = make();
    const curvature = await createCurvature(model, dataFor(model));
    const theta = await thetaOf(model, curvature.layout);
    if (name.includes("upsampling") && tf.getBackend() === "cpu") {
      await expect(curvature.at(theta)).rejects.toThrow("which the plain JavaScript backend has wrong");
      return;
    }
    const before = tf.memory().numTensors;
    const point = await curvature.at(theta);
    const { parameterCount, trainableCount } = curvature.layout;
    const [u, v] = [wave(parameterCount, 0.7), wave(parameterCount, 1.9)];
    const [hu, hv] = [await point.hessianVector(u), await point.hessianVector(v)];
    const product = (a: Float64Array, b: Float64Array) => {
      return a.subarray(0, trainableCount).reduce((sum, x, i) => sum + x * b[i], 0);
    };
    const length = (a: Float64Array) => Math.sqrt(product(a, a));
    expect(Math.abs(product(u, hv) - product(v, hu))).toBeLessThan(1e-5 * length(hu) * length(v));
    point.dispose();
    const step = 4e-3;
    const gradientAt = async (factor: number) => {
      const moved = theta.map((w, i) => w + (i < trainableCount ? factor * v[i] : 0));
      const near = await curvature.at(moved);
      near.dispose();
      return near.gradient;
    };
    const difference = async (h: number) => {
      const [ahead, behind] = [await gradientAt(h), await gradientAt(-h)];
      return ahead.map((g, i) => (g - behind[i]) / (2 * h));
    };
    // Richardson: the error of order h² of the differences cancels.
    const [fine, coarse] = [await difference(step), await difference(2 * step)];
    const expected = fine.map((g, i) => (4 * g - coarse[i]) / 3);
    expect(length(hv.map((h, i) => h - expected[i])) / length(expected)).toBeLessThan(2e-3);
    expect(hv.subarray(trainableCount).every((x) => x === 0)).toBe(true);
    expect(tf.memory().numTensors).toBe(before);
    curvature.dispose();
  });
});

/** ŷ = w·x without bias: the Hessian of the mean squared error is 2·mean(x·xᵀ). */
function linearModel(options: { l2?: number } = {}): tf.LayersModel {
  const kernelRegularizer = options.l2 === undefined ? undefined : tf.regularizers.l2({ l2: options.l2 });
  return sequential(
    tf.layers.dense({
      inputShape: [3],
      units: 1,
      useBias: false,
      ...(kernelRegularizer ? { kernelRegularizer } : {}),
    }),
  );
}

const xs = [
  [1, 2, 0],
  [0, 1, -1],
  [2, 0, 1],
  [1, 1, 1],
  [3, -1, 0],
];
const second = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (2 / 5) * xs.reduce((s, x) => s + x[i] * x[j], 0)));
const linearData = () => ({ xs: tf.tensor2d(xs), ys: tf.tensor2d([1, 0, 2, -1, 3], [5, 1]) });
const theta = Float32Array.of(0.5, -1, 2);

describe("a quadratic loss", () => {
  test("the Hessian is that of the mean over samples, whatever the batches and what is kept", async () => {
    const model = linearModel();
    for (const options of [
      {},
      { batchSize: 2 },
      { batchSize: 1, keepBytes: 0 },
      { batchSize: 3, keepBytes: 500 },
    ]) {
      const curvature = await createCurvature(model, linearData(), options);
      const point = await curvature.at(theta);
      for (let j = 0; j < 3; j++) {
        const e = Float64Array.of(j === 0 ? 1 : 0, j === 1 ? 1 : 0, j === 2 ? 1 : 0);
        for (const how of ["hessianVector", "gaussNewtonVector"] as const) {
          const column = await point[how](e);
          column.forEach((value, i) => {
            expect(value).toBeCloseTo(second[i]?.[j] as number, 5);
          });
        }
      }
      point.dispose();
      curvature.dispose();
    }
  });

  test("penalties count where they are asked for", async () => {
    const model = linearModel({ l2: 0.25 });
    const diagonalOf = async (includeRegularization: boolean) => {
      const curvature = await createCurvature(model, linearData(), { includeRegularization });
      const point = await curvature.at(theta);
      const product = await point.hessianVector(Float64Array.of(1, 0, 0));
      point.dispose();
      return { loss: point.loss, value: product[0] as number, gradient: point.gradient[1] as number };
    };
    const [without, whole] = [await diagonalOf(false), await diagonalOf(true)];
    expect(whole.value - without.value).toBeCloseTo(0.5, 5);
    expect(whole.gradient - without.gradient).toBeCloseTo(0.5 * -1, 5);
    expect(whole.loss - without.loss).toBeCloseTo(0.25 * 5.25, 5);
  });

  test("a model without penalties has none, where they are asked for", async () => {
    const curvature = await createCurvature(linearModel(), linearData(), { includeRegularization: true });
    const plain = await createCurvature(linearModel(), linearData());
    const [point, other] = [await curvature.at(theta), await plain.at(theta)];
    expect(point.loss).toBe(other.loss);
    expect(await point.hessianVector(Float64Array.of(1, 0, 0))).toEqual(
      await other.hessianVector(Float64Array.of(1, 0, 0)),
    );
    point.dispose();
    other.dispose();
  });

  test("weights of samples count as in fit: the mean of weight · loss", async () => {
    const sampleWeight = tf.tensor1d([0, 2, 1, 0, 3]);
    const curvature = await createCurvature(linearModel(), { ...linearData(), sampleWeight });
    const point = await curvature.at(theta);
    const product = await point.hessianVector(Float64Array.of(1, 0, 0));
    const expected = (2 / 5) * [0, 2, 1, 0, 3].reduce((s, w, i) => s + w * (xs[i]?.[0] as number) ** 2, 0);
    expect(product[0]).toBeCloseTo(expected, 5);
    point.dispose();
  });

  test("a loss of one's own, and the model as it was", async () => {
    const model = linearModel();
    const before = Array.from(model.getWeights()[0]?.dataSync() ?? []);
    const curvature = await createCurvature(model, linearData(), {
      lossFunction: (own, x, y) => {
        const gap = tf.sub(own.apply(x as tf.Tensor, { training: false }) as tf.Tensor, y as tf.Tensor);
        return tf.mean(tf.pow(gap, 4), 1);
      },
    });
    const point = await curvature.at(theta);
    const product = await point.hessianVector(Float64Array.of(1, 0, 0));
    const gaps = xs.map(
      (x, i) => x.reduce((s, value, k) => s + value * theta[k], 0) - ([1, 0, 2, -1, 3][i] as number),
    );
    const expected = xs.reduce((s, x, i) => s + (12 / 5) * (gaps[i] as number) ** 2 * x[0] * x[0], 0);
    expect(product[0]).toBeCloseTo(expected, 3);
    await expect(point.gaussNewtonVector(Float64Array.of(1, 0, 0))).rejects.toThrow(
      "Gauss-Newton product: expected a compiled loss on the model's outputs, got a function of your own",
    );
    expect(Array.from(model.getWeights()[0]?.dataSync() ?? [])).toEqual(before);
    point.dispose();
  });
});

test("a product runs each convolution as often as it must: kept values are used, a bias is not written out", async () => {
  const model = sequential(
    tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3, activation: "relu" }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.conv2d({ filters: 3, kernelSize: 2, activation: "relu" }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 2 }),
  );
  const data = { xs: tf.randomNormal([4, 8, 8, 1], 0, 1, "float32", 1), ys: tf.ones([4, 2]) };
  const curvature = await createCurvature(model, data);
  const point = await curvature.at(await thetaOf(model, curvature.layout));
  const vector = wave(curvature.layout.parameterCount, 1);
  await point.hessianVector(vector);
  const engine = tf.engine() as unknown as {
    runKernelFunc(call: { readonly kernelName?: string }): unknown;
  };
  const calls = vi.spyOn(engine, "runKernelFunc");
  await point.hessianVector(vector);
  const kernels = calls.mock.calls.map(([{ kernelName }]) => kernelName);
  calls.mockRestore();
  point.dispose();
  curvature.dispose();
  const count = (name: string) => kernels.filter((kernel) => kernel === name).length;
  // (x, Ẇ) of both layers and (ẋ, W) of the second; (dy˙, x) of both and (dy, ẋ) of the second.
  expect([count("Conv2D"), count("Conv2DBackpropFilter")]).toEqual([3, 3]);
  expect([count("Tile"), count("GatherV2")]).toEqual([0, 0]);
});

describe("clear results and errors", () => {
  test("a zero gradient at a minimum", async () => {
    const model = linearModel();
    const data = { xs: tf.tensor2d(xs), ys: tf.zeros([5, 1]) };
    const point = await (await createCurvature(model, data)).at(new Float32Array(3));
    expect(point.loss).toBe(0);
    expect(Array.from(point.gradient, Math.abs)).toEqual([0, 0, 0]);
    expect((await point.hessianVector(Float64Array.of(0, 0, 1)))[2]).toBeCloseTo(second[2]?.[2] as number, 5);
    expect(Array.from(await point.hessianVector(new Float64Array(3)))).toEqual([0, 0, 0]);
  });

  test("a loss that is not finite, a θ or vector of another length, a point that is disposed", async () => {
    const curvature = await createCurvature(linearModel(), linearData());
    await expect(curvature.at(Float32Array.of(Number.NaN, 0, 0))).rejects.toThrow(
      "curvature: expected a finite loss and gradient at θ, got a loss of NaN",
    );
    await expect(curvature.at(Float32Array.of(3e30, 0, 0))).rejects.toThrow("a finite loss");
    await expect(curvature.at(new Float32Array(2))).rejects.toThrow("theta: expected 3 weights, got 2");
    const point = await curvature.at(theta);
    await expect(point.hessianVector(new Float64Array(4))).rejects.toThrow(
      "vector: expected 3 weights, got 4",
    );
    point.dispose();
    await expect(point.hessianVector(new Float64Array(3))).rejects.toThrow("expected a point in use");
    curvature.dispose();
    await expect(curvature.at(theta)).rejects.toThrow("expected one in use");
  });

  test("layers without weights have no block; a selection that leaves nothing is refused", async () => {
    const model = sequential(
      tf.layers.dense({ inputShape: [3], units: 2, name: "first" }),
      tf.layers.activation({ activation: "tanh" }),
      tf.layers.dense({ units: 1, name: "last" }),
    );
    const curvature = await createCurvature(model, linearData());
    const layers = weightBlocks(curvature.layout, "layer").map(({ name }) => name);
    expect(layers).toHaveLength(2);
    expect(layers[0]).toMatch(/first/);
    expect(weightBlocks(curvature.layout, "role").map(({ name }) => name)).toEqual(["kernel", "bias"]);
    expect(() => weightBlocks(curvature.layout, "size" as "role")).toThrow(
      'by: expected "weight", "layer" or "role"',
    );
    const point = await curvature.at(await thetaOf(model, curvature.layout));
    expect(() => hessianOperator(point, curvature.layout, { select: () => false })).toThrow(
      "columns: expected",
    );
    expect(() => hessianOperator(point, curvature.layout, { matrix: "fisher" as "hessian" })).toThrow(
      "matrix: expected",
    );
    // A block is the part of the whole matrix.
    const whole = hessianOperator(point, curvature.layout);
    const [block] = weightBlocks(curvature.layout, "layer").map(({ select }) =>
      hessianOperator(point, curvature.layout, { select }),
    );
    const x = wave(block?.size ?? 0, 1);
    const padded = new Float64Array(whole.size);
    padded.set(x);
    const [part, all] = [await block?.apply(x), await whole.apply(padded)];
    part?.forEach((value, i) => {
      expect(value).toBeCloseTo(all[i] as number, 6);
    });
    point.dispose();
  });

  test("the compiled crossentropy on a softmax: its Hessian, but no Gauss-Newton product", async () => {
    const model = compile(
      tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 3, activation: "softmax" })] }),
      "categoricalCrossentropy",
    );
    const data = { xs: tf.tensor2d(xs), ys: tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1], "int32"), 3).toFloat() };
    const v = wave(12, 1);
    const products = await Promise.all(
      (["model", "logits"] as const).map(async (loss) => {
        const curvature = await createCurvature(model, data, { loss });
        const own = wave(12, 0.3);
        const point = await curvature.at(Float32Array.from(own));
        if (loss === "model") {
          await expect(point.gaussNewtonVector(v)).rejects.toThrow('use loss: "logits"');
        }
        return point.hessianVector(v);
      }),
    );
    products[0]?.forEach((value, i) => {
      expect(value).toBeCloseTo(products[1]?.[i] as number, 4);
    });
  });

  test("a gradient of one's own that is no derivative is found", async () => {
    const straight = tf.customGrad((x) => ({
      value: tf.square(x as tf.Tensor),
      gradFunc: (dy) => dy as tf.Tensor,
    }));
    const curvature = await createCurvature(linearModel(), linearData(), {
      lossFunction: (own, x) => tf.mean(straight(own.apply(x as tf.Tensor) as tf.Tensor), 1),
    });
    await expect(curvature.at(theta)).rejects.toThrow(
      "expected TensorFlow.js's own gradient, got one that differs by",
    );
  });
});

test("full-batch gradient descent on a tanh network hovers at the edge: λ₁ is near 2/η", async () => {
  const rate = 0.4;
  const model = sequential(
    tf.layers.dense({
      inputShape: [2],
      units: 16,
      activation: "tanh",
      kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }),
    }),
    tf.layers.dense({
      units: 16,
      activation: "tanh",
      kernelInitializer: tf.initializers.glorotNormal({ seed: 4 }),
    }),
    tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotNormal({ seed: 5 }) }),
  );
  const inputs = Float32Array.from(wave(40, 0.9), (x) => 2 * x);
  const targets = Float32Array.from(
    { length: 20 },
    (_, i) => Math.sin(3 * inputs[2 * i]) * Math.cos(2 * inputs[2 * i + 1]),
  );
  const data = { xs: tf.tensor2d(inputs, [20, 2]), ys: tf.tensor2d(targets, [20, 1]) };
  const optimizer = tf.train.sgd(rate);
  const tops: number[] = [];
  const curvature = await createCurvature(model, data);
  for (let step = 1; step <= 1200; step++) {
    optimizer.minimize(
      () => tf.losses.meanSquaredError(data.ys, model.apply(data.xs) as tf.Tensor) as tf.Scalar,
    );
    if (step < 1000 || step % 20 !== 0) continue;
    const point = await curvature.at(await readWeights(model, curvature.layout));
    const { values } = await topEigenpairs(hessianOperator(point, curvature.layout), {
      count: 1,
      which: "largest",
    });
    tops.push(values[0] as number);
    point.dispose();
  }
  const mean = tops.reduce((a, b) => a + b, 0) / tops.length;
  expect(Math.abs(mean - 2 / rate)).toBeLessThan((0.1 * 2) / rate);
});

/** Running sums: smooth, and without an exact second derivative. */
class RunningSum extends tf.layers.Layer {
  static readonly className = "RunningSum";
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.cumsum(Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs, 1);
  }
}

describe("products by differences of gradients", () => {
  let xs: tf.Tensor;
  let ys: tf.Tensor;
  // Made on the backend that is tested: a reshaped tensor does not move to another one.
  beforeAll(() => {
    xs = tf.tidy(() => tf.sin(tf.mul(tf.range(0, 40), 1.7)).reshape([8, 5]));
    ys = tf.tidy(() => tf.cos(tf.range(0, 16)).reshape([8, 2]));
  });
  const network = (activation: "tanh" | "relu", ...between: tf.layers.Layer[]) =>
    sequential(
      tf.layers.dense({
        inputShape: [5],
        units: 6,
        activation,
        kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }),
      }),
      ...between,
      tf.layers.dense({ units: 2, kernelInitializer: tf.initializers.glorotUniform({ seed: 4 }) }),
    );
  const open = async (model: tf.LayersModel, products: "exact" | "differences") => {
    const curvature = await createCurvature(model, { xs, ys }, { products });
    return { curvature, point: await curvature.at(await thetaOf(model, curvature.layout)) };
  };

  test("agree with exact ones on a smooth network, with their error, and have another digest", async () => {
    const model = network("tanh");
    const [exact, differences] = [await open(model, "exact"), await open(model, "differences")];
    const size = exact.curvature.layout.parameterCount;
    const vector = wave(size, 2.3);
    const [a, b] = [await exact.point.hessianVector(vector), await differences.point.hessianVector(vector)];
    const norm = (values: Float64Array) => Math.hypot(...values);
    expect(norm(a.map((value, i) => value - (b[i] as number)))).toBeLessThan(2e-3 * norm(a));
    expect(differences.point.loss).toBeCloseTo(exact.point.loss, 6);
    expect(exact.point.differenceError).toBeUndefined();
    expect(differences.point.differenceError).toBeGreaterThan(0);
    expect(differences.point.differenceError).toBeLessThan(0.01);
    expect(differences.curvature.warnings.map(({ code }) => code)).toEqual(["differences"]);
    expect(differences.curvature.modelDigest).not.toBe(exact.curvature.modelDigest);
    await expect(differences.point.gaussNewtonVector(vector)).rejects.toThrow(
      "Gauss-Newton product: expected exact products, got differences of gradients",
    );
    const { values, residuals } = await topEigenpairs(
      hessianOperator(differences.point, differences.curvature.layout),
      {
        count: 1,
        tolerance: 0.01,
      },
    );
    expect(residuals[0]).toBeLessThan(0.01 * Math.abs(values[0] as number));
    exact.point.dispose();
  });

  test("stand in for a kernel without an exact one, which names them", async () => {
    const model = network("tanh", new RunningSum({}));
    await expect(open(model, "exact")).rejects.toThrow(/"Cumsum".*products: "differences"/s);
    const tensors = tf.memory().numTensors;
    const { curvature, point } = await open(model, "differences");
    const [u, v] = [wave(curvature.layout.parameterCount, 0.7), wave(curvature.layout.parameterCount, 1.9)];
    const [hu, hv] = [await point.hessianVector(u), await point.hessianVector(v)];
    const dot = (a: Float64Array, b: Float64Array) =>
      a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
    expect(Math.abs(dot(u, hv) - dot(v, hu))).toBeLessThan(1e-2 * Math.sqrt(dot(hu, hu) * dot(v, v)));
    point.dispose();
    curvature.dispose();
    expect(tf.memory().numTensors).toBeLessThanOrEqual(tensors);
  });

  test("are refused where the network or the loss has kinks, and as another word", async () => {
    await expect(open(network("relu"), "differences")).rejects.toThrow(
      'expected a smooth network, got one with kinks (kernel "Relu")',
    );
    const model = network("tanh");
    model.compile({ optimizer: "sgd", loss: "meanAbsoluteError" });
    // All residuals are 0: each step crosses every kink.
    const own = model.predict(xs) as tf.Tensor;
    const curvature = await createCurvature(model, { xs, ys: own }, { products: "differences" });
    await expect(curvature.at(await readWeights(model, curvature.layout))).rejects.toThrow(
      /change by at most 5 % between half and double the step, got a change of/,
    );
    await expect(createCurvature(model, { xs, ys }, { products: "about" as "exact" })).rejects.toThrow(
      'products: expected "exact" or "differences", got "about"',
    );
  });
});

import * as tf from "@tensorflow/tfjs";

/** A network of the surface bench. */
export interface SurfaceModel {
  /** Shape of one image, channels last. */
  readonly shape: readonly [number, number, number];
  /** Images a point. */
  readonly samples: number;
  make(): tf.LayersModel;
}

let seed = 0;
const kernelInitializer = () => tf.initializers.heNormal({ seed: ++seed });

function dense(name: string, units: number, activation: "relu" | "softmax"): tf.layers.Layer {
  return tf.layers.dense({ name, units, activation, kernelInitializer: kernelInitializer() });
}

function mlp(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [28, 28, 1] }),
      dense("fc1", 128, "relu"),
      dense("fc2", 64, "relu"),
      dense("fc3", 10, "softmax"),
    ],
  });
}

function lenet(): tf.LayersModel {
  const conv = (name: string, filters: number, inputShape?: [number, number, number]) =>
    tf.layers.conv2d({
      name,
      filters,
      kernelSize: 3,
      activation: "relu",
      kernelInitializer: kernelInitializer(),
      ...(inputShape === undefined ? {} : { inputShape }),
    });
  return tf.sequential({
    layers: [
      conv("conv1", 16, [28, 28, 1]),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      conv("conv2", 32),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      dense("fc1", 64, "relu"),
      dense("fc2", 10, "softmax"),
    ],
  });
}

/** ResNet of 6n + 2 layers for CIFAR: convolutions without bias, projections where the size changes. */
function resnet(n: number): tf.LayersModel {
  const normalized = (
    x: tf.SymbolicTensor,
    name: string,
    filters: number,
    {
      kernelSize = 3,
      strides = 1,
      gamma = 1,
    }: { kernelSize?: number; strides?: number; gamma?: number } = {},
  ): tf.SymbolicTensor => {
    // PyTorch pads strided convolutions alike on all sides; "same" would pad the far sides only.
    const isPadded = strides > 1 && kernelSize > 1;
    const source = isPadded ? (tf.layers.zeroPadding2d({ padding: 1 }).apply(x) as tf.SymbolicTensor) : x;
    const conv = tf.layers.conv2d({
      name: `${name}_conv`,
      filters,
      kernelSize,
      strides,
      padding: isPadded ? "valid" : "same",
      useBias: false,
      kernelInitializer: kernelInitializer(),
    });
    const gammaInitializer = tf.initializers.constant({ value: gamma });
    const norm = tf.layers.batchNormalization({ name: `${name}_bn`, epsilon: 1e-5, gammaInitializer });
    return norm.apply(conv.apply(source)) as tf.SymbolicTensor;
  };
  const relu = (x: tf.SymbolicTensor) => tf.layers.reLU().apply(x) as tf.SymbolicTensor;
  const input = tf.input({ shape: [32, 32, 3] });
  let x = relu(normalized(input, "stem", 16));
  [16, 32, 64].forEach((filters, stage) => {
    for (let block = 0; block < n; block++) {
      const name = `s${stage}b${block}`;
      const strides = stage > 0 && block === 0 ? 2 : 1;
      // A small γ on the branch keeps the activations of an untrained network of any depth in range.
      const first = relu(normalized(x, `${name}a`, filters, { strides }));
      const branch = normalized(first, `${name}b`, filters, { gamma: 0.3 });
      const short = strides === 1 ? x : normalized(x, `${name}p`, filters, { kernelSize: 1, strides });
      x = relu(tf.layers.add().apply([branch, short]) as tf.SymbolicTensor);
    }
  });
  const pooled = tf.layers.globalAveragePooling2d({}).apply(x) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: dense("fc", 10, "softmax").apply(pooled) as tf.SymbolicTensor });
}

/** The networks by case name. */
export const surfaceModels: Readonly<Record<string, SurfaceModel>> = {
  mlp: { shape: [28, 28, 1], samples: 10_000, make: mlp },
  lenet: { shape: [28, 28, 1], samples: 10_000, make: lenet },
  resnet20: { shape: [32, 32, 3], samples: 5_000, make: () => resnet(3) },
  resnet56: { shape: [32, 32, 3], samples: 5_000, make: () => resnet(9) },
};

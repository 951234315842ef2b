import { type Graph, type GraphNode, type OpOf, sizeOf, type UnaryKind, type ValueId } from "./graph.js";

/** What a sample is interpreted with. */
export interface Interpreted {
  readonly graph: Graph;
  /** The graph's weights, in its order. */
  readonly weights: readonly Float32Array[];
  /** The numbers of this sample for an input of the graph. */
  readonly input: (name: string) => Float32Array;
}

/**
 * Computes some nodes of a graph for one sample, in float64, as IEEE arithmetic has it: NaN and infinity propagate
 * through every operation, pools and maxima too.
 *
 * The reference for what engines compute; slow, since it is plain JavaScript (some 10⁹ multiplications in a second).
 *
 * @param nodes - which nodes, in the graph's order, with all that they use.
 * @param see - gets each value; computing ends where it returns false.
 */
export function interpretSample(
  { graph, weights, input }: Interpreted,
  nodes: readonly ValueId[],
  see: (id: ValueId, value: Float64Array) => boolean,
): void {
  const values: Float64Array[] = [];
  const shapeOf = (id: ValueId) => (graph.nodes[id] as GraphNode).shape;
  const read = (id: ValueId) => values[id] as Float64Array;
  const weightOf = (id: number) => weights[id] as Float32Array;
  const compute = (node: GraphNode): Float64Array => {
    switch (node.op) {
      case "input":
        return Float64Array.from(input(node.name));
      case "constant":
        return Float64Array.of(node.value);
      case "weight":
        return Float64Array.from(weightOf(node.weight));
      case "conv2d":
      case "depthwiseConv2d":
        return convolution(node, read(node.x), shapeOf(node.x), weightOf(node.kernel), graph);
      case "dense":
        return dense(node, read(node.x), weightOf(node.kernel));
      case "affine": {
        const [scale, shift] = [weightOf(node.scale), weightOf(node.shift)];
        return read(node.x).map((x, i) => x * scale[i % scale.length] + shift[i % shift.length]);
      }
      case "pool":
        return pool(node, read(node.x), shapeOf(node.x));
      case "globalPool":
        return globalPool(node.kind, read(node.x), shapeOf(node.x));
      case "pad":
        return padded(node, read(node.x), shapeOf(node.x));
      case "unary":
        return read(node.x).map(unary[node.kind]);
      case "leakyRelu":
        return read(node.x).map((x) => (x < 0 ? node.slope * x : x));
      case "clip":
        return read(node.x).map((x) => Math.min(Math.max(x, node.min), node.max));
      case "binary":
        return binary(node, read, shapeOf);
      case "softmax":
        return alongRows(read(node.x), node.shape, (row) => {
          const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
          const powers = row.map((x) => Math.exp(x - largest));
          const sum = powers.reduce((a, b) => a + b, 0);
          return powers.map((power) => power / sum);
        });
      case "logSoftmax":
        return alongRows(read(node.x), node.shape, (row) => {
          const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
          const sum = row.reduce((a, b) => a + Math.exp(b - largest), 0);
          return row.map((x) => x - largest - Math.log(sum));
        });
      case "reduce":
        return alongRows(read(node.x), shapeOf(node.x), (row) => Float64Array.of(reduced(node.kind, row)));
      case "concat":
        return joined(node, read, shapeOf);
      case "reshape":
        return read(node.x);
      case "permute":
        return permuted(node.axes, read(node.x), shapeOf(node.x));
      default:
        throw new RangeError(`interpretSample: expected an operation of a network, got "${node.op}"`);
    }
  };
  for (const id of nodes) {
    const node = graph.nodes[id] as GraphNode;
    let value = compute(node);
    if ("bias" in node && node.bias !== null) {
      const bias = weightOf(node.bias);
      value = value.map((x, i) => x + bias[i % bias.length]);
    }
    values[id] = value;
    if (!see(id, value)) return;
  }
}

const unary: Readonly<Record<UnaryKind, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  elu: (x) => (x >= 0 ? x : Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x >= 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  erf: errorFunction,
  exp: Math.exp,
  log: Math.log,
  abs: Math.abs,
  neg: (x) => -x,
  sqrt: Math.sqrt,
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
};

/** To 1.5e-7, which is enough for what is finite (Abramowitz and Stegun 7.1.26). */
function errorFunction(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const polynomial = factors.reduce((sum, factor) => (sum + factor) * t, 0);
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

function convolution(
  node: OpOf<"conv2d" | "depthwiseConv2d"> & { readonly shape: readonly number[] },
  x: Float64Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
  kernel: Float32Array,
  { weights }: Graph,
): Float64Array {
  const { size, strides, dilations, padding } = node.window;
  const [rows, columns, outputs] = node.shape as readonly [number, number, number];
  const isDepthwise = node.op === "depthwiseConv2d";
  const multiplier = weights[node.kernel]?.shape.at(-1) ?? 1;
  const result = new Float64Array(rows * columns * outputs);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const to = (row * columns + column) * outputs;
      for (let h = 0; h < size[0]; h++) {
        const y = row * strides[0] + h * dilations[0] - padding.top;
        if (y < 0 || y >= height) continue;
        for (let w = 0; w < size[1]; w++) {
          const at = column * strides[1] + w * dilations[1] - padding.left;
          if (at < 0 || at >= width) continue;
          const from = (y * width + at) * channels;
          const taps = (h * size[1] + w) * channels * multiplier;
          for (let c = 0; c < channels; c++) {
            const value = x[from + c];
            const first = taps + c * multiplier;
            const target = isDepthwise ? to + c * multiplier : to;
            for (let o = 0; o < multiplier; o++) result[target + o] += value * kernel[first + o];
          }
        }
      }
    }
  }
  return result;
}

function dense(
  { shape }: { readonly shape: readonly number[] },
  x: Float64Array,
  kernel: Float32Array,
): Float64Array {
  const outputs = shape.at(-1) as number;
  const inputs = kernel.length / outputs;
  const result = new Float64Array(sizeOf(shape));
  for (let row = 0; row < x.length / inputs; row++) {
    for (let i = 0; i < inputs; i++) {
      const value = x[row * inputs + i];
      for (let o = 0; o < outputs; o++) result[row * outputs + o] += value * kernel[i * outputs + o];
    }
  }
  return result;
}

/** Padding does not count in means. */
function pool(
  { kind, window, shape }: OpOf<"pool"> & { readonly shape: readonly number[] },
  x: Float64Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
): Float64Array {
  const { size, strides, padding } = window;
  const [rows, columns] = shape as readonly [number, number, number];
  const result = new Float64Array(sizeOf(shape));
  for (let i = 0; i < result.length; i++) {
    const channel = i % channels;
    const [row, column] = [Math.floor(i / channels / columns), Math.floor(i / channels) % columns];
    if (row >= rows) break;
    const part: number[] = [];
    for (let h = 0; h < size[0]; h++) {
      for (let w = 0; w < size[1]; w++) {
        const [y, at] = [row * strides[0] + h - padding.top, column * strides[1] + w - padding.left];
        if (y >= 0 && y < height && at >= 0 && at < width)
          part.push(x[(y * width + at) * channels + channel]);
      }
    }
    result[i] = kind === "max" ? Math.max(...part) : part.reduce((a, b) => a + b, 0) / part.length;
  }
  return result;
}

function globalPool(
  kind: "max" | "mean",
  x: Float64Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
): Float64Array {
  const result = new Float64Array(channels).fill(kind === "max" ? Number.NEGATIVE_INFINITY : 0);
  x.forEach((value, i) => {
    const channel = i % channels;
    result[channel] = kind === "max" ? Math.max(result[channel], value) : result[channel] + value;
  });
  return kind === "max" ? result : result.map((sum) => sum / (height * width));
}

function padded(
  { padding, shape }: OpOf<"pad"> & { readonly shape: readonly number[] },
  x: Float64Array,
  [height = 1, width = 1, channels = 1]: readonly number[],
): Float64Array {
  const result = new Float64Array(sizeOf(shape));
  const wide = shape[1] as number;
  for (let row = 0; row < height; row++) {
    const to = ((row + padding.top) * wide + padding.left) * channels;
    result.set(x.subarray(row * width * channels, (row + 1) * width * channels), to);
  }
  return result;
}

function binary(
  node: OpOf<"binary"> & { readonly shape: readonly number[] },
  read: (id: ValueId) => Float64Array,
  shapeOf: (id: ValueId) => readonly number[],
): Float64Array {
  const [x, y] = [read(node.x), read(node.y)];
  const [placeX, placeY] = [broadcast(shapeOf(node.x), node.shape), broadcast(shapeOf(node.y), node.shape)];
  return Float64Array.from({ length: sizeOf(node.shape) }, (_, i) => {
    const [a, b] = [x[placeX(i)], y[placeY(i)]];
    switch (node.kind) {
      case "add":
        return a + b;
      case "sub":
        return a - b;
      case "mul":
        return a * b;
      case "div":
        return a / b;
      case "maximum":
        return Math.max(a, b);
      case "minimum":
        return Math.min(a, b);
      case "greater":
        return a > b ? 1 : 0;
      case "less":
        return a < b ? 1 : 0;
      case "equal":
        return a === b ? 1 : 0;
    }
  });
}

/** Where an entry of the result comes from: shapes align at the last axis, lengths of 1 stretch. */
function broadcast(own: readonly number[], shape: readonly number[]): (index: number) => number {
  if (own.length === shape.length && own.every((length, axis) => length === shape[axis])) return (i) => i;
  return (index) => {
    let [rest, place, stride] = [index, 0, 1];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] as number;
      const mine = own[axis - shape.length + own.length] ?? 1;
      place += mine === 1 ? 0 : (rest % length) * stride;
      stride *= mine;
      rest = Math.floor(rest / length);
    }
    return place;
  };
}

function reduced(kind: "sum" | "mean" | "max" | "argMax", row: Float64Array): number {
  if (kind === "max") return row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (kind === "argMax") return row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
  const sum = row.reduce((a, b) => a + b, 0);
  return kind === "sum" ? sum : sum / row.length;
}

function alongRows(
  x: Float64Array,
  shape: readonly number[],
  map: (row: Float64Array) => Float64Array,
): Float64Array {
  const width = shape.at(-1) ?? 1;
  const rows = Array.from({ length: x.length / width }, (_, i) =>
    map(x.subarray(i * width, (i + 1) * width)),
  );
  const result = new Float64Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    result.set(row, at);
    at += row.length;
  }
  return result;
}

function joined(
  { xs, axis, shape }: OpOf<"concat"> & { readonly shape: readonly number[] },
  read: (id: ValueId) => Float64Array,
  shapeOf: (id: ValueId) => readonly number[],
): Float64Array {
  const result = new Float64Array(sizeOf(shape));
  const blocks = sizeOf(shape.slice(0, axis));
  const stride = sizeOf(shape.slice(axis));
  let before = 0;
  for (const id of xs) {
    const own = sizeOf(shapeOf(id).slice(axis));
    for (let block = 0; block < blocks; block++) {
      result.set(read(id).subarray(block * own, (block + 1) * own), block * stride + before);
    }
    before += own;
  }
  return result;
}

function permuted(axes: readonly number[], x: Float64Array, shape: readonly number[]): Float64Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const lengths = axes.map((axis) => shape[axis] as number);
  return x.map((_, index) => {
    let [rest, from] = [index, 0];
    for (let k = axes.length - 1; k >= 0; k--) {
      from += (rest % (lengths[k] as number)) * (strides[axes[k] as number] as number);
      rest = Math.floor(rest / (lengths[k] as number));
    }
    return x[from] as number;
  });
}

import type { OnnxAttribute, OnnxNode, OnnxPort, OnnxTensor } from "../../../backend/onnx-model.js";
import type { GraphNode, ValueId, WeightId } from "../plan/graph.js";

/** How ONNX wants a weight that is in Keras's layout. */
export type WeightLayout =
  | { readonly kind: "same" }
  /** [height, width, in, out] to [out, in, height, width]. */
  | { readonly kind: "convolution" }
  /** [height, width, in, multiplier] to [in·multiplier, 1, height, width]. */
  | { readonly kind: "depthwise" }
  /** A dense kernel on a flattened image: its rows from (height, width, channel) to (channel, height, width). */
  | { readonly kind: "flattened"; readonly image: readonly [number, number, number] };

/** Returns the shape of a weight in a layout. */
export function layoutShape(shape: readonly number[], { kind }: WeightLayout): readonly number[] {
  const [height = 1, width = 1, inputs = 1, outputs = 1] = shape;
  if (kind === "convolution") return [outputs, inputs, height, width];
  return kind === "depthwise" ? [inputs * outputs, 1, height, width] : shape;
}

/** Returns a weight's values in a layout; the same array where nothing moves. */
export function inLayout(values: Float32Array, shape: readonly number[], layout: WeightLayout): Float32Array {
  switch (layout.kind) {
    case "same":
      return values;
    case "convolution":
    case "depthwise": {
      // Both are a matrix (pixels × channels) turned: (in, out) pairs run fastest in Keras's layouts.
      const pixels = (shape[0] as number) * (shape[1] as number);
      const [inputs, outputs] = [shape[2] as number, shape[3] as number];
      return layout.kind === "depthwise"
        ? transposed(values, pixels, inputs * outputs)
        : outputsFirst(values, pixels, inputs, outputs);
    }
    case "flattened": {
      const [height, width, channels] = layout.image;
      return rowsByChannel(values, height * width, channels);
    }
  }
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c] as number;
  }
  return result;
}

function outputsFirst(values: Float32Array, pixels: number, inputs: number, outputs: number): Float32Array {
  const result = new Float32Array(values.length);
  let from = 0;
  for (let p = 0; p < pixels; p++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) result[(o * inputs + i) * pixels + p] = values[from++] as number;
    }
  }
  return result;
}

function rowsByChannel(values: Float32Array, pixels: number, channels: number): Float32Array {
  const result = new Float32Array(values.length);
  const units = values.length / (pixels * channels);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < channels; c++) {
      const row = p * channels + c;
      result.set(values.subarray(row * units, (row + 1) * units), (c * pixels + p) * units);
    }
  }
  return result;
}

/** The order of an image's axes; values of other ranks have one order only. */
export type ImageOrder = "channelsLast" | "channelsFirst";

/** A weight as an initializer: which one, and in what layout. */
export interface WeightSlot {
  readonly name: string;
  readonly weight: WeightId;
  readonly layout: WeightLayout;
  readonly dims: readonly number[];
}

/** Gathers the nodes of an ONNX graph and knows under what name a value is there, in which order. */
export interface OnnxWriter {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: OnnxPort[];
  readonly constants: readonly OnnxTensor[];
  readonly slots: readonly WeightSlot[];
  /** Adds an operation under a new name, or under the one given; returns it. */
  emit(type: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
  /** Says under what name a value is there. */
  put(value: ValueId, order: ImageOrder, name: string): void;
  /** Returns the name of a value in an order; an image is turned round (once) where need be. */
  get(value: ValueId, order: ImageOrder): string;
  /** The order in which a value is there; channels first if in both. */
  orderOf(value: ValueId): ImageOrder;
  shapeOf(value: ValueId): readonly number[];
  /** Whether a value is an image of each sample (a weight of three axes is not). */
  isImage(value: ValueId): boolean;
  floats(values: readonly number[], dims?: readonly number[]): string;
  integers(values: readonly number[]): string;
  weight(weight: WeightId, shape: readonly number[], layout?: WeightLayout): string;
}

/** Creates a writer for the nodes of a graph. */
export function createOnnxWriter(graphNodes: readonly GraphNode[]): OnnxWriter {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const slots = new Map<string, WeightSlot>();
  const names = new Map<ValueId, Partial<Record<ImageOrder, string>>>();
  let count = 0;

  const constant = (key: string, tensor: Omit<OnnxTensor, "name">): string => {
    const name = `constant:${key}`;
    if (!constants.some((known) => known.name === name)) constants.push({ name, ...tensor });
    return name;
  };
  const writer: OnnxWriter = {
    nodes,
    inputs: [],
    constants,
    get slots() {
      return [...slots.values()];
    },
    emit(type, inputs, attributes = {}) {
      const output = `value:${count++}`;
      nodes.push({ type, inputs, output, attributes });
      return output;
    },
    put(value, order, name) {
      names.set(value, { ...names.get(value), [order]: name });
    },
    get(value, order) {
      const known = names.get(value) ?? {};
      const name = known[order];
      if (name !== undefined) return name;
      const other = known[order === "channelsLast" ? "channelsFirst" : "channelsLast"] as string;
      const shape = writer.shapeOf(value);
      const turned = writer.isImage(value) ? turnImage(writer, other, shape, order) : other;
      writer.put(value, order, turned);
      return turned;
    },
    orderOf: (value) => (names.get(value)?.channelsFirst === undefined ? "channelsLast" : "channelsFirst"),
    shapeOf: (value) => (graphNodes[value] as GraphNode).shape,
    isImage: (value) => writer.shapeOf(value).length === 3 && graphNodes[value]?.op !== "weight",
    floats: (values, dims = [values.length]) =>
      constant(`f${dims.join("x")}:${values.join()}`, { dims, data: Float32Array.from(values) }),
    integers: (values) =>
      constant(`i${values.join()}`, {
        dims: [values.length],
        data: BigInt64Array.from(values, (value) => BigInt(value)),
      }),
    weight(weight, shape, layout = { kind: "same" }) {
      const name = `weight:${weight}:${JSON.stringify(layout)}`;
      if (!slots.has(name)) slots.set(name, { name, weight, layout, dims: layoutShape(shape, layout) });
      return name;
    },
  };
  return writer;
}

/** An image of one channel or one pixel is turned by naming its axes anew. */
function turnImage(writer: OnnxWriter, name: string, shape: readonly number[], to: ImageOrder): string {
  const [height, width, channels] = shape as readonly [number, number, number];
  if (channels === 1 || height * width === 1) {
    const dims = to === "channelsFirst" ? [channels, height, width] : [height, width, channels];
    return writer.emit("Reshape", [name, writer.integers([-1, ...dims])]);
  }
  return writer.emit("Transpose", [name], { perm: to === "channelsFirst" ? [0, 3, 1, 2] : [0, 2, 3, 1] });
}

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

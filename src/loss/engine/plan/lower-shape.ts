import type { LayerUse, LoweringContext, LowerLayer, Padding, ValueId } from "./graph.js";
import { number, requireSupported } from "./graph.js";
import { type LayerFields, pair } from "./layer-fields.js";
import {
  asImage,
  fromImage,
  type PaddingName,
  requireChannelsLast,
  windowOver,
  windowResult,
} from "./lower-convolution.js";

const identity: LowerLayer = (_, { x }) => x;

/** Values as they are; TF.js flattens and reshapes in channels-last order. */
const reshape: LowerLayer = ({ builder }, { layer, x, outputShape }) => {
  requireChannelsLast(layer);
  return builder.reshape(x, outputShape);
};

const pool =
  (kind: "max" | "mean"): LowerLayer =>
  ({ builder }, { layer, x, outputShape }) => {
    requireChannelsLast(layer);
    const image = asImage(builder, x);
    const [height, width, channels] = builder.shapeOf(image) as readonly [number, number, number];
    const isSequence = layer.poolSize?.length === 1;
    const along = (value: LayerFields["strides"]): [number, number] =>
      isSequence ? [1, pair(value)[0]] : pair(value);
    const window = windowOver([height, width], {
      size: along(layer.poolSize),
      strides: along(layer.strides),
      padding: (layer.padding ?? "valid") as PaddingName,
    });
    const shape = [...windowResult([height, width], window), channels];
    return fromImage(builder, builder.add({ op: "pool", x: image, kind, window }, shape), outputShape);
  };

const globalPool =
  (kind: "max" | "mean"): LowerLayer =>
  ({ builder }, { layer, x }) => {
    requireChannelsLast(layer);
    const image = asImage(builder, x);
    return builder.add({ op: "globalPool", x: image, kind }, [builder.shapeOf(image)[2] as number]);
  };

/** Folds layers with several inputs of one shape from the left. */
const merge =
  (combine: (context: LoweringContext, a: ValueId, b: ValueId) => ValueId): LowerLayer =>
  (context, use) => {
    requireEqualShapes(context, use);
    return use.inputs.slice(1).reduce((a, b) => combine(context, a, b), use.x);
  };

function requireEqualShapes({ builder }: LoweringContext, { inputs, x }: LayerUse): void {
  const first = builder.shapeOf(x).join();
  const isSame = inputs.every((input) => builder.shapeOf(input).join() === first);
  requireSupported(isSame, "inputs of different shapes");
}

function zeroPadding({ builder }: LoweringContext, { layer, x }: LayerUse): ValueId {
  requireChannelsLast(layer);
  const [[top, bottom], [left, right]] = layer.padding as unknown as [[number, number], [number, number]];
  const padding: Padding = { kind: "explicit", top, bottom, left, right };
  const [height, width, channels] = builder.shapeOf(x) as readonly [number, number, number];
  return builder.add({ op: "pad", x, padding }, [height + top + bottom, width + left + right, channels]);
}

function concatenate({ builder }: LoweringContext, { layer, inputs, outputShape }: LayerUse): ValueId {
  const rank = outputShape.length;
  const axis = layer.axis as number;
  const own = axis < 0 ? rank + axis : axis - 1;
  requireSupported(own >= 0 && own < rank, "a concatenation along the batch axis");
  return builder.add({ op: "concat", xs: inputs, axis: own }, outputShape);
}

/** Layers that drop out in evaluation, pool, merge or move values. */
export const shapeLayers: Readonly<Record<string, LowerLayer>> = {
  InputLayer: identity,
  Dropout: identity,
  SpatialDropout1D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  Flatten: reshape,
  Reshape: reshape,
  MaxPooling1D: pool("max"),
  MaxPooling2D: pool("max"),
  AveragePooling1D: pool("mean"),
  AveragePooling2D: pool("mean"),
  GlobalMaxPooling1D: globalPool("max"),
  GlobalMaxPooling2D: globalPool("max"),
  GlobalAveragePooling1D: globalPool("mean"),
  GlobalAveragePooling2D: globalPool("mean"),
  ZeroPadding2D: zeroPadding,
  Add: merge(({ builder }, a, b) => builder.binary("add", a, b)),
  Multiply: merge(({ builder }, a, b) => builder.binary("mul", a, b)),
  Maximum: merge(({ builder }, a, b) => builder.binary("maximum", a, b)),
  Minimum: merge(({ builder }, a, b) => builder.binary("minimum", a, b)),
  Average: (context, use) => {
    requireEqualShapes(context, use);
    const { builder } = context;
    const sum = use.inputs.slice(1).reduce((a, b) => builder.binary("add", a, b), use.x);
    return builder.binary("mul", sum, number(1 / use.inputs.length));
  },
  Concatenate: concatenate,
  Permute: ({ builder }, { layer, x, outputShape }) =>
    builder.add(
      { op: "permute", x, axes: (layer.dims as readonly number[]).map((axis) => axis - 1) },
      outputShape,
    ),
};

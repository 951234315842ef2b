/** What a tensor of an observed forward pass is. */
export type ValueOrigin =
  | { readonly kind: "weight"; readonly parameter: number }
  | { readonly kind: "data" /** Place among inputs, then targets. */; readonly input: number }
  | { readonly kind: "constant"; readonly largest: number; readonly least: number }
  | { readonly kind: "result"; readonly of: ObservedKernel };

/** One tensor. */
export interface ObservedValue {
  readonly origin: ValueOrigin;
  readonly shape: readonly number[];
  /** Sums of whole numbers and truth values do not overflow. */
  readonly isFloat: boolean;
}

/** One kernel that ran, with the places of its tensors in the list of values. */
export interface ObservedKernel {
  readonly kernel: string;
  readonly inputs: readonly { readonly name: string; readonly value: number }[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Sizes at a point, from which those of all values are bounded. */
export interface LeafSizes {
  /** Largest |w| of a parameter; NaN where one is. */
  readonly largest: (parameter: number) => number;
  /** Least w of a parameter. */
  readonly least: (parameter: number) => number;
  /** Largest |x| in the data of an input, or of a target. */
  readonly input: (input: number) => number;
}

/**
 * Bounds the absolute values of every tensor of an observed forward pass, in float64, from sizes of data and weights.
 *
 * What is not known to keep finite numbers finite (logarithms, roots, quotients, kernels of other packages) has the
 * bound infinity.
 */
export function boundObserved(values: readonly ObservedValue[], sizes: LeafSizes): Float64Array {
  const bounds = new Float64Array(values.length);
  for (const [i, { origin }] of values.entries()) {
    if (origin.kind === "weight") bounds[i] = sizes.largest(origin.parameter);
    else if (origin.kind === "data") bounds[i] = sizes.input(origin.input);
    else if (origin.kind === "constant") bounds[i] = origin.largest;
    else bounds[i] = boundOf(origin.of, i, bounds, values, sizes);
  }
  return bounds;
}

/** Kernels that move numbers, or choose among them. */
const CHOOSING = new Set([
  ...[
    "Reshape",
    "Identity",
    "Transpose",
    "Slice",
    "StridedSlice",
    "GatherV2",
    "GatherNd",
    "SplitV",
    "Unpack",
  ],
  ...["Reverse", "Tile", "BroadcastTo", "SpaceToBatchND", "BatchToSpaceND", "DepthToSpace", "ResizeBilinear"],
  ...["ResizeNearestNeighbor", "MirrorPad", "Cast", "ExpandDims", "Concat", "Pack", "Select", "MaxPool"],
  ...["MaxPool3D", "Max", "Min", "Maximum", "Minimum", "Relu", "Neg", "Abs", "ZerosLike", "PadV2", "Floor"],
  ...["Ceil", "Round"],
]);
/** Kernels whose values lie in [−1, 1]. */
const UNIT = new Set([
  ...["Sigmoid", "Tanh", "Softmax", "Erf", "Sign", "Step", "Sin", "Cos", "IsNan", "IsFinite", "IsInf"],
  ...["Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"],
  ...["LogicalNot", "Any", "All", "OnesLike"],
]);

function boundOf(
  { kernel, inputs, attributes }: ObservedKernel,
  output: number,
  bounds: Float64Array,
  values: readonly ObservedValue[],
  { least }: LeafSizes,
): number {
  const of = (i: number) => bounds[inputs[i]?.value ?? -1] ?? 0;
  const shapeOf = (i: number) => values[inputs[i]?.value ?? -1]?.shape ?? [];
  const all = inputs.map((_, i) => of(i));
  const number = (name: string) => Math.abs((attributes[name] as number | undefined) ?? 0);
  const own = values[output] as ObservedValue;
  if (CHOOSING.has(kernel)) return Math.max(...all, number("constantValue"));
  if (UNIT.has(kernel)) return all.some(Number.isNaN) ? Number.NaN : 1;
  switch (kernel) {
    case "Add":
    case "AddV2":
    case "AddN":
    case "Sub":
      return all.reduce((a, b) => a + b, 0);
    case "Multiply":
      return of(0) * of(1);
    case "Square":
      return of(0) ** 2;
    case "SquaredDifference":
      return (of(0) + of(1)) ** 2;
    case "Sum":
    case "Mean":
    case "Cumsum":
      return of(0) * (kernel === "Cumsum" ? sizeOf(shapeOf(0)) : sizeOf(shapeOf(0)) / sizeOf(own.shape));
    case "AvgPool":
    case "AvgPool3D":
      return of(0) * volume(attributes.filterSize);
    case "BatchMatMul":
      return of(0) * of(1) * (shapeOf(0).at(attributes.transposeA === true ? -2 : -1) ?? 1);
    case "_FusedMatMul":
      return (
        of(0) * of(1) * (shapeOf(0).at(attributes.transposeA === true ? -2 : -1) ?? 1) +
        (all.length > 2 ? of(2) : 0)
      );
    case "Conv2D":
    case "Conv3D":
    case "FusedConv2D":
      return of(0) * of(1) * sizeOf(shapeOf(1).slice(0, -1)) + (all.length > 2 ? of(2) : 0);
    case "DepthwiseConv2dNative":
    case "FusedDepthwiseConv2D":
      return of(0) * of(1) * sizeOf(shapeOf(1).slice(0, 2)) + (all.length > 2 ? of(2) : 0);
    case "Conv2DBackpropInput":
    case "Conv3DBackpropInputV2":
      return of(0) * of(1) * sizeOf(shapeOf(1));
    case "FusedBatchNorm":
      return boundOfBatchNorm(inputs, attributes, bounds, values, least);
    case "Relu6":
      return Number.isNaN(of(0)) ? Number.NaN : 6;
    case "ClipByValue":
      return Math.max(number("clipValueMin"), number("clipValueMax"));
    case "LeakyRelu":
      return of(0) * Math.max(1, number("alpha"));
    case "Prelu":
      return of(0) * Math.max(1, of(1));
    case "Elu":
    case "Selu":
      return 2 * Math.max(of(0), 1);
    case "Softplus":
      return of(0) + 1;
    case "Exp":
      return Math.exp(of(0));
    case "OneHot":
      return Math.max(number("onValue"), number("offValue"));
    case "Fill":
      return number("value");
    case "RealDiv":
      return of(0) / leastOf(values[inputs[1]?.value ?? -1]?.origin);
    default:
      // Whole numbers: places, counts.
      return own.isFloat ? Number.POSITIVE_INFINITY : 2 ** 31;
  }
}

/** (x − mean) / √(variance + ε) · scale + offset. */
function boundOfBatchNorm(
  inputs: ObservedKernel["inputs"],
  attributes: ObservedKernel["attributes"],
  bounds: Float64Array,
  values: readonly ObservedValue[],
  least: LeafSizes["least"],
): number {
  const find = (name: string) => inputs.find((input) => input.name === name)?.value ?? -1;
  const of = (name: string, missing: number) => bounds[find(name)] ?? missing;
  const origin = values[find("variance")]?.origin;
  if (origin?.kind !== "weight") return Number.POSITIVE_INFINITY;
  const radicand = least(origin.parameter) + ((attributes.varianceEpsilon as number | undefined) ?? 0);
  if (!(radicand > 0)) return Number.POSITIVE_INFINITY;
  const centered = of("x", Number.POSITIVE_INFINITY) + of("mean", 0);
  return (centered * Math.max(of("scale", 1), 1)) / Math.sqrt(radicand) + of("offset", 0);
}

/** A divisor is known only where it is the same at every θ. */
function leastOf(origin: ValueOrigin | undefined): number {
  return origin?.kind === "constant" ? origin.least : 0;
}

/** How many numbers a tensor of a shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function volume(size: unknown): number {
  return Array.isArray(size) ? sizeOf(size as number[]) : (size as number) ** 3;
}

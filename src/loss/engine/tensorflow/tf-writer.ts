import type { GraphNode, GraphWeight, ValueId, WeightId } from "../plan/graph.js";
import { TF_FLOAT, TF_INT32, type TfAttribute, type TfNode, type TfPort } from "./saved-model-messages.js";

/** Gathers the nodes of a TensorFlow graph and knows the name of each value. */
export interface TfWriter {
  readonly nodes: readonly TfNode[];
  readonly inputs: readonly TfPort[];
  /** Which weights are inputs, and under what name. */
  readonly slots: readonly { readonly name: string; readonly weight: WeightId }[];
  /** Adds an operation on float32 values; returns its name. */
  emit(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, TfAttribute>>): string;
  put(value: ValueId, name: string): void;
  get(value: ValueId): string;
  shapeOf(value: ValueId): readonly number[];
  /** Declares an input; −1 leaves a length open. */
  placeholder(name: string, shape: readonly number[]): string;
  integers(values: readonly number[]): string;
  integer(value: number): string;
  float(value: number): string;
  weight(weight: WeightId): string;
  weightShape(weight: WeightId): readonly number[];
}

/** Creates a writer for the nodes and weights of a graph. */
export function createTfWriter(
  graphNodes: readonly GraphNode[],
  graphWeights: readonly GraphWeight[],
): TfWriter {
  const nodes: TfNode[] = [];
  const inputs: TfPort[] = [];
  const slots = new Map<WeightId, string>();
  const constants = new Map<string, string>();
  const names = new Map<ValueId, string>();
  const float: TfAttribute = { type: TF_FLOAT };

  const constant = (key: string, dims: readonly number[], data: Float32Array | Int32Array): string => {
    const known = constants.get(key);
    if (known !== undefined) return known;
    const name = `c${constants.size}`;
    const dtype = { type: data instanceof Int32Array ? TF_INT32 : TF_FLOAT };
    nodes.push({ name, op: "Const", inputs: [], attributes: { dtype, value: { tensor: { dims, data } } } });
    constants.set(key, name);
    return name;
  };
  const placeholder = (name: string, shape: readonly number[]): string => {
    nodes.push({ name, op: "Placeholder", inputs: [], attributes: { dtype: float, shape: { shape } } });
    inputs.push({ name, shape });
    return name;
  };
  const weightShape = (weight: WeightId) => (graphWeights[weight] as GraphWeight).shape;
  return {
    nodes,
    inputs,
    get slots() {
      return [...slots].map(([weight, name]) => ({ name, weight }));
    },
    emit(op, from, attributes = { T: float }) {
      const name = `n${nodes.length}`;
      nodes.push({ name, op, inputs: from, attributes });
      return name;
    },
    put: (value, name) => void names.set(value, name),
    get: (value) => names.get(value) as string,
    shapeOf: (value) => (graphNodes[value] as GraphNode).shape,
    placeholder,
    integers: (values) => constant(`i[${values}]`, [values.length], Int32Array.from(values)),
    integer: (value) => constant(`i${value}`, [], Int32Array.of(value)),
    float: (value) => constant(`f${value}`, [], Float32Array.of(value)),
    weight(weight) {
      const known = slots.get(weight);
      if (known !== undefined) return known;
      const name = placeholder(`w${weight}`, weightShape(weight));
      slots.set(weight, name);
      return name;
    },
    weightShape,
  };
}

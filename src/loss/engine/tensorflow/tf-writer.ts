import protobuf from "protobufjs";
import type { GraphNode, GraphWeight, ValueId, WeightId } from "../plan/graph.js";

/**
 * The messages of TensorFlow's SavedModel that a forward-only program needs, with the field numbers of
 * saved_model.proto, meta_graph.proto, graph.proto, attr_value.proto and tensor.proto.
 */
const schema = `
syntax = "proto3";
package tensorflow;
message Dim { int64 size = 1; }
message TensorShapeProto { repeated Dim dim = 2; bool unknown_rank = 3; }
message TensorProto { int32 dtype = 1; TensorShapeProto tensor_shape = 2; bytes tensor_content = 4; }
message ListValue { repeated int64 i = 3 [packed = true]; }
message AttrValue {
  oneof value {
    bytes s = 2; int64 i = 3; float f = 4; bool b = 5; int32 type = 6; TensorShapeProto shape = 7;
    TensorProto tensor = 8; ListValue list = 1;
  }
}
message NodeDef {
  string name = 1; string op = 2; repeated string input = 3; string device = 4;
  map<string, AttrValue> attr = 5;
}
message VersionDef { int32 producer = 1; }
message GraphDef { repeated NodeDef node = 1; VersionDef versions = 4; }
message TensorInfo { string name = 1; int32 dtype = 2; TensorShapeProto tensor_shape = 3; }
message SignatureDef {
  map<string, TensorInfo> inputs = 1; map<string, TensorInfo> outputs = 2; string method_name = 3;
}
message MetaInfoDef { repeated string tags = 4; }
message MetaGraphDef {
  MetaInfoDef meta_info_def = 1; GraphDef graph_def = 2; map<string, SignatureDef> signature_def = 5;
}
message SavedModel { int64 saved_model_schema_version = 1; repeated MetaGraphDef meta_graphs = 2; }`;

const savedModel = protobuf.parse(schema, { keepCase: true }).root.lookupType("tensorflow.SavedModel");

/** TensorFlow's numbers for element types. */
export const TF_FLOAT = 1;
export const TF_INT32 = 3;
export const TF_BOOL = 10;
export const TF_INT64 = 9;

/** An attribute of an operation. */
export type TfAttribute =
  | { readonly text: string }
  | { readonly type: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly bool: boolean }
  | { readonly shape: readonly number[] }
  | { readonly tensor: { readonly dims: readonly number[]; readonly data: Float32Array | Int32Array } };

/** An operation of a TensorFlow graph. */
export interface TfNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, TfAttribute>>;
}

/** A tensor that goes in or out; −1 leaves a length open. */
export interface TfPort {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Returns the binary form of a SavedModel with one signature, "serving_default", of float32 tensors. */
export function encodeSavedModel(
  nodes: readonly TfNode[],
  inputs: readonly TfPort[],
  outputs: readonly TfPort[],
): Uint8Array {
  const signature = {
    inputs: Object.fromEntries(inputs.map((port) => [port.name, infoMessage(port)])),
    outputs: Object.fromEntries(outputs.map((port) => [port.name, infoMessage(port)])),
    method_name: "tensorflow/serving/predict",
  };
  const message = {
    saved_model_schema_version: 1,
    meta_graphs: [
      {
        meta_info_def: { tags: ["serve"] },
        // 987: the graph format of TensorFlow 2.9, the oldest library that tfjs-node 4.22 comes with.
        graph_def: { node: nodes.map(nodeMessage), versions: { producer: 987 } },
        signature_def: { serving_default: signature },
      },
    ],
  };
  return savedModel.encode(savedModel.fromObject(message)).finish();
}

function infoMessage({ name, shape }: TfPort) {
  return { name: `${name}:0`, dtype: TF_FLOAT, tensor_shape: shapeMessage(shape) };
}

function nodeMessage({ name, op, inputs, attributes }: TfNode) {
  const attr = Object.entries(attributes).map(([key, value]) => [key, attributeMessage(value)]);
  return { name, op, input: inputs, attr: Object.fromEntries(attr) };
}

function attributeMessage(value: TfAttribute) {
  if ("text" in value) return { s: new TextEncoder().encode(value.text) };
  if ("type" in value) return { type: value.type };
  if ("int" in value) return { i: value.int };
  if ("ints" in value) return { list: { i: value.ints } };
  if ("float" in value) return { f: value.float };
  if ("bool" in value) return { b: value.bool };
  if ("shape" in value) return { shape: shapeMessage(value.shape) };
  const { dims, data } = value.tensor;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const dtype = data instanceof Int32Array ? TF_INT32 : TF_FLOAT;
  return { tensor: { dtype, tensor_shape: shapeMessage(dims), tensor_content: bytes } };
}

function shapeMessage(lengths: readonly number[]) {
  return { dim: lengths.map((size) => ({ size })) };
}

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

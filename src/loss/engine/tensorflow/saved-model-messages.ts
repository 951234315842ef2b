import protobuf from "protobufjs";

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

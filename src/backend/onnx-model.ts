import protobuf from "protobufjs";

/**
 * The messages of the ONNX format that a forward-only program needs, with the field numbers of onnx.proto3
 * (ONNX IR version 8).
 */
const schema = `
syntax = "proto3";
package onnx;
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message AttributeProto {
  string name = 1; float f = 2; int64 i = 3; bytes s = 4;
  repeated float floats = 7; repeated int64 ints = 8; int32 type = 20;
}
message NodeProto {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
  repeated AttributeProto attribute = 5; string domain = 7;
}
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message TensorShapeProto { repeated Dimension dim = 1; }
message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
message TypeProto { TensorTypeProto tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message ModelProto {
  int64 ir_version = 1; string producer_name = 2; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
}`;

const modelProto = protobuf.parse(schema, { keepCase: true }).root.lookupType("onnx.ModelProto");

/** ONNX's numbers for element types. */
export const ONNX_FLOAT = 1;
export const ONNX_INT64 = 7;

/** A named tensor of an ONNX model. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** An attribute's value: a whole number, a list of whole numbers, or a number marked as a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** An operation of an ONNX model with one output. */
export interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A tensor that goes in or out; a length that is a name, such as "N", is left open. */
export interface OnnxPort {
  readonly name: string;
  readonly dims: readonly (number | string)[];
}

/** What is in an ONNX model file. */
export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  readonly initializers: readonly OnnxTensor[];
}

/** Returns an ONNX model (opset 17) in its binary form. */
export function encodeOnnxModel({ nodes, inputs, outputs, initializers }: OnnxModel): Uint8Array {
  const graph = {
    name: "forward",
    node: nodes.map(nodeMessage),
    input: inputs.map(portMessage),
    output: outputs.map(portMessage),
    initializer: initializers.map(tensorMessage),
  };
  const opset = [{ domain: "", version: 17 }];
  const message = { ir_version: 8, producer_name: "tfjs-landscape", graph, opset_import: opset };
  return modelProto.encode(modelProto.fromObject(message)).finish();
}

/**
 * Returns the binary form of a model's further initializers, to be put behind that of the model: protobuf
 * reads two parts of one message as one, their lists joined.
 */
export function encodeOnnxInitializers(tensors: readonly OnnxTensor[]): Uint8Array {
  return modelProto
    .encode(modelProto.create({ graph: { initializer: tensors.map(tensorMessage) } }))
    .finish();
}

function nodeMessage({ type, inputs, output, attributes }: OnnxNode) {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeMessage(name, value));
  return { op_type: type, input: inputs, output: [output], name: output, attribute };
}

function attributeMessage(name: string, value: OnnxAttribute) {
  if (typeof value === "number") return { name, i: value, type: 2 };
  return "float" in value ? { name, f: value.float, type: 1 } : { name, ints: value, type: 7 };
}

function portMessage({ name, dims }: OnnxPort) {
  const dim = dims.map((length) =>
    typeof length === "string" ? { dim_param: length } : { dim_value: length },
  );
  return { name, type: { tensor_type: { elem_type: ONNX_FLOAT, shape: { dim } } } };
}

function tensorMessage({ name, dims, data }: OnnxTensor) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof BigInt64Array ? ONNX_INT64 : ONNX_FLOAT;
  return { name, dims, data_type: type, raw_data: bytes };
}

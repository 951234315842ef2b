import { describe, expect, it } from "vitest";
import { fuseActivations } from "../../../../src/loss/engine/fused/fused-engine.js";
import type { Graph, GraphNode } from "../../../../src/loss/engine/plan/graph.js";

const shape = [4];
const input: GraphNode = { op: "input", name: "x0", shape };
const dense = (x: number): GraphNode => ({ op: "dense", x, kernel: 0, bias: null, shape });
const unary = (kind: "relu" | "relu6" | "tanh", x: number): GraphNode => ({ op: "unary", kind, x, shape });
const add = (x: number, y: number): GraphNode => ({ op: "binary", kind: "add", x, y, shape });

function fused(nodes: readonly GraphNode[], outputs = [nodes.length - 1]) {
  const graph: Graph = { nodes, weights: [], outputs };
  return fuseActivations(graph).map(({ node, value, lastUses }) => [
    node.op,
    node.activation,
    value,
    [...lastUses],
  ]);
}

describe("fuseActivations", () => {
  it("puts a ReLU into the product before it, whose value is the ReLU's then", () => {
    expect(fused([input, dense(0), unary("relu", 1), dense(2), unary("relu6", 3)])).toEqual([
      ["input", "linear", 0, []],
      ["dense", "relu", 2, [0]],
      ["dense", "relu6", 4, [2]],
    ]);
  });

  it("leaves a ReLU alone whose product is used elsewhere or handed out, and every other function", () => {
    expect(fused([input, dense(0), unary("relu", 1), add(1, 2)])).toEqual([
      ["input", "linear", 0, []],
      ["dense", "linear", 1, [0]],
      ["unary", "linear", 2, []],
      ["binary", "linear", 3, [1, 2]],
    ]);
    expect(fused([input, dense(0), unary("relu", 1)], [1]).map(([op]) => op)).toEqual([
      "input",
      "dense",
      "unary",
    ]);
    expect(fused([input, dense(0), unary("tanh", 1)]).map(([op]) => op)).toEqual(["input", "dense", "unary"]);
    expect(fused([input, unary("relu", 0)]).map(([op]) => op)).toEqual(["input", "unary"]);
  });

  it("says once where a value is used last, also one that an operation uses twice, and never of the output", () => {
    expect(fused([input, unary("tanh", 0), add(1, 1), add(0, 2)]).map(([, , , last]) => last)).toEqual([
      [],
      [],
      [1],
      [0, 2],
    ]);
  });
});

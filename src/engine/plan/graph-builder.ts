import type {
  BinaryKind,
  Graph,
  GraphNode,
  GraphOp,
  GraphWeight,
  ReduceKind,
  UnaryKind,
  ValueId,
  WeightId,
} from "./graph.js";

/** Makes a {@link Graph} node by node; shapes leave out the batch axis. */
export interface GraphBuilder {
  /** Adds an operation whose value has this shape. */
  add(op: GraphOp, shape: readonly number[]): ValueId;
  weight(weight: GraphWeight): WeightId;
  shapeOf(value: ValueId): readonly number[];
  nodeOf(value: ValueId): GraphNode;
  input(name: string, shape: readonly number[]): ValueId;
  constant(value: number): ValueId;
  unary(kind: UnaryKind, x: ValueId): ValueId;
  /** Numbers become constants. */
  binary(kind: BinaryKind, x: ValueId | NumberOperand, y: ValueId | NumberOperand): ValueId;
  clip(x: ValueId, min: number, max: number): ValueId;
  reduce(kind: ReduceKind, x: ValueId): ValueId;
  reshape(x: ValueId, shape: readonly number[]): ValueId;
  build(outputs: readonly ValueId[]): Graph;
}

/** A number in the place of a value. */
export interface NumberOperand {
  readonly number: number;
}

/** Marks a number as an operand. */
export function number(value: number): NumberOperand {
  return { number: value };
}

/** Creates an empty graph to add to. */
export function createGraphBuilder(): GraphBuilder {
  const nodes: GraphNode[] = [];
  const weights: GraphWeight[] = [];
  const constants = new Map<number, ValueId>();
  const add = (op: GraphOp, shape: readonly number[]): ValueId => nodes.push({ ...op, shape }) - 1;
  const nodeOf = (value: ValueId) => nodes[value] as GraphNode;
  const shapeOf = (value: ValueId) => nodeOf(value).shape;

  const constant = (value: number): ValueId => {
    const known = constants.get(value);
    if (known !== undefined) return known;
    const fresh = add({ op: "constant", value }, []);
    constants.set(value, fresh);
    return fresh;
  };
  const operand = (value: ValueId | NumberOperand): ValueId =>
    typeof value === "number" ? value : constant(value.number);

  return {
    add,
    weight: (weight) => weights.push(weight) - 1,
    shapeOf,
    nodeOf,
    input: (name, shape) => add({ op: "input", name }, shape),
    constant,
    unary: (kind, x) => add({ op: "unary", kind, x }, shapeOf(x)),
    binary(kind, x, y) {
      const [a, b] = [operand(x), operand(y)];
      return add({ op: "binary", kind, x: a, y: b }, broadcastShape(shapeOf(a), shapeOf(b)));
    },
    clip: (x, min, max) => add({ op: "clip", x, min, max }, shapeOf(x)),
    reduce: (kind, x) => add({ op: "reduce", kind, x }, [...shapeOf(x).slice(0, -1), 1]),
    reshape(x, shape) {
      const node = nodeOf(x);
      const source = node.op === "reshape" ? node.x : x;
      return sameShape(shapeOf(source), shape) ? source : add({ op: "reshape", x: source }, shape);
    },
    build: (outputs) => ({ nodes, weights, outputs }),
  };
}

/** Shape of an operation on two values, aligned at the last axis; lengths of 1 stretch. */
function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    return left === 1 ? right : left;
  });
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

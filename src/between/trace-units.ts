import type * as tf from "@tensorflow/tfjs";
import type { LandscapeWarning } from "../base/warning.js";
import {
  fieldsOf,
  isModel,
  type Trace,
  type TracedValue,
  type UnitFields,
  type UnitMaker,
  unitsAfter,
} from "./unit-rules.js";
import { createUnitTable, fixedAxis, type UnitTable } from "./unit-table.js";

/** An axis of a weight, and the unit of each of its entries. */
export interface WeightAxis {
  readonly variable: tf.LayerVariable;
  readonly axis: number;
  readonly units: Int32Array;
}

/** What a layer reads units from: the input of its own `call`. */
export interface UnitReader {
  readonly layer: tf.layers.Layer;
  /** The unit of each entry of the input's last axis. */
  readonly units: Int32Array;
}

/** The units of a model. */
export interface TracedUnits {
  readonly table: UnitTable;
  readonly axes: readonly WeightAxis[];
  readonly readers: readonly UnitReader[];
  readonly makers: readonly UnitMaker[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Traces the units of a model through its graph: each weight's axis with the unit of each entry. Layers that are not
 * known fix the units that they read, and are named in a warning.
 */
export function traceUnits(model: tf.LayersModel): TracedUnits {
  const table = createUnitTable();
  const axes = new Map<string, WeightAxis>();
  const fresh = new Map<tf.layers.Layer, Int32Array>();
  const readers = new Map<tf.layers.Layer, UnitReader>();
  const makers = new Map<tf.layers.Layer, UnitMaker>();
  const calls = new Map<tf.layers.Layer, number>();
  const unknown = new Set<string>();
  const trace: Trace = {
    table,
    unitsOf(layer, count) {
      const units = fresh.get(layer) ?? table.fresh(layer.name, count);
      fresh.set(layer, units);
      return units;
    },
    weight(variable, axis, units) {
      if (variable === null || variable === undefined) return;
      const at = axis < 0 ? axis + variable.shape.length : axis;
      const known = axes.get(`${variable.id}/${at}`);
      if (known !== undefined) table.tie(known.units, units);
      else axes.set(`${variable.id}/${at}`, { variable, axis: at, units });
    },
    reads: (layer, units) => readers.set(layer, { layer, units }),
    makes(layer, kernels, outputAxis) {
      const { bias } = fieldsOf(layer);
      calls.set(layer, (calls.get(layer) ?? 0) + 1);
      if (bias) makers.set(layer, { layer, kernels, bias, outputAxis });
    },
  };
  const inputs = model.inputs.map((tensor) => fixedValue(tensor));
  const outputs = traceContainer(trace, fieldsOf(model), inputs, unknown);
  for (const { units } of outputs) table.fix(units);
  return {
    table,
    axes: [...axes.values()],
    readers: [...readers.values()],
    makers: [...makers.values()].filter(({ layer }) => calls.get(layer) === 1),
    warnings: unknownWarning([...unknown]),
  };
}

function unknownWarning(names: readonly string[]): LandscapeWarning[] {
  if (names.length === 0) return [];
  const message = `${names.join(", ")}: not known to the tracing of units; the units that they read stay where they are, and are not matched`;
  return [{ code: "unknown-units", message }];
}

const lengthsOf = ({ shape }: tf.SymbolicTensor): (number | null)[] => shape.slice(1);

function fixedValue(tensor: tf.SymbolicTensor): TracedValue {
  const shape = lengthsOf(tensor);
  return { shape, units: fixedAxis(shape.at(-1) ?? 1) };
}

function traceContainer(
  trace: Trace,
  container: UnitFields,
  inputs: readonly TracedValue[],
  unknown: Set<string>,
): readonly TracedValue[] {
  const values = new Map<number, TracedValue>();
  container.inputs?.forEach((input, i) => {
    values.set(input.id, inputs[i]);
  });
  const traceTensor = (tensor: tf.SymbolicTensor): TracedValue => {
    const known = values.get(tensor.id);
    if (known !== undefined) return known;
    const layer = tensor.sourceLayer;
    const fields = fieldsOf(layer);
    const own = (fields.inboundNodes[tensor.nodeIndex]?.inputTensors ?? []).map(traceTensor);
    const output = tensor.outputTensorIndex ?? 0;
    const value = isModel(layer)
      ? traceContainer(trace, fields, own, unknown)[output]
      : traceUse(trace, layer, own, lengthsOf(tensor), output, unknown);
    values.set(tensor.id, value);
    return value;
  };
  return (container.outputs ?? []).map(traceTensor);
}

function traceUse(
  trace: Trace,
  layer: tf.layers.Layer,
  inputs: readonly TracedValue[],
  shape: readonly (number | null)[],
  output: number,
  unknown: Set<string>,
): TracedValue {
  const units = unitsAfter(trace, layer, inputs, shape, output);
  if (units !== null) return { shape, units };
  unknown.add(`layer "${layer.name}" (${layer.getClassName()})`);
  for (const input of inputs) trace.table.fix(input.units);
  return { shape, units: fixedAxis(shape.at(-1) ?? 1) };
}

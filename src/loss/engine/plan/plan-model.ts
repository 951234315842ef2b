import type * as tf from "@tensorflow/tfjs";
import { matchLayout, type ParameterLayout } from "../../../model/layout.js";
import { layoutOfModel, modelWeights } from "../../../model/layout-of-model.js";
import type { CompiledMetric, LossPlan } from "../../loss-plan.js";
import { compiledLosses, portsOf } from "../../model-ports.js";
import {
  createGraphBuilder,
  type Graph,
  type GraphBuilder,
  type GraphNode,
  type LoweredNorm,
  type ParameterReader,
  requireSupported,
  sizeOf,
  UnsupportedError,
  type ValueId,
  type WeightId,
} from "./graph.js";
import { clipForm, type LossForm, logitsForms, lossForms, metricForms } from "./loss-forms.js";
import { declareInputs, lowerModel, withoutActivations } from "./lower-model.js";
import { foldBatchNorm, foldPadding, trimImages } from "./simplify-graph.js";

/** Where a model's weights are in θ. */
export interface ParameterPlaces {
  /** Index of a layer's weight, for a {@link ParameterReader}. */
  indexOf(variable: tf.LayerVariable): number;
  /**
   * Reads weights out of θ. Those that the layout leaves out keep the values they had at first (or, where
   * `theta` is a direction, are 0).
   */
  reader(theta: Float32Array, leftOut?: "kept" | "zero"): ParameterReader;
}

/**
 * Finds a model's weights in a layout.
 *
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 */
export function parameterPlaces(model: tf.LayersModel, layout: ParameterLayout): ParameterPlaces {
  const own = layoutOfModel(model);
  const matches = matchLayout(layout, own, `model "${model.name}"`, { partial: true });
  const offsets = new Map(
    layout.parameters.map(({ offset }, i) => [own.parameters[matches[i] ?? -1]?.name, offset]),
  );
  const weights = modelWeights(model);
  const indices = new Map(weights.map(({ variable }, i) => [variable.id, i]));
  const places = weights.map(({ variable, parameter }) => {
    const size = parameter.shape.reduce((product, length) => product * length, 1);
    const offset = offsets.get(parameter.name);
    const fixed = offset === undefined ? Float32Array.from(variable.read().dataSync()) : null;
    return { offset: offset ?? 0, size, fixed };
  });
  return {
    indexOf: (variable) => indices.get(variable.id) as number,
    reader:
      (theta, leftOut = "kept") =>
      (parameter) => {
        const { offset, size, fixed } = places[parameter] as (typeof places)[0];
        if (fixed === null) return theta.subarray(offset, offset + size);
        return leftOut === "kept" ? fixed : new Float32Array(size);
      },
  };
}

/** What one entry of the packed totals is. */
export interface PlannedTotal {
  /** "loss": of an output; "metric": by index; "gap": predictions of an output that are NaN; and marks. */
  readonly kind: "loss" | "metric" | "gap" | "clipped" | "capped";
  /** Index of the output, or of the metric for "metric". */
  readonly index: number;
  /** Numbers per sample that the total adds up. */
  readonly elements: number;
}

/** A model's forward pass, losses and metrics as one program, ready for an engine. */
export interface ModelPlan {
  readonly supported: true;
  /** Before anything is folded or cut, and its batch normalizations. */
  readonly whole: Graph;
  readonly norms: readonly LoweredNorm[];
  /** Before batch normalization is folded into the layers before it. */
  readonly raw: Graph;
  /** What engines run; its single output packs the totals of a batch. */
  readonly graph: Graph;
  readonly totals: readonly PlannedTotal[];
  /** Shapes of the model's inputs for one sample; those of `graph` may be cut to what reaches the outputs. */
  readonly xs: readonly (readonly number[])[];
  readonly ys: readonly (readonly number[])[];
  /** Reads the model's weights out of θ. */
  readonly reader: ParameterPlaces["reader"];
}

/** Why a model has no plan. */
export interface NoPlan {
  readonly supported: false;
  readonly reason: string;
}

/**
 * Compiles a model and what is computed from its outputs into a small forward-only program: dropout and
 * identities dropped, batch normalization folded at each point, losses, metrics and clipping marks at the
 * end as totals over a batch.
 *
 * @param isWeighted - whether samples have weights in the loss: an input for each output. Default where classes have.
 * @returns the plan, or the first thing that it does not know, by name; the model's own ops then compute.
 */
export function planModel(
  model: tf.LayersModel,
  loss: LossPlan,
  layout: ParameterLayout,
  isWeighted = loss.classWeights !== null,
): ModelPlan | NoPlan {
  try {
    return plan(model, loss, layout, isWeighted);
  } catch (error) {
    if (error instanceof UnsupportedError) return { supported: false, reason: error.message };
    throw error;
  }
}

function plan(
  model: tf.LayersModel,
  loss: LossPlan,
  layout: ParameterLayout,
  isWeighted: boolean,
): ModelPlan {
  requireSupported(loss.lossFunction === null, "a loss function of the user's own");
  requireSupported(!loss.includeRegularization, "regularization penalties");
  const ports = portsOf(model);
  requireSupported(ports.fixedBatch === null, "a fixed batch size");
  requireSupported(
    model.inputs.every(({ dtype }) => dtype === "float32"),
    "an input that is not float32",
  );
  const places = parameterPlaces(model, layout);
  const builder = createGraphBuilder();
  const inputs = declareInputs(builder, model);
  const norms: LoweredNorm[] = [];
  const context = { builder, norms, ...weightsInto(builder, places) };
  const raws = withoutActivations(loss.activations, () => lowerModel(context, model, inputs));
  const targets = ports.ys.map(({ shape }, i) => builder.input(`y${i}`, shape.slice(1) as number[]));
  const weights = isWeighted ? ports.ys.map((_, i) => builder.input(`weight${i}`, [1])) : [];
  const scored = score(builder, model, loss, raws, targets, weights);
  const packed = builder.add({ op: "pack", xs: scored.map(({ value }) => value) }, [scored.length]);
  const whole = builder.build([packed]);
  const raw = trimImages(foldPadding(whole));
  return {
    supported: true,
    whole,
    norms,
    raw,
    graph: foldBatchNorm(raw),
    totals: scored.map(({ total }) => total),
    xs: inputs.map(builder.shapeOf),
    ys: targets.map(builder.shapeOf),
    reader: places.reader,
  };
}

function weightsInto(builder: GraphBuilder, places: ParameterPlaces) {
  const known = new Map<number, WeightId>();
  const weight = (
    variable: tf.LayerVariable,
    shape: readonly number[] = variable.shape.map((length) => length ?? 1),
  ): WeightId => {
    const parameter = places.indexOf(variable);
    const id = known.get(parameter);
    if (id !== undefined) return id;
    const fresh = builder.weight({
      name: variable.name,
      shape,
      parameter,
      compute: (read) => read(parameter),
    });
    known.set(parameter, fresh);
    return fresh;
  };
  return { weight, parameterOf: places.indexOf };
}

interface ScoredTotal {
  readonly value: ValueId;
  readonly total: PlannedTotal;
}

function score(
  builder: GraphBuilder,
  model: tf.LayersModel,
  { mode, scores, activations }: LossPlan,
  raws: readonly ValueId[],
  targets: readonly ValueId[],
  weights: readonly ValueId[],
): ScoredTotal[] {
  const names = (compiledLosses(model) ?? []).map(({ name }) => name);
  const total = (kind: PlannedTotal["kind"], index: number, value: ValueId): ScoredTotal => {
    const elements = sizeOf(builder.shapeOf(value));
    return { value: builder.add({ op: "total", x: value }, [1]), total: { kind, index, elements } };
  };
  const losses = raws.map((raw, i) => {
    const key = mode === "model" ? (names[i] as string) : `${names[i]} ${activations[i]?.kind}`;
    const form = formNamed(mode === "model" ? lossForms : logitsForms, key, "loss");
    const values = form(builder, targets[i] as ValueId, raw);
    return total("loss", i, weighted(builder, values, weights[i]));
  });
  const predictions = raws.map((raw, i) => prediction(builder, raw, activations[i]?.kind));
  const metrics = scores.metrics.flatMap((metric, i) => {
    if (metric.apply === null) return [];
    const form = formNamed(metricForms, metricName(metric), "metric");
    const [yTrue, yPred] = [targets[metric.output], predictions[metric.output]] as [ValueId, ValueId];
    return [total("metric", i, form(builder, yTrue, yPred))];
  });
  const gaps = raws.map((raw, i) => total("gap", i, builder.unary("isNaN", raw)));
  return [...losses, ...metrics, ...gaps, ...clipTotals(builder, mode, names, raws, targets, total)];
}

/** The mean loss of each sample, times its weight. */
function weighted(builder: GraphBuilder, values: ValueId, weight: ValueId | undefined): ValueId {
  if (weight === undefined) return values;
  const size = sizeOf(builder.shapeOf(values));
  const flat = builder.reshape(values, [size]);
  return builder.binary("mul", size === 1 ? flat : builder.reduce("mean", flat), weight);
}

function clipTotals(
  builder: GraphBuilder,
  mode: LossPlan["mode"],
  names: readonly string[],
  raws: readonly ValueId[],
  targets: readonly ValueId[],
  total: (kind: PlannedTotal["kind"], index: number, value: ValueId) => ScoredTotal,
): ScoredTotal[] {
  if (mode !== "model") return [];
  const clips = raws.flatMap((raw, i) => {
    const form = clipForm(names[i] as string);
    return form === null ? [] : [form(builder, targets[i] as ValueId, raw)];
  });
  if (clips.length === 0) return [];
  const merged = (marks: readonly ValueId[]): ValueId =>
    marks.map((mark) => anyStep(builder, mark)).reduce((a, b) => builder.binary("maximum", a, b));
  return [
    total("clipped", 0, merged(clips.map(({ any }) => any))),
    total("capped", 0, merged(clips.map(({ capped }) => capped))),
  ];
}

/** 1 where any time step of a sample is marked. */
function anyStep(builder: GraphBuilder, marks: ValueId): ValueId {
  const size = sizeOf(builder.shapeOf(marks));
  return size === 1 ? builder.reshape(marks, [1]) : builder.reduce("max", builder.reshape(marks, [size]));
}

function prediction(builder: GraphBuilder, raw: ValueId, kind: "softmax" | "sigmoid" | undefined): ValueId {
  if (kind === undefined) return raw;
  if (kind === "sigmoid") return builder.unary("sigmoid", raw);
  return builder.add({ op: "softmax", x: raw }, builder.shapeOf(raw));
}

function formNamed(forms: Readonly<Record<string, LossForm>>, name: string, what: string): LossForm {
  if (Object.hasOwn(forms, name)) return forms[name] as LossForm;
  throw new UnsupportedError(`${what} "${name}" is not known to the plan`);
}

/** Short names that TF.js exports some metrics under. */
const aliases: Readonly<Record<string, string>> = {
  mse: "meanSquaredError",
  MSE: "meanSquaredError",
  mae: "meanAbsoluteError",
  MAE: "meanAbsoluteError",
  mape: "meanAbsolutePercentageError",
  MAPE: "meanAbsolutePercentageError",
  cosine: "cosineProximity",
};

/** Name of a metric's function; bundlers append $1 to names that occur twice. */
function metricName({ apply }: CompiledMetric): string {
  const name = (apply?.name ?? "").replace(/\$\d+$/, "");
  return aliases[name] ?? name;
}

/** Lists what a plan holds, by operation, for messages and tests: { conv2d: 2, dense: 2, … }. */
export function countOperations(graph: Graph): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

/**
 * Returns the program that gives, for each sample by itself, what the plan adds up over a batch: rows with one
 * number for each of the plan's totals, as means over what a total counts of one sample (a gap: 1 if any).
 */
export function sampleGraph({ raw, totals }: Pick<ModelPlan, "raw" | "totals">): Graph {
  const nodes: GraphNode[] = [...raw.nodes];
  const add = (node: GraphNode): ValueId => nodes.push(node) - 1;
  const packed = nodes[raw.outputs[0]];
  const summed = packed.op === "pack" ? packed.xs.map((id) => nodes[id]) : [];
  const columns = summed.map((node, i) => {
    const { elements, kind } = totals[i];
    const x = node.op === "total" ? node.x : 0;
    const flat = nodes[x].shape.length === 1 ? x : add({ op: "reshape", x, shape: [elements] });
    if (elements === 1) return flat;
    return add({ op: "reduce", kind: kind === "gap" ? "max" : "mean", x: flat, shape: [1] });
  });
  const rows = add({ op: "concat", xs: columns, axis: 0, shape: [columns.length] });
  return foldBatchNorm({ nodes, weights: raw.weights, outputs: [rows] });
}

/** Computes a graph's weights at a point, in its order. */
export function weightsAt(graph: Graph, read: ParameterReader): readonly Float32Array[] {
  return graph.weights.map(({ compute }) => compute(read));
}

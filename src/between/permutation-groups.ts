import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { ParameterLayout } from "../model/layout.js";
import { matchLayout } from "../model/layout.js";
import { layoutOfModel, modelWeights } from "../model/layout-of-model.js";
import { type TracedUnits, traceUnits, type WeightAxis } from "./trace-units.js";
import { FIXED } from "./unit-table.js";

/** Where the units of a group stand on an axis of a weight. */
export interface GroupAxis {
  /** Index of the weight in the layout. */
  readonly parameter: number;
  readonly axis: number;
  /** Entries of each unit: h·w behind Flatten, 4 gates of an LSTM, 1 for most. */
  readonly repeats: number;
  /** Entries of the axis (units, repeats), row-major: row k holds those of unit k. */
  readonly positions: Int32Array;
}

/** A layer that reads units of a group, or makes them, and where they stand on the last axis of what it gets or gives. */
export interface GroupLayer {
  readonly layer: tf.layers.Layer;
  /** Entries of each unit. */
  readonly repeats: number;
  /** Entries of the axis (units, repeats), row-major. */
  readonly positions: Int32Array;
}

/** Units that may change places with each other, and with nothing else, without a change of the function. */
export interface PermutationGroup {
  /** Names of the layers whose units they are; several where a sum ties them. */
  readonly layers: readonly string[];
  /** Number of units, at least 2. */
  readonly units: number;
  /** Every axis that moves with them. */
  readonly axes: readonly GroupAxis[];
  /** Layers of the model that read them: their inputs are the units' activations. */
  readonly readers: readonly GroupLayer[];
}

/** The permutation symmetries of a model. */
export interface PermutationGroups {
  readonly layout: ParameterLayout;
  /** In the order of the graph; none for a model without hidden layers. */
  readonly groups: readonly PermutationGroup[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns the groups of units of a model that may be permuted without a change of its function, derived from its
 * graph: outputs, bias and the next layer's inputs of Dense and convolutions; channels that depthwise convolutions
 * keep; γ, β and moving statistics; h·w blocks behind Flatten; offsets of Concatenate; one group for all layers that
 * are added; gates of recurrent units. Inputs and outputs of the model stay where they are.
 *
 * A layer that is not known ends a group: the units that it reads are fixed, and a warning names it.
 *
 * @param layout - order of θ. Default that of the model.
 * @throws {@link EvaluationError} if the layout leaves out weights of the model, which would have to move too.
 * @see Ainsworth et al. 2023, appendix A.
 * @example const { groups } = permutationGroups(model); // groups[0].units
 */
export function permutationGroups(
  model: tf.LayersModel,
  layout: ParameterLayout = layoutOfModel(model),
): PermutationGroups {
  const traced = traceUnits(model);
  const indices = parameterIndices(model, layout);
  const twisted = fixTwisted(traced);
  const axes = traced.axes.map((axis) => placed(traced, axis, indices));
  const readers = traced.readers.map(({ layer, units }) => ({ layer, roots: rootsOf(traced, units) }));
  const groups = classesOfUnits(traced, axes).map(({ layers, roots }) => ({
    layers,
    units: roots.length,
    axes: axes.flatMap(({ parameter, axis, roots: entries }) =>
      positionsOf(entries, roots).map((places) => ({ parameter, axis, ...places })),
    ),
    readers: readers.flatMap(({ layer, roots: entries }) =>
      positionsOf(entries, roots).map((places) => ({ layer, ...places })),
    ),
  }));
  return { layout, groups, warnings: [...traced.warnings, ...twisted] };
}

/** Index in the layout of each variable of a model, by its id. */
export function parameterIndices(
  model: tf.LayersModel,
  layout: ParameterLayout,
): ReadonlyMap<number, number> {
  const own = layoutOfModel(model);
  const matches = matchLayout(layout, own, `model "${model.name}"`, { partial: true });
  const byName = new Map(layout.parameters.map((_, i) => [own.parameters[matches[i]].name, i]));
  const weights = modelWeights(model);
  const missing = weights.find(({ parameter }) => !byName.has(parameter.name));
  if (missing !== undefined) {
    const expected = `all ${weights.length} weights of the model`;
    throw new EvaluationError("layout", expected, `${layout.parameters.length} of them`, {
      hint: "record the run without `select`",
    });
  }
  return new Map(
    weights.map(({ variable, parameter }) => [variable.id, byName.get(parameter.name) as number]),
  );
}

/** An axis with the root of each entry's unit. */
interface PlacedAxis {
  readonly parameter: number;
  readonly axis: number;
  readonly roots: Int32Array;
}

function placed(
  traced: TracedUnits,
  { variable, axis, units }: WeightAxis,
  indices: ReadonlyMap<number, number>,
): PlacedAxis {
  return { parameter: indices.get(variable.id) as number, axis, roots: rootsOf(traced, units) };
}

function rootsOf({ table }: TracedUnits, units: Int32Array): Int32Array {
  return units.map((unit) => table.rootOf(unit));
}

/** Two units of one layer that are tied to each other cannot simply change places with others: they are fixed. */
function fixTwisted({ table }: TracedUnits): LandscapeWarning[] {
  const layers = new Set<string>();
  for (const [root, origins] of table.originsByRoot()) {
    if (root === FIXED) continue;
    const twice = origins.find((layer, i) => origins.indexOf(layer) !== i);
    if (twice === undefined) continue;
    layers.add(twice);
    table.fix(Int32Array.of(root));
  }
  if (layers.size === 0) return [];
  const message = `${[...layers].join(", ")}: units that are added to each other stay where they are, and are not matched`;
  return [{ code: "tied-units", message }];
}

interface UnitClass {
  readonly layers: readonly string[];
  readonly roots: readonly number[];
}

/** Units are exchangeable if they come from the same layers and stand equally often on every axis. */
function classesOfUnits({ table }: TracedUnits, axes: readonly PlacedAxis[]): UnitClass[] {
  const counts = new Map<number, Map<number, number>>();
  axes.forEach(({ roots }, a) => {
    for (const root of roots) {
      const own = counts.get(root) ?? new Map<number, number>();
      counts.set(root, own.set(a, (own.get(a) ?? 0) + 1));
    }
  });
  const classes = new Map<string, { layers: readonly string[]; roots: number[] }>();
  for (const [root, layers] of table.originsByRoot()) {
    if (root === FIXED) continue;
    const key = JSON.stringify([[...layers].sort(), [...(counts.get(root) ?? [])]]);
    const known = classes.get(key) ?? { layers, roots: [] };
    known.roots.push(root);
    classes.set(key, known);
  }
  return [...classes.values()].filter(({ roots }) => roots.length > 1);
}

/** Where the units of a group stand among the entries of an axis; nothing where they do not. */
function positionsOf(
  entries: Int32Array,
  group: readonly number[],
): { readonly repeats: number; readonly positions: Int32Array }[] {
  const rows = new Map<number, number[]>(group.map((root) => [root, []]));
  entries.forEach((root, entry) => {
    rows.get(root)?.push(entry);
  });
  const positions = [...rows.values()];
  const repeats = positions[0].length;
  const isEven = repeats > 0 && positions.every(({ length }) => length === repeats);
  return isEven ? [{ repeats, positions: Int32Array.from(positions.flat()) }] : [];
}

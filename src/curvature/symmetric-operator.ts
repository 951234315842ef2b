import { InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { ColumnRange, ColumnSelectionOptions } from "../directions/column-selection.js";
import { countColumns, embedVector, restrictVector, selectColumns } from "../directions/column-selection.js";
import type { Parameter, ParameterLayout } from "../model/layout.js";
import type { CurvaturePoint } from "./create-curvature.js";

/** A symmetric matrix that is known by its products alone. */
export interface SymmetricOperator {
  /** Rows and columns n. */
  readonly size: number;
  /** Returns A·x (n). */
  apply(vector: Float64Array, signal?: AbortSignal): Promise<Float64Array>;
}

/** Which matrix of a point, and which of its rows and columns. */
export interface HessianOperatorOptions extends Pick<ColumnSelectionOptions, "ignore"> {
  /** "hessian" (default), or "gauss-newton", which is never negative and leaves the network's own curvature out. */
  readonly matrix?: "hessian" | "gauss-newton" | undefined;
  /** The block of some weights alone. Default all trained weights. */
  readonly select?: ((parameter: Parameter) => boolean) | undefined;
}

/** A block of the Hessian: its rows and columns in θ. */
export interface HessianOperator extends SymmetricOperator {
  /** The entries of θ that its rows are. */
  readonly ranges: readonly ColumnRange[];
}

/**
 * Returns the Hessian at a point, or the block of some weights, as an operator over the trained weights.
 *
 * @throws {@link InvalidOptionError} if no trained weight is left.
 * @example const kernels = hessianOperator(point, layout, { ignore: ["bias", "scale", "offset"] });
 */
export function hessianOperator(
  point: CurvaturePoint,
  layout: ParameterLayout,
  { matrix = "hessian", ignore, select }: HessianOperatorOptions = {},
): HessianOperator {
  if (matrix !== "hessian" && matrix !== "gauss-newton") {
    throw new InvalidOptionError("matrix", '"hessian" or "gauss-newton"', JSON.stringify(matrix));
  }
  const chosen = select === undefined ? layout.parameters : layout.parameters.filter(select);
  const ranges = selectColumns({ ...layout, parameters: chosen }, defined({ ignore }));
  const apply = matrix === "hessian" ? point.hessianVector : point.gaussNewtonVector;
  return {
    size: countColumns(ranges),
    ranges,
    async apply(vector, signal) {
      return restrictVector(await apply(embedVector(vector, ranges, layout.parameterCount), signal), ranges);
    },
  };
}

/** A part of the weights with a name. */
export interface WeightBlock {
  /** Name of the weight, the layer or the role. */
  readonly name: string;
  /** Whether a weight belongs to it. */
  readonly select: (parameter: Parameter) => boolean;
}

/**
 * Returns the trained weights of a layout in blocks: each weight tensor, each layer, or each role ("kernel", …).
 * Layers without trained weights have none.
 *
 * @throws {@link InvalidOptionError} if `by` is something else.
 * @example for (const { name, select } of weightBlocks(layout, "layer")) hessianOperator(point, layout, { select });
 */
export function weightBlocks(layout: ParameterLayout, by: "weight" | "layer" | "role"): WeightBlock[] {
  const nameOf = {
    weight: ({ name }: Parameter) => name,
    layer: ({ name }: Parameter) => name.slice(0, Math.max(0, name.lastIndexOf("/"))) || name,
    role: ({ role }: Parameter) => role,
  }[by];
  if (nameOf === undefined) {
    throw new InvalidOptionError("by", '"weight", "layer" or "role"', JSON.stringify(by));
  }
  const trained = layout.parameters.filter(({ trainable, size }) => trainable && size > 0);
  return [...new Set(trained.map(nameOf))].map((name) => ({
    name,
    select: (parameter) => nameOf(parameter) === name,
  }));
}

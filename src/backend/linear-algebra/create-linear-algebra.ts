import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { currentBackend } from "../current-backend.js";
import { jsLinearAlgebra } from "./js-linear-algebra.js";
import { rowProductsNative, singularValuesNative, symmetricEigenNative } from "./native-float64.js";
import { createTensorLinearAlgebra, type GramPlan } from "./tensor-linear-algebra.js";

/** The plan for each backend that multiplies faster than plain loops, by its name. */
const PLANS: Readonly<Record<string, GramPlan>> = {
  native: { chunkValues: 409_600, panelRows: Number.POSITIVE_INFINITY, batch: 4 },
  wasm: { chunkValues: 409_600, panelRows: 34, batch: 1 },
};

const NATIVE_FLOAT64 = {
  rowProducts: rowProductsNative,
  symmetricEigen: symmetricEigenNative,
  singularValues: singularValuesNative,
};

/**
 * Returns the linear algebra of the active TF.js backend: native TensorFlow, WebAssembly or, for any other,
 * plain JavaScript. Call it after `selectBackend`.
 *
 * @example const { embedding } = await phate(input, createLinearAlgebra());
 */
export function createLinearAlgebra(): LinearAlgebra {
  const { name } = currentBackend();
  const plan = PLANS[name];
  if (plan === undefined) return jsLinearAlgebra;
  return createTensorLinearAlgebra(name, plan, name === "native" ? NATIVE_FLOAT64 : undefined);
}

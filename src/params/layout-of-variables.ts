import type * as tf from "@tensorflow/tfjs";
import { LayoutError } from "../errors.js";
import { buildLayout, type LayoutOptions, type UnplacedParameter } from "./build-layout.js";
import type { ParameterLayout } from "./layout.js";

/** Variables of a custom training loop: in a fixed order, or by names of the user's choice. */
export type VariableCollection = readonly tf.Variable[] | Readonly<Record<string, tf.Variable>>;

/** A variable of a custom loop under the name that the layout uses. */
export interface NamedVariable {
  readonly name: string;
  readonly variable: tf.Variable;
}

/**
 * Returns the layout of θ for the variables of a custom loop, trainable ones first.
 *
 * A record's keys are the names. In a list a variable goes by its own name, or by "variable_<index>"
 * where TF.js made one up. Variables have no layer, so that roles are "other" without filter axes
 * unless `options.describe` says otherwise.
 *
 * @throws {@link LayoutError} if there are none, names repeat, or one holds strings or complex numbers.
 */
export function layoutOfVariables(
  variables: VariableCollection,
  options: LayoutOptions = {},
): ParameterLayout {
  const isList = Array.isArray(variables);
  const weights = namedVariables(variables).map(({ name, variable }, index): UnplacedParameter => {
    checkDtype(name, variable);
    return {
      name,
      key: isList ? `${index}/Variable` : `Variable/${name}`,
      shape: [...variable.shape],
      role: "other",
      trainable: variable.trainable,
      layerType: "Variable",
      filterAxes: null,
    };
  });
  return buildLayout(weights, "variables", options);
}

/** Lists variables with their names, in the order given. */
export function namedVariables(variables: VariableCollection): NamedVariable[] {
  if (!isVariableList(variables)) {
    return Object.entries(variables).map(([name, variable]) => ({ name, variable }));
  }
  return variables.map((variable, index) => {
    const isMadeUp = /^\d+$/.test(variable.name);
    return { name: isMadeUp ? `variable_${index}` : variable.name, variable };
  });
}

function isVariableList(variables: VariableCollection): variables is readonly tf.Variable[] {
  return Array.isArray(variables);
}

function checkDtype(name: string, { dtype }: tf.Variable): void {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return;
  throw new LayoutError(`variables: ${name}`, "a variable of type float32, int32 or bool", dtype);
}

import { EvaluationError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Checks that every layer of a functional model can be reached from its inputs: TensorFlow.js puts a layer whose
 * inputs are not there yet aside and tries again, for ever if they never come.
 *
 * @throws {@link EvaluationError} naming a layer and what it waits for.
 */
export function checkTopology(topology: JsonValue): void {
  if (typeof topology !== "object" || topology === null) return;
  if (!Array.isArray(topology)) {
    const config = objectOf(topology as JsonObject, "config");
    const layers = config === null ? null : field(config, "layers");
    if (Array.isArray(layers) && (isFunctional(topology as JsonObject) || hasInbound(layers))) {
      checkGraph(layers.filter(isObject));
    }
  }
  for (const part of Object.values(topology)) checkTopology(part);
}

function isFunctional(model: JsonObject): boolean {
  return ["Model", "Functional"].includes(String(field(model, "class_name")));
}

function hasInbound(layers: readonly JsonValue[]): boolean {
  return layers.some((layer) => isObject(layer) && Array.isArray(field(layer, "inbound_nodes")));
}

/** A call of a layer: the calls whose outputs it takes, as [layer, number of the call]. */
interface Call {
  readonly layer: string;
  readonly inputs: readonly (readonly [string, number])[];
}

/** Makes the calls that can be made, in as many rounds as it takes; what is left can never be made. */
function checkGraph(layers: readonly JsonObject[]): void {
  const made = new Map<string, number>();
  let waiting: Call[] = [];
  for (const layer of layers) {
    const name = String(field(layer, "name") ?? field(objectOf(layer, "config") ?? {}, "name"));
    made.set(name, isMadeAtOnce(layer) ? 1 : 0);
    const nodes = field(layer, "inbound_nodes");
    for (const node of Array.isArray(nodes) ? nodes : [])
      waiting.push({ layer: name, inputs: inputsOf(node) });
  }
  const isReady = ([name, call]: readonly [string, number]) => call < (made.get(name) ?? 0);
  for (let before = -1; waiting.length > 0 && waiting.length !== before; ) {
    before = waiting.length;
    waiting = waiting.filter(({ layer, inputs }) => {
      if (!inputs.every(isReady)) return true;
      made.set(layer, (made.get(layer) ?? 0) + 1);
      return false;
    });
  }
  const [stuck] = waiting;
  if (stuck === undefined) return;
  const [name, call] = stuck.inputs.find((input) => !isReady(input)) as readonly [string, number];
  const why = made.has(name) ? `call ${call} of "${name}", which is never made` : `a missing layer "${name}"`;
  throw new EvaluationError("run.json: model", `inputs of "${stuck.layer}" that can be reached`, why);
}

/** Input layers and models have their first call from the start. */
function isMadeAtOnce(layer: JsonObject): boolean {
  const config = objectOf(layer, "config");
  const hasLayers = config !== null && Array.isArray(field(config, "layers"));
  return String(field(layer, "class_name")) === "InputLayer" || hasLayers;
}

/** `[[layer, call, tensor, arguments], …]`; what has another form is left to TensorFlow.js, which throws. */
function inputsOf(node: JsonValue): (readonly [string, number])[] {
  if (!Array.isArray(node)) return [];
  return node.filter(Array.isArray).map((input) => [String(input[0]), Number(input[1])] as const);
}

/** A field by its name in Keras or in camel case: TensorFlow.js takes both. */
function field(object: JsonObject, name: string): JsonValue | undefined {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(object, name)
    ? object[name]
    : Object.hasOwn(object, camel)
      ? object[camel]
      : undefined;
}

function objectOf(object: JsonObject, name: string): JsonObject | null {
  const value = field(object, name);
  return value !== undefined && isObject(value) ? value : null;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import * as tf from "@tensorflow/tfjs";
import { EvaluationError, messageOf } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import { disposeOptimizer, optimizerFromManifest } from "./describe-training.js";
import { matchLayout } from "./layout.js";
import { initializersOf, layoutOfModel } from "./layout-of-model.js";
import type { RunManifest } from "./manifest.js";

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Checks that every layer of a functional model can be reached from its inputs: TensorFlow.js puts a layer whose
 * inputs are not there yet aside and tries again, for ever if they never come. It keeps layers by the name beside
 * their configuration and what waits by the name inside it: where those differ it waits for ever too.
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
    const name = nameOf(layer);
    if (made.has(name)) throw cannotReach("layers of different names", `two of name "${name}"`);
    made.set(name, isMadeAtOnce(layer) ? 1 : 0);
    const nodes = field(layer, "inbound_nodes");
    for (const node of Array.isArray(nodes) ? nodes : []) {
      const inputs = inputsOf(node, name);
      // Without inputs TensorFlow.js makes no call.
      if (inputs.length > 0) waiting.push({ layer: name, inputs });
    }
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
  throw cannotReach(`inputs of "${stuck.layer}" that can be reached`, why);
}

function cannotReach(expected: string, got: string): EvaluationError {
  return new EvaluationError("run.json: model", expected, got);
}

/** The name of a layer, which its configuration must bear too. */
function nameOf(layer: JsonObject): string {
  const name = field(layer, "name");
  const inside = field(objectOf(layer, "config") ?? {}, "name");
  if (typeof name === "string" && name === inside) return name;
  const [outer, inner] = [name, inside].map((one) => (one === undefined ? "no name" : JSON.stringify(one)));
  throw cannotReach("a layer and its configuration to have one name", `${outer} and ${inner}`);
}

/** Input layers and models have their first call from the start. */
function isMadeAtOnce(layer: JsonObject): boolean {
  return ["InputLayer", "Sequential", "Model", "Functional"].includes(String(field(layer, "class_name")));
}

/** `[[layer, call, tensor, arguments], …]`; what is no list at all is left to TensorFlow.js, which throws. */
function inputsOf(node: JsonValue, layer: string): (readonly [string, number])[] {
  if (!Array.isArray(node)) return [];
  return node.map((input) => {
    if (Array.isArray(input)) return [String(input[0]), Number(input[1])] as const;
    throw cannotReach(`inputs of "${layer}" as lists`, JSON.stringify(input).slice(0, 60));
  });
}

/** A field by its name in Keras or in camel case: TensorFlow.js takes both, and the last one of several. */
function field(object: JsonObject, name: string): JsonValue | undefined {
  const wanted = camelCase(name);
  return Object.entries(object).findLast(([key]) => camelCase(key) === wanted)?.[1];
}

/** As TensorFlow.js spells the names of a Keras configuration. */
function camelCase(name: string): string {
  return name.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());
}

function objectOf(object: JsonObject, name: string): JsonObject | null {
  const value = field(object, name);
  return value !== undefined && isObject(value) ? value : null;
}

/**
 * Returns a model's topology as plain data: class, configuration, layers and how they are connected, as
 * `tf.models.modelFromJSON` takes it. Neither weights nor what `compile` was given are in it.
 */
export function modelToJson(model: tf.LayersModel): JsonValue {
  return model.toJSON(null, false) as unknown as JsonValue;
}

/**
 * Returns a topology with names and initial values taken out, so that the same architecture built twice is
 * the same data: TF.js numbers layers by a counter of the process.
 */
export function anonymousTopology(topology: JsonValue): JsonValue {
  const names = new Map<string, string>();
  visitObjects(topology, (object) => {
    const config = object.config;
    const name = isObject(config) ? config.name : undefined;
    if (typeof name === "string" && !names.has(name)) names.set(name, `#${names.size}`);
  });
  return mapJson(topology, (value, key) => {
    if (key.endsWith("_initializer")) return null;
    return typeof value === "string" ? (names.get(value) ?? value) : value;
  });
}

/**
 * Zeros for the weights of one model, up to a number of elements: what a run's layout does not hold is refused
 * before the memory for it is asked for. Written down as plain "Zeros".
 */
class BoundedZeros extends tf.serialization.Serializable {
  static readonly className = "LandscapeBoundedZeros";
  static readonly #left = new Map<number, number>();
  static #next = 0;
  readonly #id: number;

  constructor({ id }: { readonly id: number }) {
    super();
    this.#id = id;
  }

  /** Opens an account of so many elements; close it with `close`. */
  static open(elements: number): number {
    BoundedZeros.#left.set(BoundedZeros.#next, elements);
    return BoundedZeros.#next++;
  }

  static close(id: number): void {
    BoundedZeros.#left.delete(id);
  }

  apply(shape: number[], dtype?: tf.DataType): tf.Tensor {
    const size = shape.reduce((product, length) => product * length, 1);
    const left = (BoundedZeros.#left.get(this.#id) ?? Number.POSITIVE_INFINITY) - size;
    if (!(left >= 0)) throw new Error(`more weights than the layout has, at one of shape [${shape}]`);
    BoundedZeros.#left.set(this.#id, left);
    return tf.zeros(shape, dtype as "float32");
  }

  override getClassName(): string {
    return "Zeros";
  }

  getConfig(): tf.serialization.ConfigDict {
    return {};
  }
}
tf.serialization.registerClass(BoundedZeros);

/** Returns a topology whose weights all begin at zero, of which an account pays for as many as it has. */
function zeroInitialized(topology: JsonValue, id: number): JsonValue {
  const zeros = { class_name: BoundedZeros.className, config: { id } };
  return mapJson(topology, (value, key) => {
    if (key.endsWith("_initializer")) return zeros;
    if (!isObject(value) || typeof value.class_name !== "string" || !isObject(value.config)) return value;
    const missing = initializersOf(value.class_name).filter(
      (name) => !Object.hasOwn(value.config as object, name),
    );
    return {
      ...value,
      config: { ...value.config, ...Object.fromEntries(missing.map((name) => [name, zeros])) },
    };
  });
}

function visitObjects(value: JsonValue, visit: (object: JsonObject) => void): void {
  if (isObject(value)) visit(value);
  if (typeof value !== "object" || value === null) return;
  for (const entry of Object.values(value)) visitObjects(entry, visit);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Rebuilds JSON, letting `replace` change every value, which it sees with its key, before its parts. */
export function mapJson(
  value: JsonValue,
  replace: (value: JsonValue, key: string) => JsonValue,
  key = "",
): JsonValue {
  const own = replace(value, key);
  if (Array.isArray(own)) return own.map((entry) => mapJson(entry, replace));
  if (!isObject(own)) return own;
  return Object.fromEntries(
    Object.entries(own).map(([name, entry]) => [name, mapJson(entry, replace, name)]),
  );
}

const HINT = "export a function loadModel() from the data module that returns the compiled model";

/** Loss and metrics as given to `compile`, functions included. */
export type Compiled = Pick<tf.LayersModel, "loss" | "metrics">;

/**
 * Rebuilds a model from its manifest: topology, compiled loss, metrics and optimizer. Its weights are zeros, to be
 * replaced by a snapshot's. Everything that makes a model again does it by this: runs, worker processes, jumps.
 *
 * @param compiled - Loss and metrics of an original in this process: they may be functions, which no manifest
 * holds. Default those that the manifest names.
 * @throws {@link EvaluationError} where the manifest cannot say it all: a custom loop, layers, losses or
 * metrics of the user's own, or a run that holds only some of the weights.
 */
export async function modelFromManifest(
  manifest: Pick<RunManifest, "model" | "optimizer" | "loss" | "metrics" | "layout">,
  compiled?: Compiled | null,
): Promise<tf.LayersModel> {
  if (manifest.model === null) throw cannot("model", "a topology", "null (a custom loop)");
  const isNamed = compiled === undefined || compiled === null;
  if (isNamed) checkNames(manifest);
  checkTopology(manifest.model);
  for (const field of isNamed ? (["model", "loss", "metrics"] as const) : (["model"] as const)) {
    const name = foreignName(manifest[field]);
    if (name !== null) throw cannot(field, "names that TensorFlow.js knows", JSON.stringify(name));
  }
  const model = await rebuilt(manifest.model, manifest.layout.parameterCount);
  try {
    checkComplete(model, manifest);
    compile(model, manifest.optimizer, isNamed ? namesFor(model, manifest) : compiled);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** So small an excess costs no memory, and the comparison with the layout says more of it. */
const SPARE_ELEMENTS = 2 ** 20;

async function rebuilt(topology: JsonValue, elements: number): Promise<tf.LayersModel> {
  const account = BoundedZeros.open(elements + SPARE_ELEMENTS);
  try {
    const config = { modelTopology: zeroInitialized(topology, account) };
    const made: unknown = await tf.models.modelFromJSON(
      config as unknown as Parameters<typeof tf.models.modelFromJSON>[0],
    );
    // TensorFlow.js makes whatever the topology names: of a layer it cannot be told what trains.
    if (made instanceof tf.LayersModel) return made;
    throw cannot("model", "a model", `a ${(made as object).constructor.name}`);
  } catch (cause) {
    if (cause instanceof EvaluationError) throw cause;
    throw cannot("model", "layers of TensorFlow.js", messageOf(cause), cause);
  } finally {
    BoundedZeros.close(account);
  }
}

/** A text that is the name of a property of every object, which TensorFlow.js would take for one of its own. */
function foreignName(value: JsonValue): string | null {
  if (typeof value === "string") return value in Object.prototype ? value : null;
  if (typeof value !== "object" || value === null) return null;
  for (const entry of Object.values(value)) {
    const found = foreignName(entry);
    if (found !== null) return found;
  }
  return null;
}

function checkNames({ loss, metrics }: Pick<RunManifest, "loss" | "metrics">): void {
  if (loss === null) throw cannot("loss", "a compiled loss", "null");
  if (hasCustom(loss)) throw cannot("loss", "losses of TensorFlow.js by name", "a custom function");
  if (hasCustom(metrics)) throw cannot("metrics", "metrics of TensorFlow.js by name", "a custom function");
}

/** Loss and metrics as the manifest names them, for the outputs that the model has. */
function namesFor(model: tf.LayersModel, { loss, metrics }: Pick<RunManifest, "loss" | "metrics">): Compiled {
  return { loss: forOutputs(loss, model), metrics: forOutputs(metrics, model) } as Compiled;
}

function compile(
  model: tf.LayersModel,
  described: RunManifest["optimizer"],
  { loss, metrics }: Compiled,
): void {
  const optimizer = optimizerFromManifest(described);
  try {
    model.compile(metrics ? { optimizer, loss, metrics } : { optimizer, loss });
  } catch (cause) {
    disposeOptimizer(optimizer);
    throw cannot("loss and metrics", "names that TensorFlow.js knows", messageOf(cause), cause);
  }
}

/** Losses and metrics by output are a plain object; everything else is taken as it is. */
function forOutputs(value: JsonValue, model: tf.LayersModel): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const unknown = Object.keys(value).find((name) => !model.outputNames.includes(name));
  if (unknown === undefined) return value;
  throw cannot("loss and metrics", `entries for outputs ${model.outputNames.join(", ")}`, unknown);
}

/** A run captured with a selection of weights lacks the values of the others. */
function checkComplete(model: tf.LayersModel, { layout }: Pick<RunManifest, "layout">): void {
  const all = layoutOfModel(model).parameterCount;
  if (all !== layout.parameterCount) {
    throw cannot("layout", `all ${all} weights of the model`, String(layout.parameterCount));
  }
  matchLayout(layout, layoutOfModel(model), "run.json: layout");
}

function hasCustom(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return value === "custom";
  return Object.values(value).some(hasCustom);
}

function cannot(field: string, expected: string, got: string, cause?: unknown): EvaluationError {
  const where = `run.json: ${field}`;
  return new EvaluationError(
    where,
    expected,
    got,
    cause === undefined ? { hint: HINT } : { hint: HINT, cause },
  );
}

import type * as tf from "@tensorflow/tfjs";
import type { JsonValue } from "../store/provenance.js";

/** A JSON object whose values can be replaced. */
type JsonObject = { readonly [key: string]: JsonValue };

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

/** Returns a topology whose weights all begin at zero: for models that get other weights at once. */
export function zeroInitialized(topology: JsonValue): JsonValue {
  return mapJson(topology, (value, key) =>
    key.endsWith("_initializer") && value !== null ? { class_name: "Zeros", config: {} } : value,
  );
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
function mapJson(
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

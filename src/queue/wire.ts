import { readFile, rm, writeFile } from "node:fs/promises";
import { EvaluationError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import type { StoredContent } from "./content-store.js";

/** Typed arrays of more bytes travel through the store. */
const MOST_INLINE = 16 * 1024;
const MOST_DEPTH = 64;

const ARRAYS = { Float32Array, Float64Array, Int32Array, Uint8Array } as const;
type ArrayName = keyof typeof ARRAYS;
type Values = InstanceType<(typeof ARRAYS)[ArrayName]>;

/** Where content goes that does not travel in a message. */
export interface WireSink {
  /** Whether a text is the path of a file that has to travel. */
  isFile(text: string): boolean;
  put(file: string): Promise<StoredContent>;
  /** A new file for what is to be put. */
  temporary(): string;
  /** A folder that is made where the message is read: its text stands for one there. Default none. */
  readonly directory?: string | undefined;
}

/** Where content comes from. */
export interface WireSource {
  /** Path of the content's file here. */
  hold(content: StoredContent): Promise<string>;
  /** Told that a file has been read whole, and is not needed any more. Default it is kept. */
  drop?(file: string): Promise<void>;
  temporary(): string;
  /** A folder here for what is made. Default a message may not ask for one. */
  directory?(): string;
}

/**
 * Returns plain data as JSON that loses nothing: typed arrays, NaN, ∞, −0 and files. Each is an object with one
 * `$` key: `$number`, `$values` (base64), `$content` (in the store), `$file` (a file), `$json` (a file of JSON that
 * names other files), `$directory` (a folder that is made where it is read).
 *
 * @throws {@link EvaluationError} for what is no plain data: a function, a class.
 */
export async function encodeWire(value: unknown, sink: WireSink, depth = 0): Promise<JsonValue> {
  if (depth > MOST_DEPTH) throw new EvaluationError("message", `at most ${MOST_DEPTH} levels`, "more");
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { $number: Object.is(value, -0) ? "-0" : `${value}` };
  }
  if (typeof value === "string" && value === sink.directory) return { $directory: true };
  if (typeof value === "string") return sink.isFile(value) ? encodeFile(value, sink, depth) : value;
  if (ArrayBuffer.isView(value)) return encodeValues(value as Values, sink);
  if (Array.isArray(value)) {
    const parts: JsonValue[] = [];
    for (const one of value) parts.push(await encodeWire(one ?? null, sink, depth + 1));
    return parts;
  }
  const prototype = typeof value === "object" ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new EvaluationError(
      "message",
      "plain data",
      typeof value === "object" ? "an object of a class" : `a ${typeof value}`,
    );
  }
  const parts: Record<string, JsonValue> = {};
  for (const [name, one] of Object.entries(value as object)) {
    if (name.startsWith("$")) throw new EvaluationError("message", "names without $", JSON.stringify(name));
    if (one !== undefined) parts[name] = await encodeWire(one, sink, depth + 1);
  }
  return parts;
}

async function encodeFile(file: string, sink: WireSink, depth: number): Promise<JsonValue> {
  if (!file.endsWith(".json")) return { $file: { ...(await sink.put(file)) } };
  const inner = await encodeWire(JSON.parse(await readFile(file, "utf8")), sink, depth + 1);
  return { $json: await put(JSON.stringify(inner), sink) };
}

async function put(bytes: string | Uint8Array, sink: WireSink): Promise<JsonValue> {
  const file = sink.temporary();
  await writeFile(file, bytes, { flag: "wx" });
  try {
    return { ...(await sink.put(file)) };
  } finally {
    await rm(file, { force: true });
  }
}

async function encodeValues(values: Values, sink: WireSink): Promise<JsonValue> {
  const of = values.constructor.name;
  if (!(of in ARRAYS)) throw new EvaluationError("message", Object.keys(ARRAYS).join(", "), of);
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (bytes.length <= MOST_INLINE) return { $values: { of, base64: bytes.toString("base64") } };
  return { $content: { of, ...((await put(bytes, sink)) as object) } };
}

/**
 * Returns what {@link encodeWire} was given; files are those of this machine.
 *
 * @throws {@link EvaluationError} for a message that it cannot have made.
 */
export async function decodeWire(value: JsonValue, source: WireSource, depth = 0): Promise<unknown> {
  if (depth > MOST_DEPTH) throw new EvaluationError("message", `at most ${MOST_DEPTH} levels`, "more");
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const parts: unknown[] = [];
    for (const one of value) parts.push(await decodeWire(one, source, depth + 1));
    return parts;
  }
  const [only = "", ...others] = Object.keys(value);
  if (only.startsWith("$")) {
    const inner = (value as Record<string, JsonValue>)[only] as JsonValue;
    if (others.length === 0) return decodeSpecial(only, inner, source, depth);
    throw new EvaluationError("message", `${only} alone`, `${others.join(", ")} beside it`);
  }
  const parts: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) {
    const decoded = await decodeWire(one as JsonValue, source, depth + 1);
    // "__proto__" is a name like any other here.
    Object.defineProperty(parts, name, {
      value: decoded,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return parts;
}

async function decodeSpecial(
  kind: string,
  inner: JsonValue,
  source: WireSource,
  depth: number,
): Promise<unknown> {
  if (
    kind === "$number" &&
    typeof inner === "string" &&
    ["NaN", "Infinity", "-Infinity", "-0"].includes(inner)
  ) {
    return Number(inner);
  }
  if (kind === "$directory" && source.directory !== undefined) return source.directory();
  if (kind === "$file") return source.hold(contentOf(inner));
  if (kind === "$json") {
    const text = JSON.parse(await readFile(await source.hold(contentOf(inner)), "utf8")) as JsonValue;
    const file = `${source.temporary()}.json`;
    await writeFile(file, JSON.stringify(await decodeWire(text, source, depth + 1)), { flag: "wx" });
    return file;
  }
  if (kind === "$content") {
    const { of, ...content } = fieldsOf(inner);
    const file = await source.hold(contentOf(content as JsonValue));
    const values = valuesOf(of, await readFile(file));
    await source.drop?.(file);
    return values;
  }
  const { of, base64 } = kind === "$values" ? fieldsOf(inner) : {};
  if (kind !== "$values" || typeof base64 !== "string")
    throw new EvaluationError("message", "plain data", kind);
  return valuesOf(of, Buffer.from(base64, "base64"));
}

function fieldsOf(value: JsonValue): Record<string, JsonValue> {
  if (value !== null && typeof value === "object" && !Array.isArray(value))
    return value as Record<string, JsonValue>;
  throw new EvaluationError("message", "an object", JSON.stringify(value));
}

function contentOf(value: JsonValue): StoredContent {
  const { digest, bytes } = fieldsOf(value);
  if (typeof digest === "string" && typeof bytes === "number") return { digest, bytes };
  throw new EvaluationError("message", "digest and bytes of a content", JSON.stringify(value).slice(0, 200));
}

function valuesOf(of: JsonValue | undefined, bytes: Buffer): Values {
  const kind = typeof of === "string" && Object.hasOwn(ARRAYS, of) ? ARRAYS[of as ArrayName] : undefined;
  if (kind === undefined || bytes.length % kind.BYTES_PER_ELEMENT !== 0) {
    throw new EvaluationError(
      "message",
      "whole numbers of a known type",
      `${bytes.length} bytes of ${JSON.stringify(of)}`,
    );
  }
  return new kind(Uint8Array.from(bytes).buffer);
}

import { join } from "node:path";
import { Float16Array } from "@petamoriken/float16";
import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { checkFormat, issueText } from "../../base/json-schema.js";
import { sha256 } from "../../base/provenance.js";
import type { FileSchema } from "../arrow/flat-table.js";
import { namesInFolder } from "../arrow/regular-file.js";
import type { SnapshotInfo } from "./run.js";

/** Element type of θ on disk. */
export type ThetaDtype = "float32" | "float16";

const format = "tfjs-landscape-snapshot";
/** Written; version 1, whose facts have no digest, is read too. */
const formatVersion = 2;

/**
 * Columns and their types in the file's order, in both versions: what is written, where it is read and what is
 * checked follow from this table.
 */
export const snapshotColumns = {
  step: "int32",
  epoch: "int32",
  iteration: "int32",
  time: "float64",
  learningRate: "float64",
  logs: "map<utf8, float64>",
  theta: "fixed_size_list<float32>",
} as const;

type Column = keyof typeof snapshotColumns;

/** Buffers of each type, in Arrow's depth-first order: every array begins with one of validity. */
const typeBuffers = {
  int32: ["validity", "values"],
  float64: ["validity", "values"],
  "map<utf8, float64>": [
    "validity",
    "offsets",
    "validity of entries",
    "validity of keys",
    "keyOffsets",
    "keys",
    "validity of values",
    "values",
  ],
  "fixed_size_list<float32>": ["validity", "validity of values", "values"],
} as const;

/** The buffers of a file: each with its column. */
const buffers = Object.entries(snapshotColumns).flatMap(([column, type]) =>
  typeBuffers[type].map((name) => `${column} ${name}`),
);

/** Buffers that a snapshot file has. */
export const SNAPSHOT_BUFFERS = buffers.length;

/** The place of a column's buffer among all buffers of a snapshot file. */
export function bufferOf(
  column: Column,
  name: "values" | "offsets" | "keyOffsets" | "keys" = "values",
): number {
  return buffers.indexOf(`${column} ${name}`);
}

const hexDigest = z.string().regex(/^[0-9a-f]{64}$/, "expected a sha-256 in hex");
const common = { format: z.literal(format), thetaSha256: hexDigest, layoutDigest: z.string().min(1) };
const metadataSchema = z.discriminatedUnion("formatVersion", [
  z.object({ ...common, formatVersion: z.literal("1"), factsSha256: z.undefined().optional() }),
  z.object({ ...common, formatVersion: z.literal("2"), factsSha256: hexDigest }),
]);

/** What the metadata of a snapshot file says. */
export type SnapshotMetadata = z.infer<typeof metadataSchema>;

/** Metadata of a snapshot file, ready for the Arrow schema. */
export function snapshotMetadata(
  info: SnapshotInfo,
  theta: ThetaFacts,
  layoutDigest: string,
): Map<string, string> {
  const metadata: Record<keyof SnapshotMetadata, string> = {
    format,
    formatVersion: String(formatVersion),
    thetaSha256: theta.sha256,
    layoutDigest,
    factsSha256: factsDigest(info, theta, layoutDigest),
  };
  return new Map(Object.entries(metadata));
}

/** Names go through UTF-8, as they do in the file: halves of surrogate pairs are lost there. */
const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a snapshot's facts say of θ. */
export interface ThetaFacts {
  readonly dtype: ThetaDtype;
  readonly parameterCount: number;
  /** sha-256 (hex) of θ's bytes as stored. */
  readonly sha256: string;
}

/**
 * Returns the sha-256 (hex) of everything that a snapshot file says beside the entries of θ, whose own digest is
 * part of it: over the text `[format, 2, step, epoch, iteration, dtype, D, thetaSha256, layoutDigest, names of the
 * logs]` as JSON, a line feed, and the float64 `time`, `learningRate` and logs, little-endian.
 */
export function factsDigest(info: SnapshotInfo, theta: ThetaFacts, layoutDigest: string): string {
  const { step, epoch, iteration, time, learningRate, logs } = info;
  const { dtype, parameterCount, sha256: thetaSha256 } = theta;
  const names = Object.keys(logs);
  const written = names.map((name) => utf8.decode(encoder.encode(name)));
  const text = [
    format,
    formatVersion,
    step,
    epoch,
    iteration,
    dtype,
    parameterCount,
    thetaSha256,
    layoutDigest,
    written,
  ];
  const reals = [time, learningRate, ...names.map((name) => logs[name] as number)];
  const bytes = new DataView(new ArrayBuffer(8 * reals.length));
  for (const [i, value] of reals.entries())
    bytes.setFloat64(8 * i, Number.isNaN(value) ? Number.NaN : value, true);
  return sha256(`${JSON.stringify(text)}\n`, bytes);
}

/** @throws {@link FormatError} if the file is not a snapshot or is of a newer version. */
export function parseSnapshotMetadata(name: string, { metadata }: FileSchema): SnapshotMetadata {
  checkFormat(name, metadata, format, formatVersion);
  const parsed = metadataSchema.safeParse(metadata);
  if (parsed.success) return parsed.data;
  throw new FormatError(name, "metadata of a snapshot", issueText(parsed.error));
}

/**
 * Checks the columns' names and types.
 *
 * @returns element type and length of θ.
 * @throws {@link FormatError} naming the first column that differs.
 */
export function checkSnapshotColumns(
  name: string,
  { fields }: FileSchema,
): { readonly dtype: ThetaDtype; readonly parameterCount: number } {
  const expectedNames = Object.keys(snapshotColumns).join(", ");
  const names = fields.map((field) => field.name).join(", ");
  if (names !== expectedNames) throw new FormatError(name, `columns ${expectedNames}`, names || "none");
  const theta = fields.at(-1)?.type;
  const dtype = theta?.name === "fixed_size_list<float16>" ? "float16" : "float32";
  for (const field of fields) {
    const isNarrow = field.name === "theta" && dtype === "float16";
    const expected = snapshotColumns[field.name as Column];
    if (field.type.name !== expected && !isNarrow) {
      throw new FormatError(`${name}: ${field.name}`, expected, field.type.name);
    }
  }
  return { dtype, parameterCount: theta?.width ?? 0 };
}

/** Folder of a run's snapshots. */
export function snapshotFolder(directory: string): string {
  return join(directory, "snapshots");
}

/** Path of a snapshot's file: `snapshots/NNNNNN.arrow`. */
export function snapshotPath(directory: string, step: number): string {
  return join(snapshotFolder(directory), snapshotFileName(step));
}

/** Folder of the optimizer's states, which are recorded beside the snapshots where that is asked for. */
export function optimizerFolder(directory: string): string {
  return join(directory, "optimizer");
}

/** Path of the optimizer's state at a snapshot: `optimizer/NNNNNN.arrow`. */
export function optimizerPath(directory: string, step: number): string {
  return join(optimizerFolder(directory), snapshotFileName(step));
}

function snapshotFileName(step: number): string {
  return `${String(step).padStart(6, "0")}.arrow`;
}

/**
 * Counts the snapshot files of a run, whose names must be 000000.arrow, 000001.arrow and so on. Files
 * whose names begin with a dot do not count.
 *
 * @throws {@link FormatError} naming the first file that is missing or should not be there.
 */
export async function countSnapshotFiles(directory: string): Promise<number> {
  const folder = snapshotFolder(directory);
  const names = (await namesInFolder(folder)).filter((name) => !name.startsWith("."));
  const steps = names.map((name) => {
    const step = /^\d+\.arrow$/.test(name) ? Number.parseInt(name, 10) : -1;
    if (step >= 0 && snapshotFileName(step) === name) return step;
    throw new FormatError(join(folder, name), "only files named NNNNNN.arrow in this folder", `"${name}"`);
  });
  const present = new Set(steps);
  for (let step = 0; step < steps.length; step++) {
    if (present.has(step)) continue;
    const got = `a gap before ${snapshotFileName(Math.min(...steps.filter((other) => other > step)))}`;
    throw new FormatError(snapshotPath(directory, step), "a snapshot", got);
  }
  return steps.length;
}

/** Largest finite float16. */
const maximum = 65504;

let widened: Float32Array | undefined;

/** Every float16 as float32, by bit pattern: 65,536 entries, made at first use. */
function wideningTable(): Float32Array {
  widened ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer));
  return widened;
}

/** Widens float16 bit patterns into `out` (same length). */
export function widenFloat16Into(bits: Uint16Array, out: Float32Array): void {
  const table = wideningTable();
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i] as number] as number;
}

/**
 * Rounds float32 to float16 (nearest, ties to even) and returns the bit patterns.
 *
 * @param where - first words of the error message.
 * @throws {@link InvalidDataError} if a finite number becomes infinite.
 */
export function narrowToFloat16(values: Float32Array, where: string): Uint16Array {
  const bits = new Uint16Array(new Float16Array(values).buffer);
  for (let i = 0; i < bits.length; i++) {
    const isInfinite = ((bits[i] as number) & 0x7fff) === 0x7c00;
    const value = values[i] as number;
    if (isInfinite && Number.isFinite(value)) {
      const hint = "store the run as float32";
      throw new InvalidDataError(where, `magnitudes up to ${maximum} (float16)`, String(value), { hint });
    }
  }
  return bits;
}

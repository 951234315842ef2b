import { FormatError } from "../../base/errors.js";
import { sha256 } from "../../base/provenance.js";
import { type ByteReader, memoryReader, readArrowLayout } from "../arrow/arrow-layout.js";
import type { Snapshot, SnapshotInfo } from "./run.js";
import {
  bufferOf,
  checkSnapshotColumns,
  factsDigest,
  parseSnapshotMetadata,
  SNAPSHOT_BUFFERS,
  type ThetaDtype,
  widenFloat16Into,
} from "./snapshot-schema.js";

/** All that a snapshot file says but θ itself, and where θ lies. */
export interface SnapshotHeader {
  readonly info: SnapshotInfo;
  readonly dtype: ThetaDtype;
  readonly parameterCount: number;
  /** sha-256 (hex) of θ's bytes as stored. */
  readonly thetaSha256: string;
  readonly layoutDigest: string;
  /** Byte offset of θ's first element in the file. */
  readonly thetaOffset: number;
}

/**
 * Reads everything of a snapshot file but θ, and checks it against its digest (version 2).
 *
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readSnapshotHeader(reader: ByteReader): Promise<SnapshotHeader> {
  const { name } = reader;
  const layout = await readArrowLayout(reader);
  const { rows, buffers } = layout;
  const { thetaSha256, layoutDigest, factsSha256 } = parseSnapshotMetadata(name, layout);
  const { dtype, parameterCount } = checkSnapshotColumns(name, layout);
  if (rows !== 1) throw new FormatError(name, "one row", String(rows));
  if (buffers.length !== SNAPSHOT_BUFFERS)
    throw new FormatError(name, `${SNAPSHOT_BUFFERS} buffers`, `${buffers.length}`);
  const theta = buffers[bufferOf("theta")];
  const thetaBytes = parameterCount * elementSize(dtype);
  if (theta === undefined || thetaBytes <= 0 || theta.length < thetaBytes) {
    throw new FormatError(`${name}: theta`, `${thetaBytes} bytes, more than 0`, String(theta?.length));
  }
  const read = async (index: number, minimum: number): Promise<DataView> => {
    const { offset, length } = buffers[index] ?? { offset: 0, length: 0 };
    if (length < minimum) throw new FormatError(name, `${minimum} bytes in buffer ${index}`, `${length}`);
    const bytes = await reader.readAt(offset, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const info: SnapshotInfo = {
    step: (await read(bufferOf("step"), 4)).getInt32(0, true),
    epoch: (await read(bufferOf("epoch"), 4)).getInt32(0, true),
    iteration: (await read(bufferOf("iteration"), 4)).getInt32(0, true),
    time: (await read(bufferOf("time"), 8)).getFloat64(0, true),
    learningRate: (await read(bufferOf("learningRate"), 8)).getFloat64(0, true),
    logs: await readLogs(name, read),
  };
  const digest = factsDigest(info, { dtype, parameterCount, sha256: thetaSha256 }, layoutDigest);
  if (factsSha256 !== undefined && factsSha256 !== digest) {
    throw new FormatError(`${name}: facts`, `sha-256 ${factsSha256}`, digest);
  }
  return { info, dtype, parameterCount, thetaSha256, layoutDigest, thetaOffset: theta.offset };
}

async function readLogs(
  name: string,
  read: (index: number, minimum: number) => Promise<DataView>,
): Promise<Record<string, number>> {
  const offsets = await read(bufferOf("logs", "offsets"), 8);
  const count = offsets.getInt32(4, true);
  if (count < 0 || offsets.getInt32(0, true) !== 0)
    throw new FormatError(`${name}: logs`, "a number of entries", String(count));
  if (count === 0) return {};
  const keyOffsets = await read(bufferOf("logs", "keyOffsets"), 4 * (count + 1));
  const keys = await read(bufferOf("logs", "keys"), keyOffsets.getInt32(4 * count, true));
  const values = await read(bufferOf("logs", "values"), 8 * count);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const entries = Array.from({ length: count }, (_, i): [string, number] => {
    const start = keyOffsets.getInt32(4 * i, true);
    const end = keyOffsets.getInt32(4 * (i + 1), true);
    if (start < 0 || end < start || end > keys.byteLength) {
      throw new FormatError(`${name}: logs`, "names inside their buffer", `offsets ${start} to ${end}`);
    }
    const key = decoder.decode(new Uint8Array(keys.buffer, keys.byteOffset + start, end - start));
    return [key, values.getFloat64(8 * i, true)];
  });
  return Object.fromEntries(entries);
}

/** Bytes of one element of θ. */
export function elementSize(dtype: ThetaDtype): number {
  return dtype === "float16" ? 2 : 4;
}

/** Converts stored bytes of θ (little-endian) into `out`. */
export function decodeThetaInto(bytes: Uint8Array, dtype: ThetaDtype, out: Float32Array): void {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (dtype === "float16") {
    widenFloat16Into(new Uint16Array(aligned.buffer, aligned.byteOffset, out.length), out);
  } else out.set(new Float32Array(aligned.buffer, aligned.byteOffset, out.length));
}

/** @throws {@link FormatError} if θ's bytes are not those that were written. */
export function checkThetaHash(name: string, bytes: Uint8Array, expected: string): void {
  const got = sha256(bytes);
  if (got !== expected) throw new FormatError(`${name}: theta`, `sha-256 ${expected}`, got);
}

/**
 * Decodes a whole snapshot file in memory, verifying θ: the inverse of `encodeSnapshot`.
 *
 * @param name - what is decoded, for error messages.
 */
export async function decodeSnapshot(bytes: Uint8Array, name: string): Promise<Snapshot> {
  const reader = memoryReader(name, bytes);
  const { info, dtype, parameterCount, thetaSha256, thetaOffset } = await readSnapshotHeader(reader);
  const stored = await reader.readAt(thetaOffset, parameterCount * elementSize(dtype));
  checkThetaHash(name, stored, thetaSha256);
  const theta = new Float32Array(parameterCount);
  decodeThetaInto(stored, dtype, theta);
  return { ...info, theta };
}

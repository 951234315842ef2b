import { resolve } from "node:path";
import chunk from "lodash/chunk.js";
import { FormatError, InvalidOptionError } from "../../base/errors.js";
import { type ParameterLayout, withTrainable } from "../../model/layout.js";
import type { RunManifest } from "../../model/manifest.js";
import { withFileReader } from "../arrow/arrow-layout.js";
import { createFilePool, type FilePool } from "../arrow/file-pool.js";
import {
  checkThetaHash,
  decodeThetaInto,
  elementSize,
  readSnapshotHeader,
  type SnapshotHeader,
} from "./decode-snapshot.js";
import { readManifest } from "./manifest-file.js";
import type { Run } from "./run.js";
import { runDigest } from "./run-part.js";
import { warningsOfRun } from "./run-warnings.js";
import { countSnapshotFiles, snapshotPath } from "./snapshot-schema.js";

/** Files kept open while weights are read. */
const openFileLimit = 512;
/** Snapshots whose headers are read at the same time. */
const headersAtOnce = 16;

/**
 * Opens a run directory for reading. Facts of every snapshot are read and checked, weights are not.
 *
 * Unfinished files (names beginning with a dot) are ignored, so that the run of a killed or still
 * running training opens with the snapshots that are complete.
 *
 * @throws {@link RunStateError} if there is no run.
 * @throws {@link FormatError} naming the file that is missing, truncated, foreign, damaged, of a newer
 *   version or of another run.
 * @example const run = await openRun("runs/adam");
 * const theta = await run.readTheta(run.snapshots.length - 1);
 */
export async function openRun(directory: string): Promise<Run> {
  const root = resolve(directory);
  const manifest = await readManifest(root);
  const steps = Array.from({ length: await countSnapshotFiles(root) }, (_, step) => step);
  const headers: SnapshotHeader[] = [];
  for (const group of chunk(steps, headersAtOnce)) {
    headers.push(...(await Promise.all(group.map((step) => readHeader(root, step, manifest)))));
  }
  const theta = new ThetaReader(root, headers);
  const layout = layoutOverTime(manifest);
  const run: Omit<Run, "warnings"> = {
    directory: root,
    manifest: { ...manifest, layout },
    layout,
    snapshots: headers.map(({ info }) => info),
    readThetaInto: (index, start, out) => theta.readInto(index, start, out),
    readTheta: (index) => theta.readWhole(index),
    thetaDigest: (index) => theta.digest(index),
    digest: async () =>
      runDigest(
        manifest.layout.digest,
        headers.map(({ thetaSha256 }) => thetaSha256),
      ),
    close: () => theta.close(),
  };
  const warnings = await warningsOfRun(run);
  await theta.close();
  return { ...run, warnings };
}

/** The run's layout, in which a weight counts as trainable that was trained at any time. */
function layoutOverTime({ layout, resumes = [] }: RunManifest): ParameterLayout {
  const later = new Set(resumes.flatMap(({ trainable = [] }) => trainable));
  return withTrainable(
    layout,
    layout.parameters.map(({ name, trainable }) => trainable || later.has(name)),
  );
}

async function readHeader(directory: string, step: number, manifest: RunManifest): Promise<SnapshotHeader> {
  const file = snapshotPath(directory, step);
  const header = await withFileReader(file, file, readSnapshotHeader);
  const expect = (what: string, expected: string | number, got: string | number) => {
    if (expected !== got) throw new FormatError(file, `${what} ${expected}`, String(got));
  };
  expect("step", step, header.info.step);
  expect("theta of length", manifest.layout.parameterCount, header.parameterCount);
  expect("theta of type", manifest.dtype, header.dtype);
  expect("the run's layout", manifest.layout.digest, header.layoutDigest);
  return header;
}

/** Reads weights at places known from the headers. */
class ThetaReader {
  readonly #directory: string;
  readonly #headers: readonly SnapshotHeader[];
  readonly #pool: FilePool = createFilePool(openFileLimit);

  constructor(directory: string, headers: readonly SnapshotHeader[]) {
    this.#directory = directory;
    this.#headers = headers;
  }

  async readInto(index: number, start: number, out: Float32Array): Promise<void> {
    const header = this.#header(index);
    const end = start + out.length;
    if (!Number.isInteger(start) || start < 0 || end > header.parameterCount) {
      throw new InvalidOptionError("start", `entries within ${header.parameterCount}`, `${start} to ${end}`);
    }
    if (header.dtype === "float32") await this.#readBytes(header, start, bytesOf(out));
    else {
      const stored = new Uint8Array(out.length * elementSize(header.dtype));
      await this.#readBytes(header, start, stored);
      decodeThetaInto(stored, header.dtype, out);
    }
  }

  async readWhole(index: number): Promise<Float32Array> {
    const header = this.#header(index);
    const theta = new Float32Array(header.parameterCount);
    const isWide = header.dtype === "float32";
    const stored = isWide ? bytesOf(theta) : new Uint8Array(theta.length * elementSize(header.dtype));
    await this.#readBytes(header, 0, stored);
    checkThetaHash(this.#file(header), stored, header.thetaSha256);
    if (!isWide) decodeThetaInto(stored, header.dtype, theta);
    return theta;
  }

  digest(index: number): string {
    return this.#header(index).thetaSha256;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #readBytes(header: SnapshotHeader, start: number, out: Uint8Array): Promise<void> {
    const offset = header.thetaOffset + start * elementSize(header.dtype);
    const count = await this.#pool.readInto(this.#file(header), offset, out);
    if (count === out.length) return;
    throw new FormatError(this.#file(header), `${out.length} bytes at offset ${offset}`, String(count));
  }

  #file({ info }: SnapshotHeader): string {
    return snapshotPath(this.#directory, info.step);
  }

  #header(index: number): SnapshotHeader {
    const header = this.#headers[index];
    if (header !== undefined) return header;
    throw new InvalidOptionError("index", `a snapshot from 0 to ${this.#headers.length - 1}`, String(index));
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

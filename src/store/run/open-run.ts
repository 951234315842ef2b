import { resolve } from "node:path";
import chunk from "lodash/chunk.js";
import { FormatError, InvalidOptionError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { type Parameter, type ParameterLayout, withTrainable } from "../../model/layout.js";
import type { RunManifest } from "../../model/manifest.js";
import { withFileReader } from "../arrow/arrow-layout.js";
import { createFilePool, type FilePool } from "../arrow/regular-file.js";
import {
  checkThetaHash,
  decodeThetaInto,
  elementSize,
  readSnapshotHeader,
  type SnapshotHeader,
} from "./decode-snapshot.js";
import { readManifest } from "./manifest-file.js";
import { type Run, runDigest } from "./run.js";
import { countSnapshotFiles, snapshotPath } from "./snapshot-schema.js";

/** Entries of a weight that are looked at in a piece: at its begin, in its middle and at its end. */
const SAMPLE = 4096;
/** Steps of a float16 run that are measured, spread over it. */
const STEPS = 8;
/** Rounding that is this share of a squared step is worth a warning. */
const ROUNDING_SHARE = 0.05;

type Opened = Omit<Run, "warnings">;

/** Warns of what the weights of a run show by themselves: frozen ones that move, steps lost in the rounding. */
export async function warningsOfRun(run: Opened): Promise<LandscapeWarning[]> {
  if (run.snapshots.length < 2) return [];
  const found = [await frozenWarning(run), await roundingWarning(run)];
  return found.filter((warning) => warning !== null);
}

/** Weights that are recorded as not trainable and differ between the first and the last snapshot. */
async function frozenWarning(run: Opened): Promise<LandscapeWarning | null> {
  const last = run.snapshots.length - 1;
  const moved: string[] = [];
  for (const parameter of run.layout.parameters) {
    const { name, role, trainable } = parameter;
    if (trainable || role === "state" || role === "other") continue;
    const [a, b] = [await sampleOf(run, 0, parameter), await sampleOf(run, last, parameter)];
    if (a.some((value, i) => !Object.is(value, b[i]))) moved.push(name);
  }
  if (moved.length === 0) return null;
  const more = moved.length > 3 ? ` and ${moved.length - 3} more` : "";
  const names = `${moved.slice(0, 3).join(", ")}${more}`;
  const message = `${run.directory}: weights recorded as not trainable move between the snapshots: ${names}. Planes and paths leave them out unless all weights are asked for.`;
  return { code: "frozen-moves", message };
}

/**
 * Steps of a float16 run that are not much longer than what rounding makes of them: each entry is off by a uniform
 * error of one spacing at most half to each side, so that rounding adds spacing²/6 to the square of a step.
 */
async function roundingWarning(run: Opened): Promise<LandscapeWarning | null> {
  if (run.manifest.dtype !== "float16") return null;
  const trained = run.layout.parameters.filter(({ trainable }) => trainable);
  const last = run.snapshots.length - 1;
  const shares: number[] = [];
  for (let k = 0; k < Math.min(STEPS, last); k++) {
    const index = 1 + Math.floor((k * last) / Math.min(STEPS, last));
    let step = 0;
    let rounding = 0;
    for (const parameter of trained) {
      const before = await sampleOf(run, index - 1, parameter);
      const after = await sampleOf(run, index, parameter);
      for (const [i, value] of after.entries()) {
        step += (value - (before[i] as number)) ** 2;
        rounding += float16Spacing(value) ** 2 / 6;
      }
    }
    if (Number.isFinite(step)) shares.push(rounding / step);
  }
  shares.sort((a, b) => a - b);
  const share = shares[shares.length >> 1] ?? 0;
  if (!(share > ROUNDING_SHARE)) return null;
  const how = share >= 1 ? "all" : `${(100 * share).toFixed(0)} %`;
  const message = `${run.directory}: stored as float16, whose rounding makes up about ${how} of the squared length of a step: explained variance, shares in the plane and step lengths are partly those of the rounding. Record as float32 or with longer steps between snapshots.`;
  return { code: "float16-rounding", message };
}

/** Distance between neighbouring float16 numbers around a value; 0 where it is not finite. */
function float16Spacing(value: number): number {
  const size = Math.abs(value);
  if (!Number.isFinite(size)) return 0;
  return 2 ** (Math.max(-14, Math.floor(Math.log2(size))) - 10);
}

async function sampleOf(run: Opened, index: number, { offset, size }: Parameter): Promise<Float32Array> {
  const length = Math.min(size, SAMPLE);
  const starts = [...new Set([0, Math.floor((size - length) / 2), size - length])];
  const out = new Float32Array(starts.length * length);
  await Promise.all(
    starts.map((start, i) =>
      run.readThetaInto(index, offset + start, out.subarray(i * length, (i + 1) * length)),
    ),
  );
  return out;
}

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

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { onTestFinished } from "vitest";
import type { Provenance } from "../../src/base/provenance.js";
import type { ParameterLayout } from "../../src/model/layout.js";
import type { RunDescription } from "../../src/model/manifest.js";
import type { Snapshot } from "../../src/store/run/run.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { makeLayout } from "../support/layout.js";

/** A new folder that goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tfjs-landscape-store-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A layout of one weight vector of length `size`. */
export function vectorLayout(size: number, digest = "a".repeat(64)): ParameterLayout {
  return { ...makeLayout([{ name: "w", shape: [size] }]), digest };
}

/** What a run of `size` parameters says of itself. */
export function sampleDescription(size: number, changes: Partial<RunDescription> = {}): RunDescription {
  return {
    name: "sample",
    createdAt: "2026-01-02T03:04:05.000Z",
    packages: { "tfjs-landscape": "0.1.0" },
    model: { className: "Sequential" },
    layout: vectorLayout(size),
    dtype: "float32",
    optimizer: { className: "SGD", config: { learningRate: 0.1 } },
    loss: "meanSquaredError",
    metrics: ["acc"],
    fit: { epochs: 3 },
    backend: { name: "wasm", package: "@tensorflow/tfjs-backend-wasm 4.22.0", reason: "asked for" },
    seed: 0,
    ...changes,
  };
}

/** Snapshot `step` with θ_i = 10·step + i. */
export function sampleSnapshot(step: number, size: number): Snapshot {
  return {
    step,
    epoch: step,
    iteration: 5 * step,
    time: 1.7e12 + step,
    learningRate: 0.1,
    logs: step === 0 ? {} : { loss: 1 / step, acc: 0.5 },
    theta: Float32Array.from({ length: size }, (_, i) => 10 * step + i),
  };
}

/** Writes a run of `count` snapshots and closes it. */
export async function writeSampleRun(
  directory: string,
  count: number,
  size: number,
  changes: Partial<RunDescription> = {},
): Promise<void> {
  const writer = await createRunWriter(directory, sampleDescription(size, changes));
  for (let step = 0; step < count; step++) await writer.writeSnapshot(sampleSnapshot(step, size));
  await writer.close();
}

/** A provenance that depends on `value`. */
export function sampleProvenance(value = 1): Provenance {
  return { kind: "test", version: 1, options: { value }, seed: null, inputs: { run: "abc" } };
}

/** Any float64: NaN, −0, ±∞ and subnormal numbers included. */
export const anyFloat64 = fc.double();

/** Any float32 vector of these lengths. */
export function anyFloat32Vector(minLength: number, maxLength: number): fc.Arbitrary<Float32Array> {
  return fc.array(fc.float(), { minLength, maxLength }).map((values) => Float32Array.from(values));
}

/** Bit patterns, for comparisons that tell −0 from 0 and one NaN from another. */
export function bitsOf(values: Float32Array | Float64Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex");
}

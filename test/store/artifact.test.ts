import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, InvalidDataError } from "../../src/base/errors.js";
import { provenanceDigest } from "../../src/base/provenance.js";
import { float64Data } from "../../src/store/arrow/arrow-data.js";
import { memoryReader } from "../../src/store/arrow/arrow-layout.js";
import { writeFileAtomic } from "../../src/store/arrow/atomic-file.js";
import {
  type Artifact,
  decodeArtifact,
  encodeArtifact,
  readArtifact,
  readArtifactFacts,
  writeArtifact,
} from "../../src/store/results/artifact.js";
import { arrowBytes, artifactBytes } from "../support/file-bytes.js";
import { bitsOf, sampleProvenance, temporaryFolder } from "./sample-run.js";

const sample: Artifact = {
  columns: {
    name: { values: ["a", "", "çé𝄞"] },
    count: { values: Int32Array.of(-1, 0, 2 ** 31 - 1) },
    value: { values: Float64Array.of(Number.NaN, -0, Number.NEGATIVE_INFINITY) },
    small: { values: Float32Array.of(1.5, 2.5, 3.5) },
    vectors: { values: Float32Array.of(1, 2, 3, 4, 5, 6), width: 2 },
    points: { values: Float64Array.of(1, 2, 3), width: 1 },
  },
  details: { text: "x", list: [1, null, true] },
  provenance: sampleProvenance(),
};

const anyArtifact: fc.Arbitrary<Artifact> = fc
  .record({ rows: fc.integer({ min: 0, max: 6 }), width: fc.integer({ min: 1, max: 5 }) })
  .chain(({ rows, width }) => {
    const exactly = (length: number) => ({ minLength: length, maxLength: length });
    return fc.record({
      columns: fc.record({
        text: fc.record({ values: fc.array(fc.string({ unit: "grapheme" }), exactly(rows)) }),
        int: fc.array(fc.integer(), exactly(rows)).map((v) => ({ values: Int32Array.from(v) })),
        real: fc.array(fc.double(), exactly(rows)).map((v) => ({ values: Float64Array.from(v) })),
        wide: fc
          .array(fc.float(), exactly(rows * width))
          .map((v) => ({ values: Float32Array.from(v), width })),
      }),
      // A key "__proto__" is dropped when a file is read: it must not reach an object.
      details: fc
        .jsonValue()
        .filter((value) => !JSON.stringify(value).includes("__proto__")) as fc.Arbitrary<null>,
      provenance: fc.integer().map(sampleProvenance),
    });
  });

function bits({ columns, details, provenance }: Artifact) {
  const parts = Object.entries(columns).map(([name, { values, width }]) => [
    name,
    width,
    values instanceof Float32Array || values instanceof Float64Array ? bitsOf(values) : [...values],
  ]);
  return { parts, details: JSON.stringify(details), provenance };
}

/** JSON of a value with sorted keys, as it is stored. */
const sorted = (artifact: Artifact): Artifact => ({
  ...artifact,
  details: JSON.parse(JSON.stringify(sortKeys(artifact.details))) as null,
});

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, sortKeys(entry)]));
}

test("large columns of an odd length come back, though their arrays are filled anew during the write", async () => {
  const width = 16_387;
  const numbers = (sign: number) => Float32Array.from({ length: width }, (_, i) => (sign * i) / 3);
  const columns = { m: { values: numbers(1), width }, v: { values: numbers(-1), width } };
  const file = join(await temporaryFolder(), "large.arrow");
  const writing = writeArtifact(file, { columns, details: {}, provenance: sampleProvenance() });
  columns.m.values.fill(0);
  columns.v.values.fill(0);
  await writing;
  const back = await readArtifact(file);
  expect(back?.columns.m?.values).toEqual(numbers(1));
  expect(back?.columns.v?.values).toEqual(numbers(-1));
  expect(tableFromIPC(await readFile(file)).numRows).toBe(1);
});

test("a file written in parts is the parts one after another", async () => {
  const width = 16_387;
  const values = Float32Array.from({ length: width }, (_, i) => i / 3);
  const columns = { m: { values, width }, v: { values: values.map((value) => -value), width } };
  const artifact = { columns, details: {}, provenance: sampleProvenance() };
  const parts = encodeArtifact(artifact, "parts");
  expect(parts.filter((part) => part.buffer === values.buffer)).toHaveLength(1);
  const file = join(await temporaryFolder(), "parts.arrow");
  await writeFileAtomic(file, parts);
  expect(new Uint8Array(await readFile(file))).toEqual(artifactBytes(artifact, "parts"));
  expect(await readArtifact(file)).toEqual(artifact);
});

describe("stored results", () => {
  test("come back bit for bit", async () => {
    const file = join(await temporaryFolder(), "deep", "er", "result.arrow");
    await fc.assert(
      fc.asyncProperty(anyArtifact, async (artifact) => {
        await writeArtifact(file, artifact);
        const read = await readArtifact(file, artifact.provenance);
        expect(read && bits(read)).toEqual(bits(sorted(artifact)));
      }),
    );
    expect(await readdir(join(file, ".."))).toEqual(["result.arrow"]);
  });

  test("another implementation reads the same", () => {
    const table = tableFromIPC(artifactBytes(sample, "sample"));
    expect(table.toColumns()).toMatchObject({
      name: ["a", "", "çé𝄞"],
      count: sample.columns.count?.values,
      value: sample.columns.value?.values,
      small: sample.columns.small?.values,
    });
    expect([...(table.getChild("vectors").at(1) as Iterable<number>)]).toEqual([3, 4]);
    expect(table.schema.metadata?.get("format")).toBe("tfjs-landscape-artifact");
    expect(JSON.parse(table.schema.metadata?.get("provenance") ?? "")).toEqual(sample.provenance);
  });

  test("missing or stale: null; without an expectation: whatever is there", async () => {
    const nowhere = join(await temporaryFolder(), "none", "x.arrow");
    expect([await readArtifact(nowhere), await readArtifactFacts(nowhere)]).toEqual([null, null]);
    const file = join(await temporaryFolder(), "result.arrow");
    expect(await readArtifact(file, sampleProvenance())).toBeNull();
    expect(await readArtifact(join(file, "below", "a-file"), sampleProvenance())).toBeNull();
    await writeArtifact(file, sample);
    expect(await readArtifact(file, sampleProvenance(2))).toBeNull();
    expect(await readArtifact(file, sampleProvenance(1))).not.toBeNull();
    expect(await readArtifact(file)).not.toBeNull();
  });

  test("cut off anywhere, or any byte changed: FormatError, or the same content", async () => {
    const whole = artifactBytes(sample, "sample");
    const attempt = (bytes: Uint8Array) =>
      decodeArtifact(memoryReader("sample", bytes), () => true).catch((reason: unknown) => reason);
    for (let length = 0; length < whole.length; length++) {
      expect(await attempt(whole.subarray(0, length))).toBeInstanceOf(FormatError);
    }
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] as number) ^ 0x41;
      const result = await attempt(damaged);
      if (result instanceof FormatError) continue;
      if (result instanceof Error) expect.fail(`byte ${at}: ${result.stack}`);
      expect(bits(result as Artifact)).toEqual(bits(sorted(sample)));
    }
  });

  test("foreign and newer files are refused by name, stale or not", async () => {
    const file = join(await temporaryFolder(), "result.arrow");
    await writeFile(file, "not Arrow at all, but long enough");
    await expect(readArtifact(file, sampleProvenance(2))).rejects.toThrow(
      /result.arrow: expected a complete Arrow/,
    );
    const bytes = Buffer.from(artifactBytes(sample, "sample"));
    const version = bytes.lastIndexOf("formatVersion");
    const at = bytes.indexOf("\x01\0\0\x002\0", version - 32, "latin1");
    expect(at).toBeGreaterThan(0);
    bytes[at + 4] = "3".charCodeAt(0);
    await writeFile(file, bytes);
    await expect(readArtifact(file, sampleProvenance(2))).rejects.toThrow(
      /result.arrow: expected format version 2 or older, got 3/,
    );
  });

  test("version 1, whose content digest covers details and columns, is read", async () => {
    const folder = await temporaryFolder();
    const provenance = sampleProvenance();
    const values = Float64Array.of(1, -0);
    const contentSha256 = createHash("sha256")
      .update('{"a":1}\n["x",0]\n')
      .update(new Uint8Array(values.buffer))
      .digest("hex");
    const metadata = {
      format: "tfjs-landscape-artifact",
      formatVersion: "1",
      provenance: JSON.stringify(provenance),
      provenanceDigest: provenanceDigest(provenance),
      details: '{"a":1}',
      contentSha256,
    };
    const file = join(folder, "old.arrow");
    const encode = (facts: object) =>
      arrowBytes([{ name: "x", data: float64Data(values) }], new Map(Object.entries(facts)));
    await writeFile(file, encode(metadata));
    expect(await readArtifact(file)).toEqual({ columns: { x: { values } }, details: { a: 1 }, provenance });
    await writeFile(file, encode({ ...metadata, details: '{"a":2}' }));
    await expect(readArtifact(file)).rejects.toThrow("bytes with another sha-256");
  });

  test.each([
    ["no columns", {}, /x: expected at least one column, got none/],
    [
      "columns of different length",
      { a: { values: ["1"] }, b: { values: Float64Array.of(1, 2) } },
      /x: b: expected 1 rows, got 2/,
    ],
    [
      "lists that do not come out even",
      { a: { values: Float64Array.of(1, 2, 3), width: 2 } },
      /x: a: expected lists of a positive length within 3, got 2/,
    ],
    [
      "lists of integers",
      { a: { values: Int32Array.of(1), width: 1 } },
      /float32 or float64 values in a list/,
    ],
  ])("%s cannot be written and leave the old file alone", async (_, columns, message) => {
    const encode = () => artifactBytes({ ...sample, columns }, "x");
    expect(encode).toThrow(InvalidDataError);
    expect(encode).toThrow(message);
    const file = join(await temporaryFolder(), "result.arrow");
    await writeArtifact(file, sample);
    const before = await readFile(file);
    await expect(writeArtifact(file, { ...sample, columns })).rejects.toThrow(InvalidDataError);
    expect(await readFile(file)).toEqual(before);
    expect(await readdir(join(file, ".."))).toEqual(["result.arrow"]);
  });
});

import { createHash } from "node:crypto";
import { Float16Array } from "@petamoriken/float16";
import { tableFromIPC } from "@uwdata/flechette";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, InvalidDataError } from "../../src/base/errors.js";
import {
  fixedSizeListData,
  float32Data,
  float64Data,
  int32Data,
  mapRowData,
} from "../../src/store/arrow/arrow-data.js";
import { memoryReader } from "../../src/store/arrow/arrow-layout.js";
import { decodeSnapshot, readSnapshotHeader } from "../../src/store/run/decode-snapshot.js";
import { encodeSnapshot } from "../../src/store/run/encode-snapshot.js";
import type { Snapshot } from "../../src/store/run/run.js";
import { arrowBytes, snapshotBytes } from "../support/file-bytes.js";
import { anyFloat32Vector, anyFloat64, bitsOf, sampleSnapshot } from "./sample-run.js";

const digest = "d".repeat(64);
const count = fc.integer({ min: 0, max: 2 ** 31 - 1 });

const anySnapshot: fc.Arbitrary<Snapshot> = fc.record({
  step: count,
  epoch: count,
  iteration: count,
  time: anyFloat64,
  learningRate: anyFloat64,
  logs: fc.dictionary(fc.string({ unit: "grapheme" }), anyFloat64, { maxKeys: 6 }),
  theta: anyFloat32Vector(1, 40),
});

/** Everything of a snapshot that two equal ones share bit for bit. */
function facts({ theta, time, learningRate, logs, ...counts }: Snapshot) {
  const names = Object.keys(logs).sort();
  const reals = Float64Array.from([time, learningRate, ...names.map((name) => logs[name] as number)]);
  return { ...counts, names, reals: bitsOf(reals), theta: bitsOf(theta) };
}

describe("encode and decode", () => {
  test("float32: decode(encode(snapshot)) is the snapshot, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(anySnapshot, async (snapshot) => {
        const bytes = snapshotBytes(snapshot, digest, "float32");
        expect(facts(await decodeSnapshot(bytes, "memory"))).toEqual(facts(snapshot));
      }),
    );
  });

  test("float16: every float16 comes back as it is", async () => {
    const all = Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer));
    const snapshot = { ...sampleSnapshot(0, 1), theta: all };
    const { theta } = await decodeSnapshot(snapshotBytes(snapshot, digest, "float16"), "memory");
    for (let i = 0; i < all.length; i++) {
      if (!Object.is(theta[i], all[i])) expect.fail(`entry ${i}: ${theta[i]} instead of ${all[i]}`);
    }
  });

  test("float16 rounds to the nearest, ties to even", async () => {
    // Neighbours of 1 are 1 + 2^-10 and 1 − 2^-11; the smallest subnormal is 2^-24.
    const theta = Float32Array.of(
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      1 + 2 ** -11 + 2 ** -20,
      2 ** -25,
      2 ** -24,
    );
    const bytes = snapshotBytes({ ...sampleSnapshot(0, 1), theta }, digest, "float16");
    const expected = [1, 1 + 2 ** -9, 1 + 2 ** -10, 0, 2 ** -24];
    expect([...(await decodeSnapshot(bytes, "memory")).theta]).toEqual(expected);
  });

  test("float16 refuses a finite weight that would become infinite, and keeps infinities", () => {
    const encode = (value: number) =>
      snapshotBytes({ ...sampleSnapshot(4, 1), theta: Float32Array.of(value) }, digest, "float16");
    expect(() => encode(1e5)).toThrow(InvalidDataError);
    expect(() => encode(1e5)).toThrow(/snapshot 4: expected magnitudes up to 65504 \(float16\), got 100000/);
    expect(encode(-Infinity).length).toBeGreaterThan(0);
  });

  test.each([
    ["a negative step", { step: -1 }, /snapshot -1: step: expected an integer from 0/],
    ["a fractional epoch", { epoch: 1.5 }, /epoch: expected an integer from 0 to 2147483647, got 1.5/],
    ["a count beyond int32", { iteration: 2 ** 31 }, /iteration: .*got 2147483648/],
    [
      "a log that is a text",
      { logs: { loss: "1" as unknown as number } },
      /logs.loss: expected a number, got string/,
    ],
    ["an empty θ", { theta: new Float32Array(0) }, /expected at least one weight, got none/],
  ])("%s is refused", (_, changes, message) => {
    const snapshot = { ...sampleSnapshot(3, 2), ...changes };
    expect(() => snapshotBytes(snapshot, digest, "float32")).toThrow(message);
  });
});

describe("another implementation reads the same", () => {
  test("flechette finds names, types, values and metadata", () => {
    fc.assert(
      fc.property(anySnapshot, (snapshot) => {
        const table = tableFromIPC(snapshotBytes(snapshot, digest, "float32"), { useMap: true });
        expect(table.names).toEqual(["step", "epoch", "iteration", "time", "learningRate", "logs", "theta"]);
        expect(table.numRows).toBe(1);
        const { theta, logs, ...rest } = table.at(0) as Record<string, unknown>;
        const read = { ...rest, theta, logs: Object.fromEntries(logs as Map<string, number>) };
        expect(facts(read as unknown as Snapshot)).toEqual(facts(snapshot));
        expect(table.schema.metadata).toEqual(
          new Map([
            ["format", "tfjs-landscape-snapshot"],
            ["formatVersion", "2"],
            ["thetaSha256", createHash("sha256").update(Buffer.from(snapshot.theta.buffer)).digest("hex")],
            ["layoutDigest", digest],
            ["factsSha256", expect.stringMatching(/^[0-9a-f]{64}$/)],
          ]),
        );
      }),
    );
  });

  test("the digest of the facts is what docs/format.md says, taken from what another reader finds", () => {
    const logs = { loss: Number.NaN, "ä\uFEFF": -0 };
    const table = tableFromIPC(snapshotBytes({ ...sampleSnapshot(2, 3), logs }, digest, "float32"), {
      useMap: true,
    });
    const row = table.at(0) as Record<string, number> & { logs: Map<string, number> };
    const { metadata } = table.schema;
    const text = JSON.stringify([
      "tfjs-landscape-snapshot",
      2,
      row.step,
      row.epoch,
      row.iteration,
      "float32",
      3,
      metadata?.get("thetaSha256"),
      digest,
      [...row.logs.keys()],
    ]);
    const reals = Float64Array.of(row.time as number, row.learningRate as number, ...row.logs.values());
    const expected = createHash("sha256")
      .update(`${text}\n`)
      .update(new Uint8Array(reals.buffer))
      .digest("hex");
    expect(metadata?.get("factsSha256")).toBe(expected);
  });

  test("float16 too", () => {
    const table = tableFromIPC(snapshotBytes(sampleSnapshot(2, 5), digest, "float16"));
    expect([...(table.getChild("theta").at(0) as Iterable<number>)]).toEqual([20, 21, 22, 23, 24]);
  });

  test("the file holds a whole stream: the schema message comes first", () => {
    const bytes = snapshotBytes(sampleSnapshot(2, 5), digest, "float32");
    const endOfStream = bytes.length - new DataView(bytes.buffer).getInt32(bytes.length - 10, true) - 10;
    const stream = tableFromIPC(bytes.slice(8, endOfStream));
    expect(stream.getChild("step").at(0)).toBe(2);
  });
});

describe("large θ", () => {
  const theta = Float32Array.from({ length: 40_000 }, (_, i) => i / 7);
  const snapshot = { ...sampleSnapshot(3, 1), theta };

  test("is a part of its own, the array itself", () => {
    const parts = encodeSnapshot(snapshot, digest, "float32");
    expect(parts).toHaveLength(3);
    expect(parts[1]?.buffer).toBe(theta.buffer);
  });

  test("comes back from the joined parts", async () => {
    const back = await decodeSnapshot(snapshotBytes(snapshot, digest, "float32"), "large.arrow");
    expect(back.theta).toEqual(theta);
    expect(tableFromIPC(snapshotBytes(snapshot, digest, "float32")).numRows).toBe(1);
  });
});

describe("files that are not right", () => {
  const whole = snapshotBytes(sampleSnapshot(7, 6), digest, "float32");

  test("cut off at any byte: FormatError with the file's name", async () => {
    for (let length = 0; length < whole.length; length++) {
      const decoding = decodeSnapshot(whole.slice(0, length), "000007.arrow");
      const error = await decoding.then(() => null).catch((reason: unknown) => reason);
      if (!(error instanceof FormatError)) expect.fail(`${length} bytes: ${String(error)}`);
      expect(error.where).toContain("000007.arrow");
    }
  });

  test("cut off where θ looks like the end of a file", async () => {
    const marks = Buffer.from("ARROW1ARROW1ARROW1ARROW1");
    const theta = new Float32Array(new Uint8Array(marks).buffer);
    const bytes = snapshotBytes({ ...sampleSnapshot(0, 1), theta }, digest, "float32");
    const at = Buffer.from(bytes).indexOf(marks);
    for (let i = 1; i <= 4; i++) {
      await expect(decodeSnapshot(bytes.slice(0, at + 6 * i), "cut")).rejects.toThrow(FormatError);
    }
  });

  test("any byte changed: never a crash, never another fact, never another θ", async () => {
    const original = facts(sampleSnapshot(7, 6));
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = whole.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        const result = await decodeSnapshot(damaged, "damaged").catch((reason: unknown) => reason);
        if (result instanceof FormatError) continue;
        if (result instanceof Error) expect.fail(`byte ${at}: ${result.stack}`);
        expect(facts(result as Snapshot)).toEqual(original);
      }
    }
  });

  test("other kinds of files", async () => {
    const text = new TextEncoder().encode("step,epoch\n0,1\n".repeat(20));
    await expect(decodeSnapshot(text, "a.csv")).rejects.toThrow(
      /a.csv: expected a complete Arrow IPC file, got another kind/,
    );
    const columns = [{ name: "x", data: float64Data(Float64Array.of(1, 2)) }];
    const foreign = arrowBytes(columns, new Map());
    await expect(decodeSnapshot(foreign, "x.arrow")).rejects.toThrow(
      /x.arrow: expected format "tfjs-landscape-snapshot", got no format name/,
    );
  });

  const metadata = (changes: Record<string, string>) =>
    new Map(
      Object.entries({
        format: "tfjs-landscape-snapshot",
        formatVersion: "1",
        thetaSha256: "0".repeat(64),
        layoutDigest: digest,
        ...changes,
      }),
    );
  const columns = [
    { name: "step", data: int32Data(Int32Array.of(1)) },
    { name: "epoch", data: int32Data(Int32Array.of(1)) },
    { name: "iteration", data: int32Data(Int32Array.of(1)) },
    { name: "time", data: float64Data(Float64Array.of(1)) },
    { name: "learningRate", data: float64Data(Float64Array.of(1)) },
    { name: "logs", data: mapRowData({ loss: 1 }) },
    { name: "theta", data: fixedSizeListData(float32Data(Float32Array.of(1, 2)), 2) },
  ];
  const header = (file: Uint8Array) => readSnapshotHeader(memoryReader("s.arrow", file));

  test("a newer version says what was expected and found", async () => {
    await expect(header(arrowBytes(columns, metadata({ formatVersion: "3" })))).rejects.toThrow(
      /s.arrow: expected format version 2 or older, got 3; .*newer/,
    );
  });

  test("version 2 without a digest of its facts, and with another one", async () => {
    await expect(header(arrowBytes(columns, metadata({ formatVersion: "2" })))).rejects.toThrow(
      /s.arrow: expected metadata of a snapshot, got factsSha256/,
    );
    const factsSha256 = "0".repeat(64);
    const other = metadata({ formatVersion: "2", factsSha256 });
    await expect(header(arrowBytes(columns, other))).rejects.toThrow(/s.arrow: facts: expected sha-256 0000/);
  });

  test("damaged metadata, θ and columns", async () => {
    await expect(header(arrowBytes(columns, metadata({ thetaSha256: "x" })))).rejects.toThrow(
      /s.arrow: expected metadata of a snapshot, got thetaSha256: expected a sha-256 in hex/,
    );
    await expect(decodeSnapshot(arrowBytes(columns, metadata({})), "s.arrow")).rejects.toThrow(
      /s.arrow: theta: expected sha-256 0000/,
    );
    await expect(header(arrowBytes(columns.slice(1), metadata({})))).rejects.toThrow(
      /expected columns step, epoch, .*, got epoch, iteration/,
    );
    const wrongType = columns.with(3, { name: "time", data: int32Data(Int32Array.of(1)) });
    await expect(header(arrowBytes(wrongType, metadata({})))).rejects.toThrow(
      /s.arrow: time: expected float64, got int32/,
    );
    const wide = columns.with(6, {
      name: "theta",
      data: fixedSizeListData(float64Data(Float64Array.of(1)), 1),
    });
    await expect(header(arrowBytes(wide, metadata({})))).rejects.toThrow(
      /theta: expected fixed_size_list<float32>, got fixed_size_list<float64>/,
    );
  });

  test("the header says where θ lies", async () => {
    const { info, thetaOffset, parameterCount } = await header(arrowBytes(columns, metadata({})));
    expect(info).toEqual({ step: 1, epoch: 1, iteration: 1, time: 1, learningRate: 1, logs: { loss: 1 } });
    expect(parameterCount).toBe(2);
    expect(thetaOffset % 8).toBe(0);
  });
});

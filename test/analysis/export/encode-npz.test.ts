import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { encodeNpy, encodeNpz } from "../../../src/figure/files/encode-npz.js";
import type { ExportTable } from "../../../src/figure/files/export-table.js";
import { anyFloat32Vector, anyFloat64, bitsOf, temporaryFolder } from "../../store/sample-run.js";

/** Reads a .npy file by the format's description: a second implementation. */
function parseNpy(bytes: Uint8Array): { descr: string; shape: number[]; data: ArrayBuffer } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  const length = view.getUint16(8, true);
  expect((10 + length) % 64).toBe(0);
  const header = new TextDecoder("ascii").decode(bytes.subarray(10, 10 + length));
  expect(header.endsWith("\n")).toBe(true);
  const match = /^\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  const shape = (match?.[2] ?? "").split(",").filter((part) => part.trim() !== "");
  return { descr: match?.[1] ?? "", shape: shape.map(Number), data: bytes.slice(10 + length).buffer };
}

function table(columns: ExportTable["columns"], grid: ExportTable["grid"] = null): ExportTable {
  return {
    kind: "other",
    name: "t",
    source: "other/t.arrow",
    columns,
    grid,
    details: { a: 1 },
    provenance: null,
  };
}

describe("encodeNpy", () => {
  test("keeps every bit of float64 and float32", () => {
    fc.assert(
      fc.property(fc.array(anyFloat64, { minLength: 1 }), (numbers) => {
        const values = Float64Array.from(numbers);
        const { descr, shape, data } = parseNpy(encodeNpy({ values, shape: [values.length] }));
        expect([descr, shape]).toEqual(["<f8", [values.length]]);
        expect(bitsOf(new Float64Array(data))).toBe(bitsOf(values));
      }),
    );
    fc.assert(
      fc.property(anyFloat32Vector(1, 9), (values) => {
        const { descr, data } = parseNpy(encodeNpy({ values, shape: [values.length, 1] }));
        expect(descr).toBe("<f4");
        expect(bitsOf(new Float32Array(data))).toBe(bitsOf(values));
      }),
    );
  });

  test("texts are UTF-32 of the longest one's width", () => {
    const { descr, shape, data } = parseNpy(encodeNpy({ values: ["a", "äö𝛼", ""], shape: [3] }));
    expect([descr, shape]).toEqual(["<U3", [3]]);
    expect([...new Uint32Array(data)]).toEqual([97, 0, 0, 0xe4, 0xf6, 0x1d6fc, 0, 0, 0]);
  });

  test("refuses a shape that does not hold the values", () => {
    expect(() => encodeNpy({ values: Int32Array.of(1, 2), shape: [3] })).toThrow(
      "npy: expected 3 values for shape (3), got 2",
    );
  });
});

describe("encodeNpz", () => {
  const loss = Float64Array.of(1, 2, 3, 4, 5, Number.NaN);
  const surface = table(
    [
      { name: "alpha", unit: null, values: Float64Array.of(0, 1, 2, 0, 1, 2) },
      { name: "beta", unit: null, values: Float64Array.of(-1, -1, -1, 4, 4, 4) },
      { name: "loss", unit: null, values: loss },
    ],
    { height: 2, width: 3 },
  );

  test("a surface has the shape of its grid", () => {
    const files = unzipSync(encodeNpz(surface));
    const read = (name: string) => parseNpy(files[`${name}.npy`] as Uint8Array);
    expect([...new Float64Array(read("alpha").data)]).toEqual([0, 1, 2]);
    expect([...new Float64Array(read("beta").data)]).toEqual([-1, 4]);
    expect(read("loss").shape).toEqual([2, 3]);
    expect(bitsOf(new Float64Array(read("loss").data))).toBe(bitsOf(loss));
    const { shape, data } = read("provenance");
    const text = new Uint32Array(data).reduce((all, point) => all + String.fromCodePoint(point), "");
    expect(shape).toEqual([1]);
    expect(JSON.parse(text)).toMatchObject({ source: "other/t.arrow", details: { a: 1 }, units: {} });
    // A loop over the archive finds arrays only.
    expect(Object.keys(files).every((name) => name.endsWith(".npy"))).toBe(true);
  });

  test("equal tables give equal bytes", () => {
    expect(Buffer.from(encodeNpz(surface)).equals(Buffer.from(encodeNpz(surface)))).toBe(true);
  });

  test("no name leads out of the folder that the archive is unpacked in", () => {
    const hostile = ["../../etc/x", "/abs", "..\\win", "a/../b", "\u0000x", "", "__proto__", ".._.._etc_x"];
    const values = Int32Array.of(1);
    const files = unzipSync(encodeNpz(table(hostile.map((name) => ({ name, unit: null, values })))));
    const names = Object.keys(files);
    expect(names.length).toBe(hostile.length + 1);
    for (const name of names) expect(name).toMatch(/^[^/\\.\p{Cc}][^/\\\p{Cc}]*\.(npy|json)$/u);
  });

  test("numpy opens it, where there is one", async (context) => {
    const has = spawnSync("python3", ["-c", "import numpy"]).status === 0;
    if (!has) context.skip("no python3 with numpy: the bytes are checked against the format above");
    const folder = await temporaryFolder();
    const file = join(folder, "t.npz");
    const texts = { name: "set", unit: null, values: ["a", "äö", "a", "b", "b", "b"] };
    writeFileSync(file, encodeNpz({ ...surface, columns: [...surface.columns, texts], grid: null }));
    const script =
      "import numpy, sys, json\nz = numpy.load(sys.argv[1], allow_pickle=False)\n" +
      "print(json.dumps([sorted(z.files), z['loss'][:5].tolist(), bool(numpy.isnan(z['loss'][5])), z['set'].tolist()]))";
    const { stdout, stderr } = spawnSync("python3", ["-c", script, file], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([
      ["alpha", "beta", "loss", "provenance", "set"],
      [1, 2, 3, 4, 5],
      true,
      ["a", "äö", "a", "b", "b", "b"],
    ]);
  });
});

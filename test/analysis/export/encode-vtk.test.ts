import { describe, expect, test } from "vitest";
import {
  clippedLog,
  encodeVtp,
  encodeVts,
  heightOf,
  heightScale,
} from "../../../src/figure/files/vtk-files.js";
import { samplePath, sampleSurface } from "../../figure/sample-figures.js";
import { bitsOf } from "../../store/sample-run.js";

const VALUES = { Float64: Float64Array, Int32: Int32Array, UInt8: Uint8Array } as const;

/** The arrays of one element of a VTK XML document: a second implementation, for inline base64. */
function arraysIn(
  xml: string,
  element: string,
): Map<string, { values: Float64Array | Int32Array | Uint8Array; attributes: string }> {
  const body = new RegExp(`<${element}[^>]*>([\\s\\S]*?)</${element}>`).exec(xml)?.[1] ?? "";
  const found = body.matchAll(
    /<DataArray type="(\w+)" Name="([^"]*)"([^>]*) format="binary">([^<]*)<\/DataArray>/g,
  );
  return new Map(
    [...found].map(([, type, name, attributes, text]) => {
      const bytes = Buffer.from(text as string, "base64");
      const length = Number(bytes.readBigUInt64LE(0));
      expect(bytes.length).toBe(8 + length);
      const data = new Uint8Array(bytes.subarray(8)).buffer;
      return [
        name as string,
        { values: new VALUES[type as keyof typeof VALUES](data), attributes: attributes as string },
      ];
    }),
  );
}

describe("heightScale", () => {
  test("the losses fill half the longer side, from the least positive to the largest finite one", () => {
    const scale = heightScale([[0, 0.01, 1, Number.POSITIVE_INFINITY, Number.NaN], [100]], 8);
    expect([scale.low, scale.high]).toEqual([0.01, 100]);
    expect(heightOf(0.01, scale)).toBe(0);
    expect(heightOf(1, scale)).toBeCloseTo(2, 12);
    expect(heightOf(100, scale)).toBeCloseTo(4, 12);
    expect([0, -3].map((loss) => heightOf(loss, scale))).toEqual([0, 0]);
    expect(clippedLog(Number.NaN, scale)).toBe(2);
  });

  test("a cut lowers the top; without a positive loss everything is flat", () => {
    expect(heightScale([[0.1, 1000]], 1, 10).high).toBe(10);
    expect(heightOf(0, heightScale([[0, -1]], 5))).toBe(0);
    expect(heightOf(2, heightScale([[2, 2]], 5))).toBe(0);
  });
});

describe("encodeVts", () => {
  const surface = sampleSurface(
    Float64Array.of(-1, 0, 2),
    Float64Array.of(0, 5),
    (a, b) => (a === 0 && b === 5 ? Number.NaN : 10 ** (a + b)),
    { metrics: { '"><x a="': Float64Array.of(1, 2, 3, 4, 5, 6) } },
  );
  const scale = heightScale([surface.loss], 5);
  const xml = encodeVts(surface, scale);
  const data = arraysIn(xml, "PointData");

  test("has the grid's extent, alpha fastest, and every point in units of the plane", () => {
    expect(xml).toContain('<StructuredGrid WholeExtent="0 2 0 1 0 0">');
    expect(xml).toContain('<Piece Extent="0 2 0 1 0 0">');
    const points = arraysIn(xml, "Points").get("Points");
    expect(points?.attributes).toContain('NumberOfComponents="3"');
    const places = [...(points?.values ?? [])];
    expect(places.filter((_, i) => i % 3 === 0)).toEqual([-1, 0, 2, -1, 0, 2]);
    expect(places.filter((_, i) => i % 3 === 1)).toEqual([0, 0, 0, 5, 5, 5]);
    const heights = places.filter((_, i) => i % 3 === 2);
    expect(heights.every(Number.isFinite)).toBe(true);
    expect([heights[0], heights[5]]).toEqual([0, expect.closeTo(2.5, 12)]);
  });

  test("has the losses bit for bit, and blanks the point without one", () => {
    expect(bitsOf(data.get("loss")?.values as Float64Array)).toBe(bitsOf(surface.loss));
    expect([...(data.get("vtkGhostType")?.values ?? [])]).toEqual([0, 0, 0, 0, 2, 0]);
    expect([...(data.get("isFinite")?.values ?? [])]).toEqual([1, 1, 1, 1, 0, 1]);
    expect(data.get("logLoss")?.values[2]).toBeCloseTo(2, 12);
    expect(arraysIn(xml, "FieldData").get("unitsPerDecade")?.values[0]).toBe(scale.unitsPerDecade);
  });

  test("a hostile metric's name stays a name", () => {
    expect(data.has("metric:&quot;&gt;&lt;x a=&quot;")).toBe(true);
    expect(xml).not.toContain("<x");
  });
});

describe("encodeVtp", () => {
  const { trajectory, snapshots } = samplePath(
    "p",
    [
      [3, 1],
      [2, 1],
      [1, 0],
      [0, 0],
    ],
    (a, b) => a + b + 1,
  );
  const scale = heightScale([trajectory.trueLoss ?? [], trajectory.planeLoss ?? []], 3);

  test("has one line at the plane's height and one at the true height", () => {
    const xml = encodeVtp(trajectory, snapshots, scale);
    expect(xml).toContain('NumberOfPoints="8"');
    expect(xml).toContain('NumberOfLines="2"');
    const data = arraysIn(xml, "PointData");
    expect([...(data.get("isTrueLoss")?.values ?? [])]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect([...(data.get("epoch")?.values ?? [])]).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    const losses = [...(trajectory.planeLoss ?? []), ...(trajectory.trueLoss ?? [])];
    expect([...(data.get("loss")?.values ?? [])]).toEqual(losses);
    expect([...(arraysIn(xml, "Lines").get("offsets")?.values ?? [])]).toEqual([4, 8]);
    const points = [...(arraysIn(xml, "Points").get("Points")?.values ?? [])];
    expect(points.slice(0, 3)).toEqual([3, 1, heightOf(5, scale)]);
    expect(points.filter((_, i) => i % 3 === 2)).toEqual(losses.map((loss) => heightOf(loss, scale)));
  });

  test("a line is broken where the loss is not finite, and flat where none is known", () => {
    const planeLoss = Float64Array.of(1, Number.NaN, 1, 1);
    const broken = encodeVtp({ ...trajectory, planeLoss, trueLoss: null }, snapshots, scale);
    expect([...(arraysIn(broken, "Lines").get("offsets")?.values ?? [])]).toEqual([1, 3]);
    const flat = encodeVtp({ ...trajectory, planeLoss: null, trueLoss: null }, snapshots, scale);
    expect(arraysIn(flat, "PointData").has("loss")).toBe(false);
    expect(arraysIn(flat, "Points").get("Points")?.values[2]).toBe(0);
  });

  test("where batch norm is recalibrated on the plane, the true line is at the recalibrated losses", () => {
    const recalibratedLoss = Float64Array.of(4, 3, 2, 1.5);
    const xml = encodeVtp({ ...trajectory, recalibratedLoss }, snapshots, scale);
    expect([...(arraysIn(xml, "PointData").get("loss")?.values ?? [])].slice(4)).toEqual([
      ...recalibratedLoss,
    ]);
  });

  test("refuses a path of other snapshots", () => {
    expect(() => encodeVtp(trajectory, snapshots.slice(1), scale)).toThrow("expected 3 points");
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeCsv } from "../../../src/figure/files/export-table.js";
import { anyFloat64 } from "../../store/sample-run.js";

const column = (
  name: string,
  values: Float64Array | Int32Array | readonly string[],
  unit: string | null = null,
) => ({
  name,
  unit,
  values,
});

/** Reads CSV as RFC 4180 says: a second implementation. */
function parse(text: string): string[][] {
  const rows: string[][] = [[]];
  const fields = text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g);
  for (const [, quoted, bare, end] of fields) {
    rows.at(-1)?.push(quoted === undefined ? (bare as string) : quoted.replaceAll('""', '"'));
    if (end === "\r\n") rows.push([]);
    if (end === "") break;
  }
  rows.pop();
  return rows;
}

test("numbers are read back bit for bit, whatever they are", () => {
  fc.assert(
    fc.property(fc.array(anyFloat64, { minLength: 1, maxLength: 20 }), (numbers) => {
      const rows = parse(encodeCsv({ columns: [column("x", Float64Array.from(numbers))] }));
      expect(rows.slice(1).map(([cell]) => Number(cell))).toEqual(numbers);
    }),
  );
});

test("non-finite numbers are spelled as everywhere in the package, units stand in the header", () => {
  const values = Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0);
  expect(encodeCsv({ columns: [column("loss", values, "mean per sample")] })).toBe(
    "loss\r\nNaN\r\nInfinity\r\n-Infinity\r\n-0\r\n",
  );
});

test("texts survive commas, quotes, line breaks and other alphabets", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }), (texts) => {
      const rows = parse(encodeCsv({ columns: [column("a", texts), column("b", texts)] }));
      const harmless = texts.map((text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text));
      expect(rows.slice(1)).toEqual(harmless.map((text) => [text, text]));
    }),
  );
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])(
  "no spreadsheet takes the text or name %j for a formula",
  (text) => {
    const [header, row] = parse(encodeCsv({ columns: [column(text, [text])] }));
    expect([header, row]).toEqual([[`'${text}`], [`'${text}`]]);
  },
);

test("lists become a column for each place", () => {
  const wide = { ...column("v", Float64Array.of(1, 2, 3, 4)), width: 2 };
  expect(encodeCsv({ columns: [wide, column("i", Int32Array.of(7, 8))] })).toBe(
    "v[0],v[1],i\r\n1,2,7\r\n3,4,8\r\n",
  );
});

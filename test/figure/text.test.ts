import { readFileSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanText } from "../../src/base/clean-text.js";
import { advanceWidths } from "../../src/figure/draw/font.js";
import {
  formatCount,
  formatLevels,
  formatNumber,
  formatPercent,
} from "../../src/figure/draw/format-number.js";
import { textWidth, truncateText, wrapText } from "../../src/figure/draw/placed-text.js";
import { fontFaceCss, fontFiles } from "../../src/figure/files/font-files.js";
import { readAdvances } from "./open-type.js";

describe("textWidth", () => {
  test.each([
    ["regular", 0],
    ["semibold", 1],
  ] as const)("has the advances of the %s font file", (weight, index) => {
    const file = readAdvances(readFileSync(fontFiles()[index] as string));
    const table = advanceWidths(weight);
    expect(table.size).toBe(file.size);
    for (const [codePoint, width] of file) expect(table.get(codePoint)).toBeCloseTo(width, 12);
  });

  test("agrees with what the renderer draws", () => {
    const text = "HPC 1: 83.2 % of variance (αβ) AVAH";
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="60"><text x="10" y="40" font-family="Landscape Sans" font-size="40">${text}</text></svg>`;
    const drawn = new Resvg(svg, { font: { loadSystemFonts: false, fontFiles: fontFiles() } }).getBBox();
    // The ink of H begins and ends one side bearing inside the advances.
    expect(Math.abs((drawn?.width ?? 0) - textWidth(text, 40))).toBeLessThan(9);
  });
});

describe("wrapText", () => {
  test("breaks at spaces, keeps every word, and never exceeds the width", () => {
    const word = fc.string({ unit: fc.constantFrom(..."abcWM.α"), minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.integer({ min: 40, max: 300 }), (words, width) => {
        const lines = wrapText(words.join(" "), 12, width);
        for (const line of lines) expect(textWidth(line, 12)).toBeLessThanOrEqual(width);
        expect(lines.join("").replaceAll(" ", "")).toBe(words.join(""));
        const cut = wrapText(words.join(" "), 12, width, { maxLines: 2 });
        expect(cut.length).toBeLessThanOrEqual(2);
        for (const line of cut) expect(textWidth(line, 12)).toBeLessThanOrEqual(width);
        if (lines.length > 2) expect(cut[1]?.endsWith("…")).toBe(true);
      }),
    );
  });

  test("keeps a number with its percent sign and its power", () => {
    const lines = wrapText("a 83.2 % b 3.6 × 10¹⁰ c", 12, 75);
    expect(lines.some((line) => line.includes("83.2 %"))).toBe(true);
    expect(lines.some((line) => line.includes("3.6 × 10¹⁰"))).toBe(true);
  });

  test("cuts with an ellipsis only what is too long", () => {
    expect(truncateText("short", 12, 200)).toBe("short");
    expect(truncateText("a very long name", 12, 60)).toMatch(/^a ve.*…$/);
  });
});

describe("cleanText", () => {
  test("takes controls, line breaks, direction overrides and half characters out", () => {
    expect(cleanText("a\u0000b\nc\u001b[31m")).toBe("a b c [31m");
    expect(cleanText("x\u202eevil\u2066y")).toBe("x evil y");
    expect(cleanText("\ud800z\ufffe")).toBe("\ufffdz\ufffd");
    expect(cleanText("größe 網路 😀 <b>")).toBe("größe 網路 😀 <b>");
  });
});

describe("numbers", () => {
  test("are written for readers", () => {
    expect(
      [0, 1, -2.5, 0.00012346, 123456, Number.NaN, Number.NEGATIVE_INFINITY].map((v) => formatNumber(v)),
    ).toEqual(["0", "1", "−2.5", "0.0001235", "123500", "NaN", "−∞"]);
    expect(formatNumber(3e-7)).toBe("3 × 10⁻⁷");
    expect(formatNumber(-1e12)).toBe("−10¹²");
    expect(formatCount(2000)).toBe("2,000");
    expect(formatCount(1234567)).toBe("1,234,567");
    expect([0, 1, 0.832, 0.99999, 0.00001, Number.NaN].map(formatPercent)).toEqual([
      "0 %",
      "100 %",
      "83.2 %",
      "> 99.9 %",
      "< 0.01 %",
      "unknown",
    ]);
  });

  test("of one scale are written alike", () => {
    expect(formatLevels([0.01, 1, 100])).toEqual(["0.01", "1", "100"]);
    expect(formatLevels([1e-6, 0.01, 1, 10000])).toEqual(["10⁻⁶", "10⁻²", "10⁰", "10⁴"]);
    // A plane whose loss is nearly constant: four digits would write two of these twice.
    expect(formatLevels([0.29135, 0.2914, 0.29145, 0.2915])).toEqual([
      "0.29135",
      "0.2914",
      "0.29145",
      "0.2915",
    ]);
    expect(formatLevels([0.1 + 0.2, 0.4, Number.NaN])).toEqual(["0.3", "0.4", "NaN"]);
    expect(formatLevels([1 / 3, 1, 3])).toEqual(["0.3333", "1", "3"]);
    expect(formatLevels([2])).toEqual(["2"]);
    // Of many decades: small levels, which lie close together, ask nothing of large ones.
    const decades = [0.000111119, 0.000351119, 28.4803587];
    expect(formatLevels(decades)).toEqual(["0.0001111", "0.0003511", "28.48"]);
  });
});

describe("fontFaceCss", () => {
  test("carries the Latin cut, and the whole font only where it is needed", () => {
    const latin = fontFaceCss("LeNet, größe, α ± 3 %");
    const whole = fontFaceCss("Сеть");
    expect(latin.length).toBeLessThan(45_000);
    expect(whole.length).toBeGreaterThan(100_000);
    expect(whole.length).toBeLessThan(125_000);
    expect(fontFaceCss("網路")).toBe(latin);
  });
});

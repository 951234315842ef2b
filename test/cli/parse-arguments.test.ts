import { describe, expect, test } from "vitest";
import { parseComponents, parseCount, parseMargin, parseSize } from "../../src/cli/command-options.js";

describe("command-line arguments", () => {
  test("counts", () => {
    expect(parseCount("--epochs")("12")).toBe(12);
    expect(parseCount("--seed", 0)("0")).toBe(0);
    for (const text of ["0", "-1", "1.5", "", " ", "many", "1e400"]) {
      expect(() => parseCount("--epochs")(text)).toThrow("--epochs: expected an integer of at least 1");
    }
  });

  test("grid points, the first axis first", () => {
    expect(parseSize("21")).toEqual([21, 21]);
    expect(parseSize("21x15")).toEqual([21, 15]);
    for (const text of ["2", "21x2", "x", "21,15", "-5", "21x15x3"]) {
      expect(() => parseSize(text)).toThrow("--size: expected N or NxM");
    }
  });

  test("components count from 1 on the command line and from 0 inside", () => {
    expect(parseComponents("1,2")).toEqual([0, 1]);
    expect(parseComponents(" 3 , 1 ")).toEqual([2, 0]);
    for (const text of ["1", "0,1", "2,2", "a,b", "1,2,3"]) {
      expect(() => parseComponents(text)).toThrow("--components: expected two different numbers");
    }
  });

  test("margins", () => {
    expect(parseMargin("0")).toBe(0);
    expect(parseMargin("0.35")).toBe(0.35);
    for (const text of ["-0.1", "", "wide", "Infinity"]) {
      expect(() => parseMargin(text)).toThrow("--margin: expected a number of at least 0");
    }
  });
});

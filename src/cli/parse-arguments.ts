import { InvalidArgumentError } from "commander";
import { LandscapeError } from "../errors.js";
import type { ParameterRole } from "../params/layout.js";
import type { AxisRange } from "../surface/axis.js";
import { parseRange } from "../surface/range.js";

/** Returns a parser of integers from `least` to `most` for commander. */
export function parseCount(
  name: string,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${most}`;
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      `${name}: expected an integer of at least ${least}${upTo}, got "${text}".`,
    );
  };
}

/** Parses "21" or "21x15" into grid points along the first and second axis. */
export function parsePoints(text: string): readonly [number, number] {
  const match = /^(\d+)(?:x(\d+))?$/.exec(text.trim());
  const [x, y] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match !== null && x >= 3 && y >= 3) return [x, y];
  throw new InvalidArgumentError(`--points: expected N or NxM with at least 3 a side, got "${text}".`);
}

/** Returns a parser of shares above 0 and at most 1. */
export function parseShare(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value > 0 && value <= 1) return value;
    throw new InvalidArgumentError(`${name}: expected a number above 0 and at most 1, got "${text}".`);
  };
}

/** Parses a share of at least 0. */
export function parseMargin(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError(`--margin: expected a number of at least 0, got "${text}".`);
}

/** Returns a parser of finite numbers above 0 for commander. */
export function parsePositive(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
    throw new InvalidArgumentError(`${name}: expected a number above 0, got "${text}".`);
  };
}

/** Parses a number of worker processes, or "auto". */
export function parseWorkers(text: string): number | "auto" {
  return text.trim() === "auto" ? "auto" : parseCount("--workers")(text);
}

/** Parses "1,2" (counted from 1, as on the axes) into indices from 0. */
export function parseComponents(text: string): readonly [number, number] {
  const match = /^\s*([1-9]\d*)\s*,\s*([1-9]\d*)\s*$/.exec(text);
  const [first, second] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && first !== second) return [first - 1, second - 1];
  throw new InvalidArgumentError(`--components: expected two different numbers such as 1,2, got "${text}".`);
}

/** Parses "0,3,7" or "0..9" into seeds. */
export function parseSeeds(text: string): readonly number[] {
  const range = /^(-?\d+)\.\.(-?\d+)$/.exec(text.trim());
  if (range !== null) {
    const [from, to] = [Number(range[1]), Number(range[2])];
    if (to >= from && to - from < 10_000) return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  }
  const seeds = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (range === null && seeds.every(Number.isSafeInteger)) return seeds;
  throw new InvalidArgumentError(`--seeds: expected integers such as 0,1,2 or 0..9, got "${text}".`);
}

/** Parses roles of weights, "bias,scale,offset", or "none". */
export function parseRoles(text: string): readonly ParameterRole[] {
  const parts = text.split(",").map((part) => part.trim());
  if (text.trim() === "none") return [];
  const known: readonly string[] = ["kernel", "bias", "scale", "offset", "state", "other"];
  if (parts.every((part) => known.includes(part))) return parts as ParameterRole[];
  throw new InvalidArgumentError(`--ignore: expected some of ${known.join(", ")}, or none, got "${text}".`);
}

/** Parses the range of a line, "x0:x1:n". */
export function parseLineRange(text: string): AxisRange {
  try {
    const { alpha, beta } = parseRange(text);
    if (beta === null) return alpha;
  } catch (error) {
    if (!(error instanceof LandscapeError)) throw error;
    throw new InvalidArgumentError(`${error.message}.`);
  }
  throw new InvalidArgumentError(`--range: expected one axis, such as -0.5:1.5:41, got "${text}".`);
}

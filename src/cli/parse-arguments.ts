import { InvalidArgumentError } from "commander";

/** Returns a parser of integers of at least `least` for commander. */
export function parseCount(name: string, least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`${name}: expected an integer of at least ${least}, got "${text}".`);
  };
}

/** Parses "21" or "21x15" into grid points along the first and second axis. */
export function parsePoints(text: string): readonly [number, number] {
  const match = /^(\d+)(?:x(\d+))?$/.exec(text.trim());
  const [x, y] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match !== null && x >= 3 && y >= 3) return [x, y];
  throw new InvalidArgumentError(`--points: expected N or NxM with at least 3 a side, got "${text}".`);
}

/** Parses a share of at least 0. */
export function parseMargin(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError(`--margin: expected a number of at least 0, got "${text}".`);
}

/** Parses "1,2" (counted from 1, as on the axes) into indices from 0. */
export function parseComponents(text: string): readonly [number, number] {
  const match = /^\s*([1-9]\d*)\s*,\s*([1-9]\d*)\s*$/.exec(text);
  const [first, second] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && first !== second) return [first - 1, second - 1];
  throw new InvalidArgumentError(`--components: expected two different numbers such as 1,2, got "${text}".`);
}

import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import kebabCase from "lodash/kebabCase.js";
import { BACKEND_CHOICES } from "../backend/current-backend.js";
import { InvalidOptionError, LandscapeError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { AlignMethod } from "../between/align-models.js";
import { NORMALIZATIONS, type NormalizeOptions } from "../directions/normalize.js";
import type { ParameterRole } from "../model/layout.js";
import type { ApproximateOptions } from "../surface/approximate/approximate-surface.js";
import { parseGrid } from "../surface/grid.js";

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

/** Parses "21" or "21x15" into points along the first and second axis. */
export function parseSize(text: string): readonly [number, number] {
  const match = /^(\d+)(?:x(\d+))?$/.exec(text.trim());
  const [x, y] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match !== null && x >= 3 && y >= 3) return [x, y];
  throw new InvalidArgumentError(`--size: expected N or NxM with at least 3 a side, got "${text}".`);
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

/** `--tries`, where units may be matched. */
export function triesOption(command: Command): Command {
  const text = "starts of matching by weights, the best counts (default: 5)";
  return command.option("--tries <n>", text, parseCount("--tries"));
}

/** The method of `--align [how]`; undefined for none. Refuses `--tries` where nothing is matched by weights. */
export function alignMethodOf({
  align,
  tries,
}: {
  readonly align?: AlignMethod | true | undefined;
  readonly tries?: number | undefined;
}): AlignMethod | undefined {
  const method = align === true ? "weights" : align;
  checkTries(tries, method);
  return method;
}

/** Refuses `--tries` where nothing is matched by weights. */
export function checkTries(tries: number | undefined, method: AlignMethod | "none" | undefined): void {
  if (tries === undefined || method === "weights") return;
  const got = method === undefined ? "none" : `--align ${method}`;
  throw new InvalidOptionError("--tries", "--align weights beside it", got);
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

/** Checks that a data module is a file, before anything is loaded; what it exports is checked later. */
export function parseModuleFile(text: string): string {
  return moduleFile(text, `--data ${text}`);
}

/** Checks that a sweep's module is a file. */
export function parseSweepFile(text: string): string {
  return moduleFile(text, text);
}

function moduleFile(text: string, where: string): string {
  let found: Stats | undefined;
  try {
    found = statOf(text);
  } catch (error) {
    throw new InvalidArgumentError(`${where}: expected a file that can be read, got an error: ${error}.`);
  }
  if (found?.isFile() === true) return text;
  const got = found === undefined ? "no such file" : found.isDirectory() ? "a folder" : "something else";
  throw new InvalidArgumentError(`${where}: expected a JS or TS module, got ${got}.`);
}

/** Checks the coordinates of a line, "x0:x1:n". */
export function parseLineGrid(text: string): string {
  try {
    if (parseGrid(text).beta === null) return text;
  } catch (error) {
    if (!(error instanceof LandscapeError)) throw error;
    throw new InvalidArgumentError(`${error.message}.`);
  }
  throw new InvalidArgumentError(`--grid: expected one axis, such as -0.5:1.5:41, got "${text}".`);
}

/**
 * Adds an option that had another name: the old one works and is not shown.
 *
 * @param old - the old name, without dashes.
 */
export function renamedOption(command: Command, option: Option, old: string): Command {
  const name = option.attributeName();
  const value = option.flags.replace(/^--[\w-]+/, "");
  const hidden = new Option(`--${kebabCase(old)}${value}`).hideHelp();
  if (option.parseArg !== undefined) hidden.argParser(option.parseArg);
  if (option.argChoices !== undefined) hidden.choices(option.argChoices);
  command.addOption(option).addOption(hidden);
  return command.on(`option:${hidden.name()}`, () => {
    const given: unknown = command.getOptionValue(hidden.attributeName());
    command.setOptionValueWithSource(name, given, "cli");
    // Values of a list come one by one, each added to those before.
    if (!hidden.variadic) command.setOptionValue(hidden.attributeName(), undefined);
  });
}

/** Options of the points of a surface. */
export function gridOptions(command: Command): Command {
  const size = new Option("--size <n>", "grid points: 21, or 21x15 (first axis x second axis)");
  return renamedOption(command, size.argParser(parseSize), "points").option(
    "--margin <share>",
    "margin around the path as a share of its extent",
    parseMargin,
  );
}

/** Parses "all" or a number of snapshots. */
function parsePathLosses(text: string): number | "all" {
  return text.trim() === "all" ? "all" : parseCount("--path-losses", 2)(text);
}

/** Options of the losses along a path. */
export function pathOptions(command: Command): Command {
  return command.option(
    "--path-losses <n>",
    'snapshots of a path whose loss is evaluated, evenly spaced, or "all" (default: 200)',
    parsePathLosses,
  );
}

/** Options of the part of a run that is analysed. */
export function stepOptions(command: Command): Command {
  return command
    .option("--from <step>", "first snapshot that counts", parseCount("--from", 0))
    .option("--until <step>", "last snapshot that counts", parseCount("--until", 0));
}

/** Options of the part of a run that is analysed. */
export interface StepCommandOptions {
  readonly from?: number;
  readonly until?: number;
}

/** Options of random directions. */
export type NormalizationCommandOptions = NormalizeOptions;

/** Options of an approximate surface. */
export function approximateOptions(command: Command): Command {
  const share = new Option(
    "--share <share>",
    "most sample evaluations, as a share of the exact surface's (default: 0.1)",
  );
  command
    .option("--approximate", "approximate the surface, and say how far it may be off")
    .option(
      "--tolerance <share>",
      "error to reach, as a share of the loss range, with --approximate (default: 0.01)",
      parseShare("--tolerance"),
    );
  return renamedOption(command, share.argParser(parseShare("--share")), "budget");
}

/** The options of an approximate surface as they were given. */
export interface ApproximateCommandOptions extends Pick<ApproximateOptions, "tolerance" | "share"> {
  readonly approximate?: boolean;
}

/**
 * Returns how a surface is to be approximated, or undefined where it is to be exact.
 *
 * @throws {InvalidOptionError} for options of an approximate surface without --approximate.
 */
export function approximateOf({
  approximate,
  tolerance,
  share,
}: ApproximateCommandOptions): ApproximateOptions | undefined {
  if (approximate === true) return defined({ tolerance, share });
  const given = tolerance !== undefined ? "--tolerance" : share !== undefined ? "--share" : null;
  if (given !== null) throw new InvalidOptionError(given, "--approximate beside it", "none");
  return undefined;
}

/** Options of random directions. */
export function normalizationOptions(command: Command): Command {
  return command
    .addOption(new Option("--normalize <rule>", "normalization of random directions").choices(NORMALIZATIONS))
    .option("--ignore <roles>", "roles that do not move (default: bias,scale,offset)", parseRoles)
    .addOption(
      new Option("--one-dimensional <rule>", "weights of one axis that are not ignored").choices([
        "vector",
        "reference",
      ]),
    );
}

/** Options of the plane of principal components. */
export function planeOptions(command: Command): Command {
  const centering = new Option("--centering <how>", "what the snapshots are centred about");
  renamedOption(command, centering.choices(["mean", "final"]), "center");
  return command
    .option(
      "--components <i,j>",
      "the two components of the plane, from 1 on (default: 1,2)",
      parseComponents,
    )
    .addOption(new Option("--weights <which>", "weights that count").choices(["trainable", "all"]))
    .option("--force", "compute again, also where stored results are up to date");
}

/** `--backend`. */
export function backendOption(): Option {
  return new Option("--backend <name>", "TensorFlow.js backend").choices(BACKEND_CHOICES);
}

/**
 * Returns the absolute path of the folder that a command writes into, found usable before the work begins;
 * nothing is made yet.
 *
 * @param out - what `--out` says.
 * @param otherwise - the folder without it.
 * @throws {@link InvalidOptionError} if it, or what it would be made in, is no folder or cannot be written to.
 */
export function outputFolder(out: string | undefined, otherwise: string): string {
  const folder = resolve(out ?? otherwise);
  const refused = (got: string, cause?: unknown) =>
    new InvalidOptionError(
      out === undefined ? folder : `--out ${out}`,
      "a folder that can be written to",
      got,
      {
        cause,
      },
    );
  const [existing, found] = nearest(folder);
  if (found?.isDirectory() !== true) throw refused(`${existing}, which is a file`);
  try {
    accessSync(existing, constants.W_OK);
  } catch (cause) {
    throw refused(`no permission to write in ${existing}`, cause);
  }
  return folder;
}

/** A path, or the first folder above it, that exists. */
function nearest(path: string): readonly [string, Stats | undefined] {
  const found = statOf(path);
  return found !== undefined || dirname(path) === path ? [path, found] : nearest(dirname(path));
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A part of the path is a file: the answer is found further up.
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

/**
 * Refuses options that would be without effect.
 *
 * @param names - the options that have none here.
 * @param wants - what they would need, e.g. "--plane random".
 * @param has - what is there instead.
 * @throws {@link InvalidOptionError} naming the first that is given.
 */
export function refuseStray<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
  wants: string,
  has: string,
  hint?: string,
): void {
  const stray = names.find((name) => options[name] !== undefined);
  if (stray === undefined) return;
  throw new InvalidOptionError(`--${kebabCase(stray)}`, wants, has, defined({ hint }));
}

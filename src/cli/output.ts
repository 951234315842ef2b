import { Console } from "node:console";
import { constants } from "node:os";
import cliProgress from "cli-progress";
import { CommanderError } from "commander";
import type { CompareStep } from "../analysis/compare/compare-options.js";
import type { CurvatureStep } from "../analysis/curvature-parts.js";
import { terminalText } from "../base/clean-text.js";
import { LandscapeError, messageOf } from "../base/errors.js";
import { toJson, toRows } from "../base/json.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { PartialSurface, Surface } from "../surface/surface.js";

/** Reports how much of a long step is done. */
export interface Progress {
  /** Sets what is done of the whole; the first call starts the bar. */
  update(done: number, total: number): void;
  /** Ends the bar; also safe where none was started. */
  stop(): void;
}

/**
 * Creates a progress bar with the remaining time on stderr. Where stderr is no terminal it writes one
 * line when the step starts, so that logs stay readable.
 */
export function createProgress(title: string, note: (line: string) => void): Progress {
  if (!process.stderr.isTTY) return createLine(title, note);
  const columns = Math.min(process.stderr.columns || 80, 100);
  const bar = new cliProgress.SingleBar({
    format: `${title} [{bar}] {value}/{total}{left}`,
    barsize: barWidth(title, columns),
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  });
  let first: { readonly done: number; readonly time: number } | undefined;
  return {
    update(done, total) {
      if (first === undefined) {
        first = { done, time: performance.now() };
        bar.start(total, done, { left: "" });
        return;
      }
      const seconds = (performance.now() - first.time) / 1000;
      bar.update(done, { left: timeLeft(done - first.done, total - done, seconds) });
    },
    stop() {
      if (first !== undefined) bar.stop();
    },
  };
}

/** Characters that are left for the bar on a line of so many columns, beside title, counts and the time left. */
export function barWidth(title: string, columns: number): number {
  return Math.max(5, Math.min(40, columns - title.length - " [] 100000/100000 · 100m left".length - 1));
}

/**
 * Says how long the rest takes at the speed so far: " · 3m20s left". Nothing before a second has passed and something
 * was done, since the first pieces tell nothing: they may have been read, or have warmed the engine up.
 */
export function timeLeft(done: number, rest: number, seconds: number): string {
  if (done < 1 || seconds < 1 || rest < 1) return "";
  const left = Math.ceil((rest * seconds) / done);
  if (left < 60) return ` · ${left}s left`;
  if (left < 3600) return ` · ${Math.floor(left / 60)}m${String(left % 60).padStart(2, "0")}s left`;
  return ` · ${Math.floor(left / 3600)}h${String(Math.floor((left % 3600) / 60)).padStart(2, "0")}m left`;
}

function createLine(title: string, note: (line: string) => void): Progress {
  let started = false;
  return {
    update(_done, total) {
      if (!started) note(`${title} (${total})`);
      started = true;
    },
    stop() {},
  };
}

/** Where a command writes. With `json`, stdout carries one object and nothing else. */
export interface Output {
  readonly json: boolean;
  /** A line about what goes on, on stderr. */
  note(line: string): void;
  /** Warnings, on stderr, each once. */
  warn(warnings: readonly LandscapeWarning[]): void;
  /** A line of the result for a person, on stdout; nothing with `json`. */
  print(line: string): void;
  /**
   * The result for machines: the only line on stdout with `json`; nothing without.
   *
   * @param failure - an error that ends the command all the same: it stands in the same object, as "error".
   */
  result(value: object, failure?: Error): void;
  /** A progress bar with the remaining time, on stderr where that is a terminal. */
  progress(title: string): Progress;
}

/** Errors that stand on stdout beside a result. */
const beside = new WeakSet<Error>();

/** Creates the output of one command, and keeps what libraries print to the console off stdout. */
export function createOutput({ json }: { readonly json: boolean }): Output {
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });
  const writeOut = process.stdout.write.bind(process.stdout);
  // A user's module may write to stdout by itself: with --json that line is for machines alone.
  if (json) process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  const seen = new Set<string>();
  const note = (line: string): void => {
    process.stderr.write(`${terminalText(line)}\n`);
  };
  return {
    json,
    note,
    warn(warnings) {
      for (const { code, message } of warnings) {
        if (seen.has(message)) continue;
        seen.add(message);
        note(`warning (${code}): ${message}`);
      }
    },
    print(line) {
      if (!json) writeOut(`${terminalText(line)}\n`);
    },
    result(value, failure) {
      if (!json) return;
      const facts = failure === undefined ? value : { ...value, error: errorFacts(failure) };
      writeOut(`${JSON.stringify(toJson(facts))}\n`);
      if (failure !== undefined) beside.add(failure);
    },
    progress: (title) => createProgress(title, note),
  };
}

const TITLES: Readonly<Record<CompareStep, string>> = {
  directions: "principal components, weights read",
  surface: "loss surface, points",
  fidelity: "losses along the path, evaluations",
  planes: "loss on each run's plane, points",
  lines: "random lines, points",
  sharpness: "sharpness, runs",
  stability: "edge of stability, snapshots",
  weights: "weights, snapshots",
};

/** Titles of the bars of a curvature. */
export const CURVATURE_TITLES: Readonly<Record<CurvatureStep | "map", string>> = {
  eigenpairs: "eigenpairs, products at most",
  trace: "trace, products",
  density: "spectral density, products at most",
  layers: "curvature, layers",
  map: "convexity map, points",
};

/** Shows each step of an analysis or a comparison as a progress bar of its own; `stop` ends the last one. */
export function analysisProgress(output: Output, prefix = ""): StepProgress<CompareStep> {
  return stepProgress(output, TITLES, prefix);
}

/** Shows steps as progress bars, one after another. */
export interface StepProgress<Step extends string> {
  readonly onProgress: (step: Step, done: number, total: number) => void;
  /** Ends the last bar. */
  stop(): void;
}

/** Shows each step as a progress bar of its own, under its title. */
export function stepProgress<Step extends string>(
  output: Output,
  titles: Readonly<Record<Step, string>>,
  prefix = "",
): StepProgress<Step> {
  let step: Step | undefined;
  let bar: Progress | undefined;
  return {
    onProgress(now, done, total) {
      if (now !== step) {
        bar?.stop();
        bar = output.progress(`${prefix}${titles[now]}`);
        step = now;
      }
      bar?.update(done, total);
    },
    stop: () => bar?.stop(),
  };
}

/** What `--json` says of an approximate surface; nothing of an exact one. */
export function approximationFacts({ beta, approximation }: Surface): Record<string, unknown> {
  if (approximation === undefined) return {};
  const { error, method, metricErrors, ...facts } = approximation;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  const named = Object.entries(metricErrors).map(([name, values]) => [name, rows(values)]);
  return {
    approximation: {
      ...facts,
      // As earlier versions named the share.
      budget: facts.share,
      error: rows(error),
      metricErrors: Object.fromEntries(named),
      method: rows(Float64Array.from(method)),
    },
  };
}

/** Says in a line how far an approximate surface may be off; nothing of an exact one. */
export function approximationLines({ approximation }: Surface): string[] {
  if (approximation === undefined) return [];
  const { errorOn95, range, sampleEvaluations, exactSampleEvaluations } = approximation;
  const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
  const share = range > 0 ? ` (${percent(errorOn95 / range)} of its range)` : "";
  const spent = percent(sampleEvaluations / exactSampleEvaluations);
  const bound = errorOn95.toPrecision(2);
  return [
    `approximate: error of the loss at most ${bound}${share} on 95 % of points, from ${spent} of the sample evaluations`,
  ];
}

/** A command that was ended from outside, having stored what it had finished. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  /** As a shell reports a process that a signal has ended. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}; the same command goes on with what was finished`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Exit codes of the command: done, a defect or a broken machine, input that cannot be used. */
export const EXIT = { ok: 0, failure: 1, badInput: 2 } as const;

/**
 * Says on stderr why a command ended and returns its exit code: one line for bad input (2) or an interruption
 * (130 for Ctrl-C); the stack for anything unexpected (1). Commander has printed its own errors already. With
 * `json`, stdout carries the same as `{"error": {"code", "message"}}`.
 */
export function reportError(error: unknown, json = false): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    if (json) writeErrorObject({ code: "usage", message: usageMessage(error.message) });
    return EXIT.badInput;
  }
  const message = messageOf(error);
  // An interruption is no error: what was finished is stored, and the same command goes on.
  const isSaid = error instanceof Interruption || (error instanceof Error && beside.has(error));
  if (json && !isSaid) writeErrorObject(errorFacts(error));
  if (error instanceof LandscapeError || error instanceof Interruption) {
    process.stderr.write(`tfjs-landscape: ${terminalText(message.replace(/\s*\n\s*/g, " "))}\n`);
    return error instanceof Interruption ? error.exitCode : EXIT.badInput;
  }
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  process.stderr.write(`tfjs-landscape: ${stack.split("\n").map(terminalText).join("\n")}\n`);
  return EXIT.failure;
}

interface ErrorFacts {
  readonly code: string;
  readonly message: string;
}

function errorFacts(error: unknown): ErrorFacts {
  const message = messageOf(error);
  return { code: error instanceof LandscapeError ? error.code : "failure", message };
}

function writeErrorObject(error: ErrorFacts): void {
  process.stdout.write(`${JSON.stringify({ error })}\n`);
}

/** Lines of a long list: all of them up to `most`, else the first and last ones around an ellipsis. */
export function shortened(lines: readonly string[], most = 10): readonly string[] {
  if (lines.length <= most + 1) return lines;
  const first = Math.ceil(most / 2);
  const last = most - first;
  return [...lines.slice(0, first), `… ${lines.length - most} more`, ...lines.slice(-last)];
}

/** Rows of cells as lines with aligned columns: the first to the left, the others to the right. */
export function alignedTable(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, c) =>
    Math.max(...rows.map((row) => row[c]?.length ?? 0)),
  );
  const cell = (text: string, c: number) =>
    c === 0 ? text.padEnd(widths[c] ?? 0) : text.padStart(widths[c] ?? 0);
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}

/** What a person should know of a surface, in lines. */
export function surfaceSummary({
  alpha,
  beta,
  loss,
  samples,
  center,
  nonFinite,
  partial,
}: Surface): string[] {
  const finite = loss.filter(Number.isFinite);
  const whole =
    `${alpha.length} × ${beta.length} points over ${samples} samples: ${lossRange(finite)}, ` +
    `${center.loss.toPrecision(4)} at the centre, ${nonFinite} not finite`;
  if (partial === undefined) return [whole];
  const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
  const rest = `${known} of them are evaluated (stopped after ${partial.budget}); the same command goes on`;
  return [whole, rest];
}

/** "loss from 0.1 to 2.3" of finite losses. */
export function lossRange(finite: ArrayLike<number>): string {
  if (finite.length === 0) return "no finite loss";
  const [least, most] = [Math.min, Math.max].map((of) => Array.from(finite).reduce((a, b) => of(a, b)));
  return `loss from ${least?.toPrecision(4)} to ${most?.toPrecision(4)}`;
}

/** What a partial surface says of itself in JSON: 1 where a value was computed, rows over beta. */
export function partialFacts({ beta }: Surface, { evaluated, budget }: PartialSurface) {
  return { evaluated: toRows(evaluated, beta.length), partial: budget };
}

/**
 * Returns commander's message as one line in the words of this package's own errors,
 * "<where>: expected <expected>, got <got>", where it says those; suggestions are kept.
 */
export function usageMessage(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ");
  return FORMS.reduce((said, [form, ours]) => said.replace(form, ours), line);
}

const FORMS: readonly (readonly [RegExp, string])[] = [
  [
    /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s,
    '$1: expected one of $3, got "$2"',
  ],
  // A parser of ours has said it all.
  [/^(?:option|command-argument value) '.*?' (?:argument '.*' )?is invalid\. (\S+: expected .*?)\.?$/s, "$1"],
  [/^option '(?:-\w, )?(--[\w-]+)[^']*' argument missing$/, "$1: expected a value, got none"],
  [/^required option '(?:-\w, )?(--[\w-]+) ?([^']*)' not specified$/, "$1: expected $2, got none"],
  [/^missing required argument '(.*)'$/, "<$1>: expected a value, got none"],
];

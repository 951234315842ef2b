/** Every `code` that an error of this package can carry. */
export type LandscapeErrorCode =
  | "invalid-option"
  | "invalid-data"
  | "layout"
  | "format"
  | "run-state"
  | "backend"
  | "missing-dependency"
  | "evaluation";

/** Options of every error: the error that caused it, and what the user can do about it. */
export interface LandscapeErrorOptions extends ErrorOptions {
  /** What to do, as an imperative sentence without a final stop; appended to the message. Default none. */
  readonly hint?: string;
}

/**
 * Base of all errors thrown on purpose by this package.
 *
 * The message reads "<where>: expected <expected>, got <got>", with "; <hint>" where there is one.
 */
export abstract class LandscapeError extends Error {
  abstract readonly code: LandscapeErrorCode;
  /** The place: an option's name, a file, a snapshot, a layer. */
  readonly where: string;
  /** What was expected there. */
  readonly expected: string;
  /** What was found instead. */
  readonly got: string;

  constructor(where: string, expected: string, got: string, options: LandscapeErrorOptions = {}) {
    const { hint, ...rest } = options;
    super(`${where}: expected ${expected}, got ${got}${hint === undefined ? "" : `; ${hint}`}`, rest);
    this.where = where;
    this.expected = expected;
    this.got = got;
    this.name = new.target.name;
  }
}

/** An option (or command-line argument) has a value that cannot be used. */
export class InvalidOptionError extends LandscapeError {
  readonly code = "invalid-option";
}

/** Evaluation or training data have the wrong form, shape or content. */
export class InvalidDataError extends LandscapeError {
  readonly code = "invalid-data";
}

/** Two parameter layouts that must agree do not (a run and a model, two runs). */
export class LayoutError extends LandscapeError {
  readonly code = "layout";
}

/** A file is truncated, foreign, damaged or of a newer format version; `where` names it. */
export class FormatError extends LandscapeError {
  readonly code = "format";
}

/** A run or recorder is in a state that forbids the call (it exists, it is closed, it is in use). */
export class RunStateError extends LandscapeError {
  readonly code = "run-state";
}

/** The TensorFlow.js backend cannot do what is asked (a kernel is missing, an addon does not load). */
export class BackendError extends LandscapeError {
  readonly code = "backend";
}

/** An optional package that this call needs is not installed. */
export class MissingDependencyError extends LandscapeError {
  readonly code = "missing-dependency";
}

/** The loss cannot be evaluated (no compiled loss, a metric that cannot be averaged, a loss without logits). */
export class EvaluationError extends LandscapeError {
  readonly code = "evaluation";
}

/** An error as plain data: the boundaries of threads and processes strip an Error's class and fields. */
export interface WireError {
  readonly message: string;
  readonly stack: string | undefined;
  /** The operating system's code ("ENOSPC"), of the error or of its cause; null where there is none. */
  readonly system: string | null;
  /** What the error says of itself, where it is one of this package. */
  readonly own: {
    readonly code: LandscapeErrorCode;
    readonly where: string;
    readonly expected: string;
    readonly got: string;
  } | null;
}

type ErrorClass = new (...parts: ConstructorParameters<typeof InvalidOptionError>) => LandscapeError;

const CLASSES: Readonly<Record<LandscapeErrorCode, ErrorClass>> = {
  "invalid-option": InvalidOptionError,
  "invalid-data": InvalidDataError,
  layout: LayoutError,
  format: FormatError,
  "run-state": RunStateError,
  backend: BackendError,
  "missing-dependency": MissingDependencyError,
  evaluation: EvaluationError,
};

/** Returns the message of whatever was thrown, an error mostly. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Returns an error as plain data. */
export function encodeError(error: unknown): WireError {
  const message = messageOf(error);
  const stack = error instanceof Error ? error.stack : undefined;
  const system = systemCode(error);
  if (!(error instanceof LandscapeError)) return { message, stack, system, own: null };
  const { code, where, expected, got } = error;
  return { message, stack, system, own: { code, where, expected, got } };
}

/**
 * Returns the error that {@link encodeError} was given: class, fields and message. The operating system's code
 * stands in its cause, and in an error that is none of this package also in `code`.
 */
export function decodeError({ message, stack, system, own }: WireError): Error {
  const facts = system === null ? { stack } : { stack, code: system };
  const cause = Object.assign(new Error(message), facts);
  if (own === null) return Object.assign(new Error(message, { cause }), facts);
  const { code, where, expected, got } = own;
  const error = new CLASSES[code](where, expected, got, { cause });
  error.message = message;
  return error;
}

/** Returns the operating system's code ("ENOSPC") of an error or of one of its causes; null where there is none. */
export function systemCode(error: unknown): string | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    // This package's own codes are in small letters.
    const { code } = one as { code?: unknown };
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return null;
}

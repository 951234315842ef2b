import {
  BackendError,
  EvaluationError,
  FormatError,
  InvalidDataError,
  InvalidOptionError,
  LandscapeError,
  type LandscapeErrorCode,
  type LandscapeErrorOptions,
  LayoutError,
  MissingDependencyError,
  RunStateError,
} from "../errors.js";

/** An error as it crosses between processes. */
export interface WireError {
  /** null: none of this package's own. */
  readonly code: LandscapeErrorCode | null;
  readonly where: string;
  readonly expected: string;
  readonly got: string;
  readonly message: string;
}

type LandscapeErrorClass = new (
  where: string,
  expected: string,
  got: string,
  options?: LandscapeErrorOptions,
) => LandscapeError;

const CLASSES: Readonly<Record<LandscapeErrorCode, LandscapeErrorClass>> = {
  "invalid-option": InvalidOptionError,
  "invalid-data": InvalidDataError,
  layout: LayoutError,
  format: FormatError,
  "run-state": RunStateError,
  backend: BackendError,
  "missing-dependency": MissingDependencyError,
  evaluation: EvaluationError,
};

/** Makes an error plain data. */
export function encodeError(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof LandscapeError)) return { code: null, where: "", expected: "", got: "", message };
  const { code, where, expected, got } = error;
  return { code, where, expected, got, message };
}

/** Makes it an error again: of its own class, or an {@link EvaluationError} of `place`. */
export function decodeError({ code, where, expected, got, message }: WireError, place: string): Error {
  if (code === null) return new EvaluationError(place, "a loss", `an error in a worker process: ${message}`);
  const plain = `${where}: expected ${expected}, got ${got}`;
  const hint = message.startsWith(`${plain}; `) ? { hint: message.slice(plain.length + 2) } : {};
  return new CLASSES[code](where, expected, got, hint);
}

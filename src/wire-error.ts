import {
  BackendError,
  EvaluationError,
  FormatError,
  InvalidDataError,
  InvalidOptionError,
  LandscapeError,
  type LandscapeErrorCode,
  LayoutError,
  MissingDependencyError,
  RunStateError,
} from "./errors.js";

/** An error as plain data: a process boundary strips an Error's class and fields. */
export interface WireError {
  readonly message: string;
  readonly stack: string | undefined;
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

/** Returns an error as plain data. */
export function encodeError(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  if (!(error instanceof LandscapeError)) return { message, stack, own: null };
  const { code, where, expected, got } = error;
  return { message, stack, own: { code, where, expected, got } };
}

/** Returns the error that {@link encodeError} was given: class, fields and message. */
export function decodeError({ message, stack, own }: WireError): Error {
  const cause = Object.assign(new Error(message), { stack });
  if (own === null) return Object.assign(new Error(message, { cause }), { stack });
  const { code, where, expected, got } = own;
  const plain = `${where}: expected ${expected}, got ${got}`;
  const hint = message.startsWith(`${plain}; `) ? { hint: message.slice(plain.length + 2) } : {};
  return new CLASSES[code](where, expected, got, { ...hint, cause });
}

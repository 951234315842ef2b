import { LandscapeError, RunStateError } from "../errors.js";

/** A failed write in a form that crosses thread boundaries, which strip an Error's class and fields. */
export interface WireError {
  /** The three parts of a {@link LandscapeError}'s message, or null for any other error. */
  readonly parts: { readonly where: string; readonly expected: string; readonly got: string } | null;
  readonly message: string;
  /** The operating system's code ("ENOSPC"), where there is one. */
  readonly code: string | null;
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "no permission to write",
  EPERM: "no permission to write",
  EROFS: "the file system is read-only",
  ENOENT: "the run directory is gone",
  EMFILE: "too many open files",
};

/** Returns an error as plain data. */
export function encodeWriteError(error: unknown): WireError {
  const parts =
    error instanceof LandscapeError ? { where: error.where, expected: error.expected, got: error.got } : null;
  const systemError = error instanceof LandscapeError && error.cause !== undefined ? error.cause : error;
  const code = (systemError as { code?: unknown } | null)?.code;
  return {
    parts,
    message: error instanceof Error ? error.message : String(error),
    code: typeof code === "string" ? code : null,
  };
}

/** Returns the error to throw for a snapshot that could not be written. */
export function decodeWriteError(directory: string, step: number, wire: WireError): RunStateError {
  const { parts, message, code } = wire;
  const cause = Object.assign(new Error(message), code === null ? {} : { code });
  const explained = code === null ? undefined : CAUSES[code];
  const got = parts?.got ?? message;
  return new RunStateError(
    `snapshot ${step} of ${directory}`,
    "to be written",
    explained === undefined ? got : `${explained} (${got})`,
    { cause, hint: "earlier snapshots are complete; resume continues after them" },
  );
}

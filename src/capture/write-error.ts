import { RunStateError } from "../base/errors.js";
import { explainWriteCode } from "../store/arrow/atomic-file.js";

/** A failed write in a form that crosses thread boundaries, which strip an Error's class and fields. */
export interface WireError {
  readonly message: string;
  /** The operating system's code ("ENOSPC"), of the error or of its cause, where there is one. */
  readonly code: string | null;
}

/** Returns an error as plain data. */
export function encodeWriteError(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error), code: null };
  const [own, inner] = [error, error.cause].map((one) => (one as { code?: unknown } | undefined)?.code);
  // The codes of this package ("format") say nothing about the disk; the system's are capitals.
  const code = [own, inner].find((one) => typeof one === "string" && /^E[A-Z0-9]+$/.test(one));
  return { message: error.message, code: typeof code === "string" ? code : null };
}

/** Returns the error to throw for a snapshot that could not be written. */
export function decodeWriteError(
  directory: string,
  step: number,
  { message, code }: WireError,
): RunStateError {
  const explanation = explainWriteCode(code);
  return new RunStateError(
    `snapshot ${step} of ${directory}`,
    "to be written",
    explanation === undefined ? message : `${explanation} (${message})`,
    {
      cause: Object.assign(new Error(message), code === null ? {} : { code }),
      hint: "earlier snapshots are complete; resume continues after them",
    },
  );
}

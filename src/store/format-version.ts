import type { z } from "zod";
import { FormatError } from "../errors.js";

/**
 * Checks the name and version of a format before anything else in the file is looked at.
 *
 * @param name - the file, for messages.
 * @param newest - the version that this package writes; it reads it and older ones.
 * @throws {@link FormatError} if the file is of another kind or of a newer version.
 */
export function checkFormat(
  name: string,
  found: { readonly format?: unknown; readonly formatVersion?: unknown },
  format: string,
  newest: number,
): void {
  if (found.format !== format) {
    const got = found.format === undefined ? "no format name" : JSON.stringify(found.format);
    throw new FormatError(name, `format "${format}"`, got);
  }
  const version = Number(found.formatVersion);
  if (!Number.isInteger(version) || version < 1) {
    throw new FormatError(name, "a format version", String(found.formatVersion));
  }
  if (version > newest) {
    const hint = "a newer tfjs-landscape wrote it: update this one";
    throw new FormatError(name, `format version ${newest} or older`, String(version), { hint });
  }
}

/** The first complaint of a zod error in one line. */
export function issueText(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "something else";
  return issue.path.length === 0 ? issue.message : `${issue.path.map(String).join(".")}: ${issue.message}`;
}

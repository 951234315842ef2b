import { z } from "zod";
import { FormatError } from "./errors.js";
import type { JsonValue, Provenance } from "./provenance.js";

/** Any JSON value. */
export const jsonValueSchema: z.ZodType<JsonValue> = z.json();

/** A JSON object. */
export const jsonObjectSchema: z.ZodType<{ readonly [key: string]: JsonValue }> = z.record(
  z.string(),
  jsonValueSchema,
);

const namedNumbers = { NaN: Number.NaN, Infinity: Infinity, "-Infinity": -Infinity, "-0": -0 } as const;

/** A number that may also be one of the strings "NaN", "Infinity", "-Infinity", "-0". */
export const numberSchema: z.ZodType<number> = z.union([
  z.number(),
  z.enum(["NaN", "Infinity", "-Infinity", "-0"]).transform((name) => namedNumbers[name]),
]);

/** A number as JSON carries it without loss: what {@link numberSchema} reads. */
export function jsonNumber(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

/** {@link LandscapeWarning} records. */
export const warningsSchema = z.array(z.object({ code: z.string(), message: z.string() }));

/** {@link Provenance} as it is stored. */
export const provenanceSchema: z.ZodType<Provenance> = z.object({
  kind: z.string().min(1),
  version: z.number(),
  options: jsonObjectSchema,
  seed: z.number().nullable(),
  inputs: z.record(z.string(), z.string()),
  chosen: z.exactOptional(jsonObjectSchema),
});

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

/** Deeper data are nobody's; readers that call themselves for each level would use up the stack. */
const DEEPEST = 256;

/**
 * Parses JSON from a file, without a look at what it says.
 *
 * @throws {@link FormatError} if it is no JSON, or nested more than 256 levels deep.
 */
export function parseJsonText(name: string, content: string | Uint8Array): unknown {
  const text = typeof content === "string" ? content : new TextDecoder().decode(content);
  if (isTooDeep(text)) throw new FormatError(name, `JSON of at most ${DEEPEST} levels`, "deeper nesting");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(name, "a JSON object", "text that is none", { cause });
  }
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInString) {
      if (character === "\\") at++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "{" || character === "[") {
      if (++depth > DEEPEST) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}

/** The first complaint of a zod error in one line. */
export function issueText(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "something else";
  return issue.path.length === 0 ? issue.message : `${issue.path.map(String).join(".")}: ${issue.message}`;
}

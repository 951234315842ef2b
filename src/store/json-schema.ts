import { z } from "zod";
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
export const numberSchema = z.union([
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

import { join } from "node:path";
import { z } from "zod";
import { FormatError, RunStateError } from "../../base/errors.js";
import { toJson } from "../../base/json.js";
import {
  checkFormat,
  issueText,
  jsonObjectSchema,
  jsonValueSchema,
  parseJsonText,
  provenanceSchema,
} from "../../base/json-schema.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { RunDescription, RunManifest } from "../../model/manifest.js";
import { writeFileAtomic } from "../arrow/atomic-file.js";
import { isMissing, readRegularFile } from "../arrow/regular-file.js";

/** `format` of run.json. */
export const runFormat = "tfjs-landscape-run";
/** `formatVersion` that this version of the package writes; it reads this one and older ones. */
export const runFormatVersion = 1;

const count = z.int().nonnegative();

const parameterSchema = z.object({
  name: z.string().min(1),
  key: z.string().optional(),
  shape: z.array(count),
  offset: count,
  size: count,
  role: z.enum(["kernel", "bias", "scale", "offset", "state", "other"]),
  trainable: z.boolean(),
  layerType: z.string(),
  filterAxes: z.array(count).nullable(),
});

const layoutSchema = z
  .object({
    parameters: z.array(parameterSchema).min(1),
    parameterCount: count,
    trainableCount: count,
    digest: z.string().min(1),
  })
  .superRefine((layout, context) => {
    const problem = layoutProblem(layout as ParameterLayout);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });

const optimizerSchema = z.object({ className: z.string(), config: jsonValueSchema }).nullable();
const backendSchema = z.object({ name: z.string(), package: z.string(), reason: z.string() });

const manifestSchema = z.object({
  format: z.literal(runFormat),
  formatVersion: z.int().positive(),
  name: z.string(),
  createdAt: z.string(),
  packages: z.record(z.string(), z.string()),
  model: jsonValueSchema,
  layout: layoutSchema,
  dtype: z.enum(["float32", "float16"]),
  optimizer: optimizerSchema,
  loss: jsonValueSchema,
  metrics: jsonValueSchema,
  fit: jsonObjectSchema,
  backend: backendSchema,
  seed: z.number().nullable(),
  provenance: provenanceSchema.optional(),
  resumes: z
    .array(
      z.object({
        at: z.string(),
        step: count,
        optimizer: optimizerSchema,
        fit: jsonObjectSchema,
        backend: backendSchema,
        trainable: z.array(z.string()).optional(),
        replaced: z.object({ loss: jsonValueSchema, metrics: jsonValueSchema }).optional(),
      }),
    )
    .optional(),
});

/** Path of a run's manifest. */
export function manifestPath(directory: string): string {
  return join(directory, "run.json");
}

/**
 * Reads and checks run.json.
 *
 * @throws {@link RunStateError} if there is none.
 * @throws {@link FormatError} if it is foreign, damaged or of a newer version.
 */
export async function readManifest(directory: string): Promise<RunManifest> {
  const file = manifestPath(directory);
  const raw = await readRawManifest(directory);
  if (raw === null) {
    const hint = "name the folder that holds run.json";
    throw new RunStateError(directory, "a run directory", "no run.json there", { hint });
  }
  checkFormat(file, raw, runFormat, runFormatVersion);
  const parsed = manifestSchema.safeParse(raw);
  // What zod calls optional may be undefined; parsed JSON has no undefined.
  if (parsed.success) return parsed.data as RunManifest;
  throw new FormatError(file, "a run's manifest", issueText(parsed.error));
}

/** The JSON object in run.json, unchecked; null where there is no such file. */
export async function readRawManifest(directory: string): Promise<Record<string, unknown> | null> {
  const file = manifestPath(directory);
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(file);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(parseJsonText(file, bytes));
  if (parsed.success) return parsed.data;
  throw new FormatError(file, "a JSON object", issueText(parsed.error));
}

/** Writes run.json atomically. Non-finite numbers become strings. */
export async function writeManifest(directory: string, description: RunDescription): Promise<RunManifest> {
  const manifest: RunManifest = { ...description, format: runFormat, formatVersion: runFormatVersion };
  const { format, formatVersion, ...rest } = manifest;
  const text = JSON.stringify(toJson({ format, formatVersion, ...rest }), null, 2);
  await writeFileAtomic(manifestPath(directory), new TextEncoder().encode(`${text}\n`));
  return manifest;
}

/** What is wrong with a layout's arithmetic, or null. */
function layoutProblem({ parameters, parameterCount, trainableCount }: ParameterLayout): string | null {
  let offset = 0;
  let trainable = 0;
  for (const parameter of parameters) {
    const size = parameter.shape.reduce((product, length) => product * length, 1);
    if (parameter.offset !== offset) return `${parameter.name} starts at ${parameter.offset}, not ${offset}`;
    if (parameter.size !== size) return `${parameter.name} has ${parameter.size} elements, not ${size}`;
    offset += size;
    if (parameter.trainable) trainable = offset;
  }
  if (offset !== parameterCount) return `${parameterCount} parameters, not ${offset}`;
  return trainable === trainableCount ? null : `${trainableCount} trainable parameters, not ${trainable}`;
}

import { join } from "node:path";
import { z } from "zod";
import { FormatError } from "../base/errors.js";
import { checkFormat, issueText, jsonNumber, numberSchema, parseJsonText } from "../base/json-schema.js";
import { writeFileAtomic } from "../store/arrow/atomic-file.js";
import { isMissing, readRegularFile } from "../store/arrow/regular-file.js";
import type { SweepFigures, SweepSettings } from "./sweep-module.js";

const FORMAT = "tfjs-landscape-sweep-record";
const VERSION = 1;

/** What became of one setting of a sweep; a file beside its run. */
export interface SweepRecord {
  readonly settings: SweepSettings;
  /** "started" of one that has not ended, or was ended from outside. */
  readonly status: "started" | "complete" | "failed";
  /** sha-256 (hex) of the text of `train` that made it. */
  readonly trainDigest: string;
  /** The TensorFlow.js backend that it was trained on. */
  readonly backend: string;
  /** Wall clock of the training; 0 until it ends. */
  readonly seconds: number;
  /** What `train` returned. */
  readonly figures: SweepFigures;
  /** Why it failed; null otherwise. */
  readonly error: string | null;
}

const schema = z.object({
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  status: z.enum(["started", "complete", "failed"]),
  trainDigest: z.string(),
  backend: z.string(),
  seconds: z.number().nonnegative(),
  figures: z.record(z.string(), numberSchema),
  error: z.string().nullable(),
});

function recordFile(directory: string, folder: string): string {
  return join(directory, "results", `${folder}.json`);
}

/** Writes what became of a setting, complete or not at all. */
export async function writeSweepRecord(
  directory: string,
  folder: string,
  record: SweepRecord,
): Promise<void> {
  const figures = Object.fromEntries(
    Object.entries(record.figures).map(([name, value]) => [name, jsonNumber(value)]),
  );
  const text = JSON.stringify({ format: FORMAT, formatVersion: VERSION, ...record, figures }, null, 2);
  await writeFileAtomic(recordFile(directory, folder), new TextEncoder().encode(`${text}\n`));
}

/**
 * Reads what became of a setting; null if it was never begun.
 *
 * @throws {@link FormatError} if the file is damaged or foreign.
 */
export async function readSweepRecord(directory: string, folder: string): Promise<SweepRecord | null> {
  const file = recordFile(directory, folder);
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(file);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const found = parseJsonText(file, bytes);
  if (typeof found !== "object" || found === null)
    throw new FormatError(file, "a JSON object", String(found));
  checkFormat(file, found, FORMAT, VERSION);
  const parsed = schema.safeParse(found);
  if (!parsed.success) throw new FormatError(file, "the record of a setting", issueText(parsed.error));
  return parsed.data;
}

import type { z } from "zod";
import { FormatError } from "../errors.js";
import { type Artifact, type ArtifactColumn, decodeArtifact, encodeArtifact } from "./artifact.js";
import { writeFileAtomic } from "./atomic-file.js";
import { withFileReader } from "./byte-reader.js";
import { issueText } from "./format-version.js";
import { isStale, type Provenance } from "./provenance.js";

/**
 * Writes a result to an Arrow file, atomically; a file that is there is replaced.
 *
 * @param file - path, by custom `<run>/<what>/<name>.arrow`; folders are made.
 * @throws {@link InvalidDataError} if the columns do not fit together.
 */
export async function writeArtifact(file: string, artifact: Artifact): Promise<void> {
  await writeFileAtomic(file, encodeArtifact(artifact, file));
}

/**
 * Reads a result, if it is there and comes from what is asked.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readArtifact(file: string, expected?: Provenance): Promise<Artifact | null> {
  const isWanted = (stored: Provenance) => expected === undefined || !isStale(stored, expected);
  try {
    return await withFileReader(file, file, (reader) => decodeArtifact(reader, isWanted));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}

/** @throws {@link FormatError} if the details of a result are not as `schema` says. */
export function parseDetails<T>(file: string, { details }: Artifact, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(details);
  if (parsed.success) return parsed.data;
  throw new FormatError(`${file}: details`, "the facts of such a result", issueText(parsed.error));
}

/**
 * The float64 column of a result.
 *
 * @throws {@link FormatError} if there is none of that name and type.
 */
export function float64Column(file: string, artifact: Artifact, name: string): Float64Array {
  const { values, width } = column(file, artifact, name);
  if (values instanceof Float64Array && width === undefined) return values;
  throw new FormatError(`${file}: ${name}`, "a column of float64", "another type");
}

/** The column of a result, whatever its type. @throws {@link FormatError} if there is none of that name. */
export function column(file: string, { columns }: Artifact, name: string): ArtifactColumn {
  const found = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (found !== undefined) return found;
  throw new FormatError(file, `a column "${name}"`, Object.keys(columns).join(", "));
}

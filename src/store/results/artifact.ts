import type { Data } from "apache-arrow";
import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import {
  checkFormat,
  issueText,
  jsonValueSchema,
  parseJsonText,
  provenanceSchema,
} from "../../base/json-schema.js";
import {
  canonicalJson,
  isStale,
  type JsonValue,
  type Provenance,
  provenanceDigest,
  type RunningDigest,
  startDigest,
} from "../../base/provenance.js";
import {
  encodeArrowFile,
  type FileParts,
  fixedSizeListData,
  float32Data,
  float64Data,
  int32Data,
  joinParts,
  utf8Data,
} from "../arrow/arrow-data.js";
import { type ArrowLayout, type ByteReader, readArrowLayout, withFileReader } from "../arrow/arrow-layout.js";
import { writeFileAtomic } from "../arrow/atomic-file.js";
import { isMissing } from "../arrow/regular-file.js";

/** Values of a column: numbers, flat and row-major, or strings. */
export type ArtifactValues = Float64Array | Float32Array | Int32Array | readonly string[];

/** A column of a stored result. */
export interface ArtifactColumn {
  readonly values: ArtifactValues;
  /** Length of each row's list (float32, float64), or absent for one value a row. */
  readonly width?: number;
}

/** A stored result: named columns of equal length, facts beside them, and where it comes from. */
export interface Artifact {
  readonly columns: Readonly<Record<string, ArtifactColumn>>;
  /** What does not fit into columns. */
  readonly details: JsonValue;
  readonly provenance: Provenance;
}

const format = "tfjs-landscape-artifact";
/** Written; version 1, whose content digest leaves out provenance and types of columns, is read too. */
const formatVersion = 2;

const metadataSchema = z.object({
  provenance: z.string(),
  provenanceDigest: z.string(),
  details: z.string(),
  contentSha256: z.string(),
  /** Of provenance and details, for who does not read the columns. Older files lack it. */
  factsSha256: z.string().optional(),
});

/**
 * Encodes a result as an Arrow IPC file of one record batch. Large columns are views of the arrays given.
 *
 * @param where - what is encoded, for error messages.
 * @throws {@link InvalidDataError} if there are no columns or their lengths differ.
 */
export function encodeArtifact(artifact: Artifact, where: string): FileParts {
  const { columns, details, provenance } = artifact;
  const data = Object.entries(columns).map(([name, column]) => ({
    name,
    data: columnData(`${where}: ${name}`, column),
  }));
  const rows = data[0]?.data.length;
  if (rows === undefined) throw new InvalidDataError(where, "at least one column", "none");
  for (const column of data) {
    if (column.data.length === rows) continue;
    throw new InvalidDataError(`${where}: ${column.name}`, `${rows} rows`, String(column.data.length));
  }
  const facts = { provenance: canonicalJson({ ...provenance }), details: canonicalJson(details) };
  const metadata = {
    format,
    formatVersion: String(formatVersion),
    ...facts,
    provenanceDigest: provenanceDigest(provenance),
    factsSha256: factsHash(facts),
    contentSha256: contentHash(columns, facts),
  };
  return encodeArrowFile(data, new Map(Object.entries(metadata)));
}

/**
 * Reads a result back.
 *
 * @param isWanted - asked before any column is read; if it says no, the answer is null.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function decodeArtifact(
  reader: ByteReader,
  isWanted: (provenance: Provenance) => boolean,
): Promise<Artifact | null> {
  const { name } = reader;
  const layout = await readArrowLayout(reader);
  checkFormat(name, layout.metadata, format, formatVersion);
  const metadata = metadataSchema.safeParse(layout.metadata);
  if (!metadata.success) throw new FormatError(name, "metadata of a result", issueText(metadata.error));
  const provenance = parseJson(name, "provenance", metadata.data.provenance, provenanceSchema);
  if (provenanceDigest(provenance) !== metadata.data.provenanceDigest) {
    throw new FormatError(name, "a provenance with the digest beside it", "another one");
  }
  const { details, factsSha256 } = metadata.data;
  if (factsSha256 !== undefined && factsHash(metadata.data) !== factsSha256) {
    throw new FormatError(name, "facts with the digest beside them", "other ones");
  }
  if (!isWanted(provenance)) return null;
  const columns = await readColumns(reader, layout);
  const { formatVersion: version } = layout.metadata;
  const hash = version === "1" ? contentHashOfVersion1 : contentHash;
  if (hash(columns, metadata.data) !== metadata.data.contentSha256) {
    throw new FormatError(name, "the content that was written", "bytes with another sha-256");
  }
  return { columns, details: parseJson(name, "details", details, jsonValueSchema), provenance };
}

function columnData(where: string, { values, width }: ArtifactColumn): Data {
  if (width === undefined) {
    if (values instanceof Float64Array) return float64Data(values);
    if (values instanceof Float32Array) return float32Data(values);
    return values instanceof Int32Array ? int32Data(values) : utf8Data(values);
  }
  if (!(values instanceof Float64Array) && !(values instanceof Float32Array)) {
    throw new InvalidDataError(where, "float32 or float64 values in a list column", "another type");
  }
  if (!Number.isInteger(width) || width < 1 || values.length % width !== 0) {
    throw new InvalidDataError(where, `lists of a positive length within ${values.length}`, String(width));
  }
  return fixedSizeListData(values instanceof Float64Array ? float64Data(values) : float32Data(values), width);
}

async function readColumns(reader: ByteReader, layout: ArrowLayout): Promise<Record<string, ArtifactColumn>> {
  const columns: [string, ArtifactColumn][] = [];
  let next = 0;
  const buffer = async (): Promise<Uint8Array> => {
    const range = layout.buffers[next++];
    if (range === undefined) throw new FormatError(reader.name, "buffers for every column", "too few");
    // A copy of its own: typed arrays want their bytes aligned.
    return (await reader.readAt(range.offset, range.length)).slice();
  };
  for (const { name, type } of layout.fields) {
    const isList = type.name.startsWith("fixed_size_list<");
    const item = isList ? type.name.slice("fixed_size_list<".length, -1) : type.name;
    next += isList ? 2 : 1; // validity buffers
    const length = layout.rows * (isList ? type.width : 1);
    const values = await readValues(`${reader.name}: ${name}`, item, length, buffer);
    columns.push([name, isList ? { values, width: type.width } : { values }]);
  }
  return Object.fromEntries(columns);
}

async function readValues(
  where: string,
  type: string,
  length: number,
  buffer: () => Promise<Uint8Array>,
): Promise<ArtifactValues> {
  const bytes = await buffer();
  const check = (size: number) => {
    if (length < 0 || bytes.length < size) throw new FormatError(where, `${size} bytes`, `${bytes.length}`);
  };
  switch (type) {
    case "float64":
      check(length * 8);
      return new Float64Array(bytes.buffer, 0, length);
    case "float32":
      check(length * 4);
      return new Float32Array(bytes.buffer, 0, length);
    case "int32":
      check(length * 4);
      return new Int32Array(bytes.buffer, 0, length);
    case "utf8":
      check(length === 0 ? 0 : (length + 1) * 4);
      return readStrings(where, new Int32Array(bytes.buffer, 0, bytes.length >> 2), length, await buffer());
    default:
      throw new FormatError(where, "int32, float32, float64, utf8 or lists of floats", type);
  }
}

function readStrings(where: string, offsets: Int32Array, length: number, text: Uint8Array): string[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return Array.from({ length }, (_, i) => {
    const start = offsets[i] ?? -1;
    const end = offsets[i + 1] ?? -1;
    if (start < 0 || end < start || end > text.length) {
      throw new FormatError(where, "strings inside their buffer", `offsets ${start} to ${end}`);
    }
    return decoder.decode(text.subarray(start, end));
  });
}

interface StoredFacts {
  readonly provenance: string;
  readonly details: string;
}

/** sha-256 (hex) of what a file says beside its columns. */
function factsHash({ provenance, details }: StoredFacts): string {
  return startDigest()
    .add(JSON.stringify([provenance, details]))
    .hex();
}

/** sha-256 (hex) of all that a file says: provenance with what was chosen, details, columns with their types. */
function contentHash(columns: Artifact["columns"], { provenance, details }: StoredFacts): string {
  const hash = startDigest().add(JSON.stringify([format, formatVersion, provenance, details]));
  return hashColumns(hash, columns, (name, { values, width }) => [name, width ?? 0, typeOf(values)]);
}

function contentHashOfVersion1(columns: Artifact["columns"], { details }: StoredFacts): string {
  const hash = startDigest().add(details);
  return hashColumns(hash, columns, (name, { width }) => [name, width ?? 0]);
}

function typeOf(values: ArtifactValues): string {
  if (isStrings(values)) return "utf8";
  if (values instanceof Int32Array) return "int32";
  return values instanceof Float64Array ? "float64" : "float32";
}

function hashColumns(
  hash: RunningDigest,
  columns: Artifact["columns"],
  head: (name: string, column: ArtifactColumn) => JsonValue,
): string {
  for (const [name, column] of Object.entries(columns)) {
    const { values } = column;
    hash.add(`\n${JSON.stringify(head(name, column))}\n`);
    if (isStrings(values)) hash.add(JSON.stringify(values));
    else hash.add(values);
  }
  return hash.hex();
}

function isStrings(values: ArtifactValues): values is readonly string[] {
  return Array.isArray(values);
}

function parseJson<T>(name: string, what: string, text: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseJsonText(`${name}: ${what}`, text));
  if (parsed.success) return parsed.data;
  throw new FormatError(`${name}: ${what}`, `a valid ${what}`, issueText(parsed.error));
}

/**
 * Writes a result to an Arrow file, atomically; a file that is there is replaced.
 *
 * @param file - path, by custom `<run>/<what>/<name>.arrow`; folders are made.
 * @throws {@link InvalidDataError} if the columns do not fit together.
 */
export async function writeArtifact(file: string, artifact: Artifact): Promise<void> {
  // In one piece at once: the arrays are the caller's again as soon as this gives way.
  await writeFileAtomic(file, joinParts(encodeArtifact(artifact, file)));
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
    if (isMissing(error)) return null;
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

/**
 * The int32 column of a result.
 *
 * @throws {@link FormatError} if there is none of that name and type.
 */
export function int32Column(file: string, artifact: Artifact, name: string): Int32Array {
  const { values, width } = column(file, artifact, name);
  if (values instanceof Int32Array && width === undefined) return values;
  throw new FormatError(`${file}: ${name}`, "a column of int32", "another type");
}

/**
 * The column of texts of a result.
 *
 * @throws {@link FormatError} if there is none of that name and type.
 */
export function textColumn(file: string, artifact: Artifact, name: string): readonly string[] {
  const { values } = column(file, artifact, name);
  if (isStrings(values)) return values;
  throw new FormatError(`${file}: ${name}`, "a column of texts", "another type");
}

/** The column of a result, whatever its type. @throws {@link FormatError} if there is none of that name. */
export function column(file: string, { columns }: Artifact, name: string): ArtifactColumn {
  const found = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (found !== undefined) return found;
  throw new FormatError(file, `a column "${name}"`, Object.keys(columns).join(", "));
}

/**
 * Reads where a result comes from and what stands beside its columns; the columns are not read.
 *
 * @returns null if there is no file.
 * @throws {@link FormatError} if the file is truncated, foreign or of a newer version.
 */
export async function readArtifactFacts(
  file: string,
): Promise<Pick<Artifact, "provenance" | "details"> | null> {
  let found: Provenance | undefined;
  try {
    return await withFileReader(file, file, async (reader) => {
      await decodeArtifact(reader, (provenance) => {
        found = provenance;
        return false;
      });
      const { metadata } = await readArrowLayout(reader);
      const details = parseJson(file, "details", metadata.details ?? "", jsonValueSchema);
      return { provenance: found as Provenance, details };
    });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

import { z } from "zod";
import { FormatError } from "../errors.js";
import type { FileSchema } from "./arrow-schema.js";
import { checkFormat, issueText } from "./format-version.js";

/** Element type of θ on disk. */
export type ThetaDtype = "float32" | "float16";

const format = "tfjs-landscape-snapshot";
const formatVersion = 1;

/** Columns and their types in the file's order; the position of the buffers follows from it. */
const columnTypes = {
  step: "int32",
  epoch: "int32",
  iteration: "int32",
  time: "float64",
  learningRate: "float64",
  logs: "map<utf8, float64>",
  theta: "fixed_size_list<float32>",
} as const;

const metadataSchema = z.object({
  format: z.literal(format),
  formatVersion: z.literal(String(formatVersion)),
  thetaSha256: z.string().regex(/^[0-9a-f]{64}$/, "expected a sha-256 in hex"),
  layoutDigest: z.string().min(1),
});

/** What the metadata of a snapshot file says. */
export type SnapshotMetadata = z.infer<typeof metadataSchema>;

/** Metadata of a snapshot file, ready for the Arrow schema. */
export function snapshotMetadata(thetaSha256: string, layoutDigest: string): Map<string, string> {
  const metadata: SnapshotMetadata = {
    format,
    formatVersion: String(formatVersion),
    thetaSha256,
    layoutDigest,
  };
  return new Map(Object.entries(metadata));
}

/** @throws {@link FormatError} if the file is not a snapshot or is of a newer version. */
export function parseSnapshotMetadata(name: string, { metadata }: FileSchema): SnapshotMetadata {
  checkFormat(name, metadata, format, formatVersion);
  const parsed = metadataSchema.safeParse(metadata);
  if (parsed.success) return parsed.data;
  throw new FormatError(name, "metadata of a snapshot", issueText(parsed.error));
}

/**
 * Checks the columns' names and types.
 *
 * @returns element type and length of θ.
 * @throws {@link FormatError} naming the first column that differs.
 */
export function checkSnapshotColumns(
  name: string,
  { fields }: FileSchema,
): { readonly dtype: ThetaDtype; readonly parameterCount: number } {
  const expectedNames = Object.keys(columnTypes).join(", ");
  const names = fields.map((field) => field.name).join(", ");
  if (names !== expectedNames) throw new FormatError(name, `columns ${expectedNames}`, names || "none");
  const theta = fields.at(-1)?.type;
  const dtype = theta?.name === "fixed_size_list<float16>" ? "float16" : "float32";
  for (const field of fields) {
    const isNarrow = field.name === "theta" && dtype === "float16";
    const expected = columnTypes[field.name as keyof typeof columnTypes];
    if (field.type.name !== expected && !isNarrow) {
      throw new FormatError(`${name}: ${field.name}`, expected, field.type.name);
    }
  }
  return { dtype, parameterCount: theta?.width ?? 0 };
}

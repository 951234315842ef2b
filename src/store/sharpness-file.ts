import type { EpsilonSharpness } from "../slices/epsilon-sharpness.js";
import { float64Column, readArtifact, writeArtifact } from "./artifact-file.js";
import type { Provenance } from "./provenance.js";

/** Writes an ε-sharpness as an Arrow file of one row for each direction of the box. */
export async function writeSharpness(
  file: string,
  { sharpness, maximum, at, halfWidths, epsilon }: EpsilonSharpness,
  provenance: Provenance,
): Promise<void> {
  const all = (value: number) => ({ values: Float64Array.from(halfWidths, () => value) });
  await writeArtifact(file, {
    columns: {
      halfWidth: { values: Float64Array.from(halfWidths) },
      at: { values: Float64Array.from(halfWidths, (_, k) => at[k] as number) },
      sharpness: all(sharpness),
      maximum: all(maximum),
      epsilon: all(epsilon),
    },
    details: null,
    provenance,
  });
}

/**
 * Reads an ε-sharpness back, bit for bit.
 *
 * @param expected - provenance that it must have.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readSharpness(file: string, expected: Provenance): Promise<EpsilonSharpness | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const values = (name: string) => Array.from(float64Column(file, artifact, name));
  const first = (name: string) => values(name)[0] ?? Number.NaN;
  const [alpha = 0, beta = 0] = values("at");
  return {
    sharpness: first("sharpness"),
    maximum: first("maximum"),
    at: [alpha, beta],
    halfWidths: values("halfWidth"),
    epsilon: first("epsilon"),
  };
}

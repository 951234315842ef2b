import { z } from "zod";
import type { WeightHistograms } from "../weights/weight-histogram.js";
import { float64Column, parseDetails, readArtifact, writeArtifact } from "./artifact-file.js";
import type { Provenance } from "./provenance.js";

const detailsSchema = z.object({
  weights: z.int().nonnegative(),
  solutions: z.array(z.object({ name: z.string(), outside: z.int().nonnegative() })),
});

/**
 * Writes histograms of weights as an Arrow file: a row for each bin with its edges `from` and `to`, and
 * "density:NUMBER" for each solution, whose names are in the details.
 */
export async function writeHistograms(
  file: string,
  { edges, histograms, weights }: WeightHistograms,
  provenance: Provenance,
): Promise<void> {
  await writeArtifact(file, {
    columns: {
      from: { values: edges.slice(0, -1) },
      to: { values: edges.slice(1) },
      ...Object.fromEntries(histograms.map(({ density }, i) => [`density:${i}`, { values: density }])),
    },
    details: { weights, solutions: histograms.map(({ name, outside }) => ({ name, outside })) },
    provenance,
  });
}

/**
 * Reads histograms back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readHistograms(file: string, expected?: Provenance): Promise<WeightHistograms | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { weights, solutions } = parseDetails(file, artifact, detailsSchema);
  const values = (name: string) => float64Column(file, artifact, name);
  const [from, to] = [values("from"), values("to")];
  return {
    edges: Float64Array.of(...from, ...to.slice(-1)),
    weights,
    histograms: solutions.map(({ name, outside }, i) => ({ name, outside, density: values(`density:${i}`) })),
  };
}

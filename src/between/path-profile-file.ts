import { z } from "zod";
import { FormatError } from "../base/errors.js";
import { warningsSchema } from "../base/json-schema.js";
import type { Provenance } from "../base/provenance.js";
import {
  float64Column,
  parseDetails,
  readArtifact,
  textColumn,
  writeArtifact,
} from "../store/results/artifact.js";
import type { PathProfile } from "./path-profile.js";

const profileSchema = z.object({
  set: z.string(),
  policy: z.enum(["keep", "interpolate", "recalibrate", "as-trained", "none"]),
  count: z.int().positive(),
  points: z.array(z.number()),
  metrics: z.array(z.string()),
  averages: z.array(z.object({ kind: z.enum(["swa", "ema"]), count: z.int().positive() })),
  warnings: warningsSchema,
});

/**
 * Writes the losses on and between the snapshots of a path, and of averages, as an Arrow file: a row for each point with
 * what it is ("snapshot", "between", "swa", "ema"), the place on the path counted in snapshots (of averages, the number
 * of snapshots), the loss and "metric:NAME".
 *
 * @example await writePathProfile("profile-train.arrow", profile, provenance);
 */
export async function writePathProfile(
  file: string,
  profile: PathProfile,
  provenance: Provenance,
): Promise<void> {
  const { set, policy, count: n, t, loss, metrics, averages, warnings } = profile;
  const inner = Array.from(t.subarray(1, -1));
  const between = Array.from({ length: n - 1 }, (_, i) => inner.map((at) => i + at)).flat();
  await writeArtifact(file, {
    columns: {
      point: {
        values: [
          ...Array.from({ length: n }, () => "snapshot"),
          ...between.map(() => "between"),
          ...averages.map(({ kind }) => kind),
        ],
      },
      place: {
        values: Float64Array.from([...Array(n).keys(), ...between, ...averages.map(({ count }) => count)]),
      },
      loss: { values: loss },
      ...Object.fromEntries(Object.entries(metrics).map(([name, values]) => [`metric:${name}`, { values }])),
    },
    details: {
      set,
      policy,
      count: n,
      points: Array.from(t),
      metrics: Object.keys(metrics),
      averages: averages.map(({ kind, count }) => ({ kind, count })),
      warnings: warnings.map(({ code, message }) => ({ code, message })),
    },
    provenance,
  });
}

/**
 * Reads the losses of a path's points back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const profile = await readPathProfile("runs/adam/path/profile-train-1a2b3c4d.arrow"); // null if there is no such file
 */
export async function readPathProfile(file: string, expected?: Provenance): Promise<PathProfile | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { points, metrics, ...facts } = parseDetails(file, artifact, profileSchema);
  const rows = facts.count + (facts.count - 1) * (points.length - 2) + facts.averages.length;
  const stored = textColumn(file, artifact, "point").length;
  if (stored !== rows) throw new FormatError(file, `${rows} rows`, String(stored));
  return {
    ...facts,
    t: Float64Array.from(points),
    loss: float64Column(file, artifact, "loss"),
    metrics: Object.fromEntries(
      metrics.map((name) => [name, float64Column(file, artifact, `metric:${name}`)]),
    ),
  };
}

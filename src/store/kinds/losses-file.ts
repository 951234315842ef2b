import { join } from "node:path";
import type { Provenance } from "../../base/provenance.js";
import type { EvaluationSet } from "../../surface/lines/level-set-width.js";
import { float64Column, readArtifact, textColumn, writeArtifact } from "../results/artifact.js";
import { engineRequestOf, keyedName } from "./surface-key.js";

/** Losses of snapshots by the sha-256 of their weights: they depend on no plane and no embedding. */
export interface SnapshotLosses {
  /** Where they are stored, for messages. */
  readonly file: string;
  get(thetaDigest: string): number | undefined;
  put(thetaDigest: string, loss: number): void;
  /** Writes them as `losses/SET-<8 digits>.arrow` in a folder, if any are new there. */
  save(directory: string): Promise<void>;
}

/**
 * Opens the stored losses of snapshots on an evaluation set, as one engine computed them.
 *
 * @param directories - folders to look in; the first is where `file` says they are.
 * @param statistics - "as-trained": with the snapshots' own batch-norm statistics; "recalibrate": with new ones.
 * @throws {@link FormatError} if a file is damaged.
 */
export async function openLosses(
  directories: readonly string[],
  { name, evaluator: { facts } }: EvaluationSet,
  statistics: "as-trained" | "recalibrate",
): Promise<SnapshotLosses> {
  const provenance = lossesProvenance(facts, statistics);
  const base = join("losses", keyedName([name], provenance));
  const losses = new Map<string, number>();
  const stored = new Map<string, number>();
  for (const directory of [...new Set(directories)]) {
    const file = join(directory, base);
    const artifact = await readArtifact(file, provenance);
    if (artifact === null) continue;
    const digests = textColumn(file, artifact, "snapshot");
    const values = float64Column(file, artifact, "loss");
    digests.forEach((digest, i) => {
      losses.set(digest, values[i] as number);
    });
    stored.set(directory, digests.length);
  }
  let isChanged = false;
  return {
    file: join(directories[0] ?? "", base),
    get: (digest) => losses.get(digest),
    put(digest, loss) {
      isChanged ||= !Object.is(losses.get(digest), loss);
      losses.set(digest, loss);
    },
    async save(directory) {
      if (losses.size === 0 || (!isChanged && stored.get(directory) === losses.size)) return;
      const columns = {
        snapshot: { values: [...losses.keys()] },
        loss: { values: Float64Array.from(losses.values()) },
      };
      await writeArtifact(join(directory, base), { columns, details: null, provenance });
    },
  };
}

function lossesProvenance(
  facts: EvaluationSet["evaluator"]["facts"],
  statistics: "as-trained" | "recalibrate",
): Provenance {
  const { lossMode, samples, dataDigest, modelDigest, engine, calibration } = facts;
  const set = statistics === "recalibrate" && calibration != null ? calibration : null;
  return {
    kind: "snapshot-losses",
    version: 1,
    options: {
      loss: lossMode,
      samples,
      batchNorm: statistics,
      engine: { ...engineRequestOf(facts) },
      // Rows of several engines are not mixed in one file.
      chosen: { ...engine },
    },
    seed: null,
    inputs: {
      data: dataDigest,
      model: modelDigest,
      ...(set === null ? {} : { calibration: `${set.dataDigest}/${set.samples}` }),
    },
  };
}

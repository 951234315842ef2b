import { FormatError, RunStateError } from "../errors.js";
import { readManifest } from "../store/manifest-file.js";
import { openRun } from "../store/open-run.js";
import { inspectDirectory } from "../store/prepare-run.js";
import { isStale, type Provenance } from "../store/provenance.js";
import type { SnapshotInfo } from "../store/run.js";
import { provenanceDifferences } from "./jump-provenance.js";
import type { Jump } from "./jump-run.js";

/**
 * Looks for a jump in its folder: its states if it is complete, null if it is to be made (anew).
 *
 * @param overwrite - lets a run of another origin, or a damaged one, be made anew.
 * @throws {@link RunStateError} if the folder holds a run that was made from something else, naming what
 * differs, or anything that is no run.
 * @throws {@link FormatError} if the run is damaged.
 */
export async function findJump(
  { directory }: Jump,
  provenance: Provenance,
  epochs: number,
  overwrite: boolean,
): Promise<readonly SnapshotInfo[] | null> {
  if ((await inspectDirectory(directory)) !== "run") return null;
  try {
    const { provenance: stored } = await readManifest(directory);
    if (stored === undefined || isStale(stored, provenance)) throw foreign(directory, stored, provenance);
    const { snapshots } = await openRun(directory);
    if (snapshots.length > epochs + 1) {
      const hint =
        "it was trained on; choose another directory, or replace it (overwrite: true, --overwrite)";
      const got = String(snapshots.length);
      throw new RunStateError(directory, `${epochs + 1} snapshots of a jump`, got, { hint });
    }
    return snapshots.length === epochs + 1 ? snapshots : null;
  } catch (error) {
    if (overwrite && (error instanceof RunStateError || error instanceof FormatError)) return null;
    throw error;
  }
}

function foreign(directory: string, stored: Provenance | undefined, wanted: Provenance): RunStateError {
  const hint = "choose another directory, or replace its jumps (overwrite: true, --overwrite)";
  if (stored === undefined) {
    return new RunStateError(directory, "a jump or nothing", "the run of a training", { hint });
  }
  const differences = Object.entries(provenanceDifferences(stored, wanted));
  const expected = differences.map(([name, [, now]]) => `${name} ${now}`).join(", ");
  const got = differences.map(([name, [then]]) => `${name} ${then}`).join(", ");
  return new RunStateError(directory, `a jump made with ${expected}`, `one made with ${got}`, { hint });
}

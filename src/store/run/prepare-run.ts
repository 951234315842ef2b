import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { FormatError, LayoutError, RunStateError } from "../../base/errors.js";
import { toJson } from "../../base/json.js";
import { removal, renameOver } from "../../base/platform.js";
import { matchWeights } from "../../model/layout.js";
import type { RunDescription, RunManifest, RunResume } from "../../model/manifest.js";
import { explainWriteCode, isLeftover, removeLeftovers } from "../arrow/atomic-file.js";
import { readManifest, readRawManifest, runFormat, writeManifest } from "./manifest-file.js";
import { openRun } from "./open-run.js";
import type { Run, SnapshotInfo } from "./run.js";
import { optimizerFolder, snapshotFolder } from "./snapshot-schema.js";

/** A run directory that is ready to be written to. */
export interface PreparedRun {
  readonly manifest: RunManifest;
  /** Snapshots that are there already. */
  readonly snapshots: readonly SnapshotInfo[];
}

const replacedFolder = ".snapshots.replaced.tmp";

/** What lies in a directory that is about to be written to. */
export type DirectoryState = "absent" | "empty" | "run";

/**
 * Finds out what a directory holds, changing nothing. Dot files do not count: they are leftovers of a
 * start that was interrupted.
 *
 * @throws {@link RunStateError} if it holds anything that is not a run.
 */
export async function inspectDirectory(directory: string): Promise<DirectoryState> {
  const names = await namesIn(directory);
  if (names === null) return "absent";
  const visible = names.filter((name) => !name.startsWith("."));
  const raw = visible.includes("run.json") ? await readManifestIfJson(directory) : null;
  if (raw?.format === runFormat) return "run";
  const snapshots = visible.includes("snapshots") ? await namesIn(snapshotFolder(directory)) : [];
  const isFreshStart = visible.every((name) => name === "snapshots") && snapshots?.length === 0;
  if (isFreshStart) return "empty";
  const hint = "choose another directory";
  const got = `other files (${visible.slice(0, 3).join(", ")})`;
  throw new RunStateError(directory, "an empty directory or a run", got, { hint });
}

/** Makes a new run in a directory that is absent or empty. */
export async function startRun(directory: string, description: RunDescription): Promise<PreparedRun> {
  await mkdir(snapshotFolder(directory), { recursive: true });
  await removeLeftovers(directory);
  return { manifest: await writeManifest(directory, description), snapshots: [] };
}

/**
 * Replaces the run in a directory: its snapshots go, results computed from them stay and are stale by
 * their provenance.
 */
export async function replaceRun(directory: string, description: RunDescription): Promise<PreparedRun> {
  const replaced = join(directory, replacedFolder);
  await rm(replaced, removal());
  await renameOver(snapshotFolder(directory), replaced).catch(ignoreMissing);
  await rm(optimizerFolder(directory), removal());
  const prepared = await startRun(directory, description);
  await rm(replaced, removal());
  return prepared;
}

/**
 * Prepares a run to be continued: checks every snapshot, removes leftovers, notes the resume.
 *
 * @throws {@link LayoutError} if layout or element type differ; the run is not changed then.
 * @throws {@link FormatError} if the run is damaged.
 */
export async function continueRun(directory: string, description: RunDescription): Promise<PreparedRun> {
  const run = await openRun(directory);
  const { trainable, replaced } = changesSince(run, description, `${directory}: resume`);
  if (run.manifest.dtype !== description.dtype) {
    throw new LayoutError(`${directory}: resume`, `dtype ${run.manifest.dtype}`, description.dtype);
  }
  // What training goes on from is read, and its hash checked, before anything is changed.
  if (run.snapshots.length > 0) {
    await run.readTheta(run.snapshots.length - 1).finally(() => run.close());
  }
  await mkdir(snapshotFolder(directory), { recursive: true });
  await removeLeftovers(directory);
  await removeLeftovers(snapshotFolder(directory));
  await removeStatesFrom(directory, run.snapshots.length);
  const { optimizer, fit, backend } = description;
  const resume: RunResume = {
    at: new Date().toISOString(),
    step: run.snapshots.length,
    optimizer,
    fit,
    backend,
    trainable,
    replaced,
  };
  const manifest = await readManifest(directory);
  const resumes = [...(manifest.resumes ?? []), resume];
  const newest = replaced === undefined ? {} : { loss: description.loss, metrics: description.metrics };
  return {
    manifest: await writeManifest(directory, { ...manifest, ...newest, resumes }),
    snapshots: run.snapshots,
  };
}

/** Removes the optimizer's states of snapshots that were never written: those are written first. */
async function removeStatesFrom(directory: string, step: number): Promise<void> {
  const folder = optimizerFolder(directory);
  const names = (await namesIn(folder)) ?? [];
  const isOver = (name: string) => isLeftover(name) || Number.parseInt(name, 10) >= step;
  await Promise.all(names.filter(isOver).map((name) => rm(join(folder, name), removal())));
}

/**
 * What is different from now on: which weights are trained, which loss and metrics are compiled.
 *
 * @throws {@link LayoutError} if the weights are not the same ones.
 */
function changesSince(
  { layout, manifest }: Run,
  description: RunDescription,
  where: string,
): Pick<RunResume, "trainable" | "replaced"> {
  const indices = matchWeights(layout, description.layout, where);
  const now = layout.parameters.map((_, i) => description.layout.parameters[indices[i] as number]?.trainable);
  const isOther = layout.parameters.some(({ trainable }, i) => trainable !== now[i]);
  const { loss, metrics } = manifest;
  return {
    trainable: isOther ? layout.parameters.flatMap(({ name }, i) => (now[i] ? [name] : [])) : undefined,
    // A caller that says nothing of the loss says nothing of a change.
    replaced:
      description.loss === null ||
      (isEqual(toJson(loss), toJson(description.loss)) &&
        isEqual(toJson(metrics), toJson(description.metrics)))
        ? undefined
        : { loss, metrics },
  };
}

async function namesIn(directory: string): Promise<string[] | null> {
  try {
    return await readdir(directory);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    throw new RunStateError(directory, "a directory", explainWriteCode(code) ?? code ?? String(cause), {
      cause,
    });
  }
}

/** A run.json that is not JSON is somebody else's: it is left alone. */
async function readManifestIfJson(directory: string): Promise<Record<string, unknown> | null> {
  try {
    return await readRawManifest(directory);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

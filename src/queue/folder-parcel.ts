import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InvalidDataError } from "../base/errors.js";
import { removal } from "../base/platform.js";
import { explainingWrites, isLeftover } from "../store/arrow/atomic-file.js";
import { optimizerFolder, snapshotFolder } from "../store/run/snapshot-schema.js";
import type { ContentStore } from "./content-store.js";
import { type FolderFile, parcelPathSchema } from "./tile-queue.js";

/**
 * Puts the files of a folder into a store, those of folders in it too; none where there is no folder.
 *
 * @throws {@link InvalidDataError} for a file whose name not every machine can have.
 */
export async function packFolder(folder: string, store: Pick<ContentStore, "put">): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const files: FolderFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile() || isLeftover(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(folder.length + 1).replaceAll("\\", "/");
    if (!parcelPathSchema.safeParse(path).success)
      throw new InvalidDataError("a file of the folder", "a name without : \\ and control characters", path);
    files.push({ path, ...(await store.put(file)) });
  }
  return files;
}

/**
 * Makes a folder of the files that {@link packFolder} has put into a store. They are fetched into one beside it first: until
 * all of them are here, the folder is as it was before.
 *
 * @param keepsOthers - whether what lies there stays, but for a run of that folder: results, pictures, further runs.
 * @throws {@link EvaluationError} if a file is missing or was changed; {@link RunStateError} if it cannot be written.
 */
export async function unpackFolder(
  files: readonly FolderFile[],
  folder: string,
  store: Pick<ContentStore, "fetch">,
  keepsOthers = false,
): Promise<void> {
  const part = `${folder}.part`;
  await explainingWrites(folder, async () => {
    try {
      await rm(part, removal());
      await mkdir(part, { recursive: true });
      for (const { path, ...content } of files) {
        const file = join(part, path);
        await mkdir(dirname(file), { recursive: true });
        await store.fetch(content, file);
      }
      if (keepsOthers) await replaceRun(part, folder);
      else {
        await rm(folder, removal());
        await rename(part, folder);
      }
    } catch (error) {
      await rm(part, removal()).catch(() => undefined);
      throw error;
    }
  });
}

/** Moves what a folder holds into another one. Snapshots go first and come last: up to then it is a run without any. */
async function replaceRun(part: string, folder: string): Promise<void> {
  const isLast = (name: string): boolean => join(folder, name) === snapshotFolder(folder);
  const names = await readdir(part);
  await mkdir(folder, { recursive: true });
  for (const old of [snapshotFolder(folder), optimizerFolder(folder)]) await rm(old, removal());
  for (const name of [...names.filter((one) => !isLast(one)), ...names.filter(isLast)]) {
    await rm(join(folder, name), removal());
    await rename(join(part, name), join(folder, name));
  }
  await rm(part, removal());
}

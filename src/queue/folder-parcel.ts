import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removal } from "../base/platform.js";
import { explainingWrites, isLeftover } from "../store/arrow/atomic-file.js";
import type { ContentStore } from "./content-store.js";
import type { FolderFile } from "./tile-queue.js";

/** Puts the files of a folder into a store, those of folders in it too; none where there is no folder. */
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
    files.push({ path, ...(await store.put(file)) });
  }
  return files;
}

/**
 * Makes a folder of the files that {@link packFolder} has put into a store. It is either there in full or as it was before:
 * files are fetched into one beside it, which is renamed.
 *
 * @throws {@link EvaluationError} if a file is missing or was changed; {@link RunStateError} if it cannot be written.
 */
export async function unpackFolder(
  files: readonly FolderFile[],
  folder: string,
  store: Pick<ContentStore, "fetch">,
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
      await rm(folder, removal());
      await rename(part, folder);
    } catch (error) {
      await rm(part, removal()).catch(() => undefined);
      throw error;
    }
  });
}

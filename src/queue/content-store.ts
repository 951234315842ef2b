import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import { renameOver } from "../base/platform.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";

/** Bytes in a store: known by their sha-256 (hex), so that nothing can stand in their place. */
export interface StoredContent {
  readonly digest: string;
  readonly bytes: number;
}

/** Where the files of a job set lie for workers on other machines: model, weights, directions, data. */
export interface ContentStore {
  /** Puts a file in, unless it is there. */
  put(file: string): Promise<StoredContent>;
  /**
   * Copies content into a new file, and checks it.
   *
   * @throws {@link EvaluationError} if it is missing, or is not what its digest says.
   */
  fetch(content: StoredContent, file: string): Promise<void>;
}

const DIGEST = /^[0-9a-f]{64}$/;

/** @throws {@link EvaluationError} if a digest is none: it becomes a name. */
export function checkContent({ digest }: Pick<StoredContent, "digest">): void {
  if (!DIGEST.test(digest)) throw new EvaluationError("store", "a sha-256 in hex", JSON.stringify(digest));
}

/** The error of content that is not what its digest says; its digest is null where it was not read to the end. */
export function tamperedError(
  where: string,
  content: StoredContent,
  found: { readonly digest: string | null; readonly bytes: number },
): EvaluationError {
  const size = found.digest === null ? "more" : `${found.digest.slice(0, 12)}, ${found.bytes} bytes`;
  const got = `others (${size}): damaged or tampered with`;
  return new EvaluationError(where, `${content.bytes} bytes of this digest`, got, {
    hint: "remove it from the store; the command that is given again puts it there anew",
  });
}

/** @throws {@link EvaluationError} if what was read is not the content that was asked for. */
export function checkSame(where: string, content: StoredContent, found: StoredContent): void {
  if (found.digest !== content.digest || found.bytes !== content.bytes)
    throw tamperedError(where, content, found);
}

/**
 * Opens a store in a folder that all machines see. Files are named after their digest, appear when they are whole, and
 * are never changed: several writers need no lock.
 *
 * @throws {@link InvalidOptionError} if the folder cannot be made.
 */
export async function openFolderStore(folder: string): Promise<ContentStore> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw new InvalidOptionError(`store ${folder}`, "a folder that all machines see", cause.message, {
      cause,
    });
  });
  const placeOf = (content: Pick<StoredContent, "digest">): string => {
    checkContent(content);
    return join(folder, content.digest.slice(0, 2), content.digest);
  };
  return {
    async put(file) {
      const temporary = join(folder, `.${randomBytes(8).toString("hex")}.tmp`);
      try {
        const content = await explainingWrites(folder, () => copy(file, temporary));
        const place = placeOf(content);
        if ((await sizeOf(place)) === content.bytes) {
          await rm(temporary);
          return content;
        }
        await mkdir(join(folder, content.digest.slice(0, 2)), { recursive: true });
        await renameOver(temporary, place);
        return content;
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    async fetch(content, file) {
      const place = placeOf(content);
      const where = `store ${folder}: ${content.digest.slice(0, 12)}`;
      if ((await sizeOf(place)) === null) throw new EvaluationError(where, "its content", "none");
      try {
        checkSame(where, content, await explainingWrites(file, () => copy(place, file)));
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    },
  };
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    ({ size }) => size,
    () => null,
  );
}

/** Copies a file and returns its digest. */
function copy(from: string, to: string): Promise<StoredContent> {
  return writeHashed(createReadStream(from), to);
}

/**
 * Writes a stream into a new file and returns its digest: one pass, no more than a chunk in memory.
 *
 * @param check - told how many bytes came so far, before they are written; ends it by throwing.
 */
export async function writeHashed(
  source: Readable,
  file: string,
  check: (bytes: number) => void = () => undefined,
): Promise<StoredContent> {
  const hash = createHash("sha256");
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      try {
        check(bytes);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, chunk);
    },
  });
  await pipeline(source, count, createWriteStream(file, { flags: "wx" }));
  return { digest: hash.digest("hex"), bytes };
}

/** Content of a store on this machine: fetched once, kept within a limit. */
export interface ContentCache {
  /** Path of the content's file here. It stays until `release` is called as often. */
  hold(content: StoredContent): Promise<string>;
  release(content: StoredContent): void;
}

/**
 * Opens a cache in a folder: content that nobody holds goes, longest unused first, when there are more than `mostBytes`.
 *
 * @param mostBytes - what is held may exceed it.
 */
export function openContentCache(store: ContentStore, folder: string, mostBytes: number): ContentCache {
  const holders = new Map<string, number>();
  const fetched = new Map<string, Promise<string>>();
  const placeOf = (digest: string): string => join(folder, digest);
  const fetch = async (content: StoredContent): Promise<string> => {
    const place = placeOf(content.digest);
    const temporary = `${place}.${randomBytes(4).toString("hex")}.tmp`;
    await store.fetch(content, temporary);
    await renameOver(temporary, place);
    await trim();
    return place;
  };
  const trim = async (): Promise<void> => {
    const names = (await readdir(folder)).filter((name) => DIGEST.test(name));
    const files = await Promise.all(
      names.map(async (name) => ({
        name,
        ...(await stat(placeOf(name)).catch(() => ({ size: 0, atimeMs: 0 }))),
      })),
    );
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files.sort((a, b) => a.atimeMs - b.atimeMs)) {
      if (bytes <= mostBytes) return;
      if ((holders.get(name) ?? 0) > 0) continue;
      fetched.delete(name);
      await rm(placeOf(name), { force: true });
      bytes -= size;
    }
  };
  return {
    async hold(content) {
      const { digest } = content;
      holders.set(digest, (holders.get(digest) ?? 0) + 1);
      const known = fetched.get(digest) ?? fetch(content);
      fetched.set(digest, known);
      try {
        const place = await known;
        await utimes(place, new Date(), new Date()).catch(() => undefined);
        return place;
      } catch (error) {
        fetched.delete(digest);
        this.release(content);
        throw error;
      }
    },
    release({ digest }) {
      holders.set(digest, Math.max(0, (holders.get(digest) ?? 0) - 1));
    },
  };
}

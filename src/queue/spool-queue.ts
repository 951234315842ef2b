import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { removal } from "../base/platform.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";
import {
  createObserver,
  isBeating,
  LEASE,
  LEAST_PAUSE,
  MOST_PAUSE,
  makeFolders,
  namesIn,
  type SpoolPlace,
  type SubmissionFolders,
  TILE,
  textOf,
  writeWhole,
} from "./spool-folder.js";
import {
  ALIVE_SECONDS,
  parsedMessage,
  type TileEvents,
  type TileLine,
  type TileQueue,
  UnreadableTile,
  type WorkerFacts,
  workerSchema,
} from "./tile-queue.js";

/**
 * Opens a submitter's end of a queue in a folder: no server is needed.
 *
 * @throws {@link InvalidOptionError} if the folder cannot be made.
 */
export async function openSpoolQueue(place: SpoolPlace): Promise<TileQueue> {
  const folders = await makeFolders(place);
  const observer = createObserver();
  let beat = 0;
  return {
    async workers() {
      const present: WorkerFacts[] = [];
      for (const name of await namesIn(folders.workers)) {
        const file = join(folders.workers, name);
        const found = workerSchema.safeParse(parsedMessage(await textOf(file).catch(() => null)));
        if (found.success && (await isBeating(file, observer))) present.push(found.data);
      }
      return present;
    },
    async openLine(submission, kind, events) {
      const folder = join(folders.line(kind), submission);
      return openLine(folder, folders.ofSubmission(folder), events);
    },
    async sayAlive(submission) {
      await writeFile(join(folders.alive, submission), String(beat++));
    },
    async sayOver(submission) {
      await rm(join(folders.alive, submission), { force: true });
    },
    close: () => undefined,
  };
}

const answerSchema = z.union([
  z.object({ answer: z.string() }),
  z.object({ failed: z.string().max(100_000) }),
]);

async function openLine(folder: string, own: SubmissionFolders, events: TileEvents): Promise<TileLine> {
  const names = new Map<string, string>();
  const observer = createObserver();
  const make = async (): Promise<void> => {
    for (const one of Object.values(own)) await mkdir(one, { recursive: true });
  };
  const remove = async (name: string): Promise<void> => {
    // In this order: who still finds the tile also finds that it was taken.
    await rm(join(own.tiles, name), { force: true });
    for (const lease of await namesIn(own.leases))
      if (LEASE.exec(lease)?.[1] === name) await rm(join(own.leases, lease), { force: true });
    await rm(join(own.answers, name), { force: true });
  };
  const collect = async (): Promise<boolean> => {
    const found = (await namesIn(own.answers)).filter((name) => TILE.test(name));
    for (const name of found) {
      const id = name.slice(3);
      let text: string | null;
      try {
        text = await textOf(join(own.answers, name));
      } catch (error) {
        // A file system of other machines may be away for a moment: the work is not lost for that.
        const isPassing = !(error instanceof UnreadableTile) && observer.unchanged(name, "") < ALIVE_SECONDS;
        if (isPassing) continue;
        text = JSON.stringify({ failed: (error as Error).message });
      }
      observer.forget(name);
      if (text === null) continue;
      const answer = answerSchema.safeParse(parsedMessage(text));
      if (!answer.success) events.done(id, null);
      else if ("answer" in answer.data) events.done(id, answer.data.answer);
      else events.failed(id, answer.data.failed);
      names.delete(id);
      // The answers behind one that cannot be removed are taken all the same.
      await remove(name).catch(() => undefined);
    }
    return found.length > 0;
  };
  let isOpen = true;
  const poll = async (): Promise<void> => {
    for (let pause = LEAST_PAUSE; isOpen; ) {
      const isBusy = await collect().catch(() => false);
      pause = isBusy ? LEAST_PAUSE : Math.min(MOST_PAUSE, pause * 1.2);
      await sleep(pause, undefined, { ref: names.size > 0 });
    }
  };
  await explainingWrites(folder, make);
  const polling = poll();
  return {
    async add(id, tile, priority) {
      const name = `${String(Math.min(99, priority)).padStart(2, "0")}.${id}`;
      names.set(id, name);
      await explainingWrites(folder, async () => {
        await make();
        await writeWhole(own.tiles, name, JSON.stringify(tile));
      });
    },
    async look(id) {
      const name = names.get(id);
      if (name === undefined) return false;
      for (const file of [join(own.tiles, name), join(own.answers, name)])
        if (await stat(file).catch(() => null)) return true;
      return false;
    },
    async remove(id) {
      const name = names.get(id);
      names.delete(id);
      if (name !== undefined) await remove(name).catch(() => undefined);
    },
    async close() {
      isOpen = false;
      names.clear();
      void polling;
      await rm(folder, removal()).catch(() => undefined);
    },
  };
}

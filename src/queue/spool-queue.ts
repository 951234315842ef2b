import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { InvalidOptionError } from "../base/errors.js";
import { removal } from "../base/platform.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";
import {
  ALIVE_SECONDS,
  ATTEMPTS,
  type TileEvents,
  type TileLine,
  type TileQueue,
  type TileSource,
  type TileWork,
  tilesName,
  UnreadableTile,
  type WorkerFacts,
  workerSchema,
} from "./tile-queue.js";

/** A queue in a folder that all machines see. */
export interface SpoolPlace {
  readonly spool: string;
  readonly queue: string;
}

/** Milliseconds between two looks into the folder, after something was found and where nothing is. */
const [LEAST_PAUSE, MOST_PAUSE]: readonly [number, number] = [50, 1000];
/** Bytes of one message. */
const MOST_BYTES = 2 ** 26;
/** What nobody has touched for so long when it is first seen is of somebody who is gone; clocks may differ by less. */
const OLD_SECONDS = 600;
const SUBMISSION = /^[0-9a-f]{16}$/;
/** Priority, submission and number: names in their order are tiles in theirs. */
const TILE = /^\d{2}\.[0-9a-f]{16}-\d{1,9}$/;
const LEASE = /^(\d{2}\.[0-9a-f]{16}-\d{1,9})\.(\d{1,6})$/;

/** The folders of a queue. */
function foldersOf({ spool, queue }: SpoolPlace) {
  const root = join(spool, queue);
  return {
    root,
    workers: join(root, "workers"),
    alive: join(root, "alive"),
    line: (kind: string | undefined) => join(root, tilesName(kind)),
    ofSubmission: (folder: string) => ({
      tiles: join(folder, "tiles"),
      leases: join(folder, "leases"),
      answers: join(folder, "answers"),
    }),
  };
}

/** Names in a folder; none where it is gone. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function textOf(file: string): Promise<string | null> {
  try {
    if ((await stat(file)).size > MOST_BYTES)
      throw new UnreadableTile(`a message of more than ${MOST_BYTES} bytes`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof UnreadableTile) throw error;
    return null;
  }
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Writes a file that is complete when it can be seen. Its folder must be there. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Tells the living from the dead by files that the living write again and again. Only the observer's own clock counts, and
 * only how long a text stays the same: clocks of machines need not agree.
 */
function createObserver() {
  const seen = new Map<string, { text: string; since: number }>();
  return {
    /** Seconds for which a text has been the same, as far as was observed. */
    unchanged(name: string, text: string): number {
      const now = performance.now();
      const known = seen.get(name);
      if (known === undefined || known.text !== text) {
        seen.set(name, { text, since: now });
        return 0;
      }
      return (now - known.since) / 1000;
    },
    isNew: (name: string): boolean => !seen.has(name),
    forget: (name: string): void => void seen.delete(name),
  };
}
type Observer = ReturnType<typeof createObserver>;

/** Whether who writes a file lives: it has changed lately, or is seen for the first time and not old. */
async function isBeating(file: string, observer: Observer): Promise<boolean> {
  const text = await textOf(file);
  if (text === null) return false;
  if (observer.isNew(file)) {
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: 0 }));
    if (Date.now() - mtimeMs > 1000 * OLD_SECONDS) return false;
  }
  return observer.unchanged(file, text) < ALIVE_SECONDS;
}

async function makeFolders(place: SpoolPlace): Promise<ReturnType<typeof foldersOf>> {
  const folders = foldersOf(place);
  try {
    for (const folder of [folders.workers, folders.alive]) await mkdir(folder, { recursive: true });
  } catch (cause) {
    const got = (cause as Error).message;
    throw new InvalidOptionError(`spool ${place.spool}`, "a folder that all machines see", got, { cause });
  }
  return folders;
}

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
        const found = workerSchema.safeParse(parsed(await textOf(file).catch(() => null)));
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

type SubmissionFolders = Readonly<Record<"tiles" | "leases" | "answers", string>>;

const answerSchema = z.union([
  z.object({ answer: z.string() }),
  z.object({ failed: z.string().max(100_000) }),
]);

async function openLine(folder: string, own: SubmissionFolders, events: TileEvents): Promise<TileLine> {
  const names = new Map<string, string>();
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
      const text = await textOf(join(own.answers, name)).catch((error: Error) =>
        JSON.stringify({ failed: error.message }),
      );
      const answer = answerSchema.safeParse(parsed(text));
      if (!answer.success) events.done(id, null);
      else if ("answer" in answer.data) events.done(id, answer.data.answer);
      else events.failed(id, answer.data.failed);
      names.delete(id);
      await remove(name);
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

/** Who has a tile. Its file is made by one only; who takes over from the dead makes that of the next generation. */
const leaseSchema = z.object({
  worker: z.string().max(400),
  /** Seconds for which it may stay as it is. */
  seconds: z.number().min(0.1).max(3600),
  beat: z.int(),
  /** Tries that have failed. */
  failures: z.int().min(0),
  state: z.enum(["held", "failed"]),
});
type Lease = z.infer<typeof leaseSchema>;

interface Taken {
  readonly own: SubmissionFolders;
  readonly tile: string;
  readonly lease: string;
  readonly failures: number;
  /** Workers that have had it, this one among them. */
  readonly starts: number;
}

/**
 * Opens a worker's end of a queue in a folder. A tile is taken by a file that only one can make (a lease), which its worker
 * writes again and again; where it stays the same for `lockSeconds`, another worker takes over.
 *
 * @param id - what tells this worker from others.
 * @throws {@link InvalidOptionError} if the folder cannot be made.
 */
export async function openSpoolSource(
  place: SpoolPlace,
  id: string,
  lockSeconds: number,
): Promise<TileSource> {
  const folders = await makeFolders(place);
  const observer = createObserver();
  const presence = join(folders.workers, `${id.replace(/[^\w.-]/g, "_")}.json`);
  const looked = new Map<string, number>();
  const active = new Set<Promise<void>>();
  let isOpen = true;
  let pulling: Promise<void> = Promise.resolve();
  let beat = 0;
  const isAwaited = (submission: string): Promise<boolean> =>
    isBeating(join(folders.alive, submission), observer).catch(() => false);

  /** Whether the newest lease of a tile is void, and the failures so far; null: it is held, or was just looked at. */
  const voidLease = async (file: string): Promise<{ readonly failures: number } | null> => {
    const now = performance.now();
    if (now - (looked.get(file) ?? Number.NEGATIVE_INFINITY) < 100 * lockSeconds) return null;
    looked.set(file, now);
    const text = (await textOf(file).catch(() => "")) ?? "";
    const found = leaseSchema.safeParse(parsed(text));
    const { failures, state, seconds }: Pick<Lease, "failures" | "state" | "seconds"> = found.success
      ? found.data
      : { failures: 0, state: "held", seconds: lockSeconds };
    if (state === "failed") return { failures };
    return observer.unchanged(file, text) > seconds ? { failures } : null;
  };

  const candidates = async (kinds: readonly (string | undefined)[]) => {
    const found: { own: SubmissionFolders; tile: string; generation: number; order: string }[] = [];
    for (const kind of kinds) {
      const line = folders.line(kind);
      for (const submission of await namesIn(line)) {
        if (!SUBMISSION.test(submission) || !(await isAwaited(submission))) continue;
        const own = folders.ofSubmission(join(line, submission));
        const [tiles, leases, answers] = await Promise.all(
          [own.tiles, own.leases, own.answers].map((folder) => namesIn(folder)),
        );
        const answered = new Set(answers);
        const newest = new Map<string, number>();
        for (const lease of leases ?? []) {
          const [, tile = "", generation] = LEASE.exec(lease) ?? [];
          newest.set(tile, Math.max(newest.get(tile) ?? -1, Number(generation)));
        }
        // Submissions whose tiles have one priority take turns by chance.
        const turn = randomBytes(4).toString("hex");
        for (const tile of tiles ?? []) {
          if (!TILE.test(tile) || answered.has(tile)) continue;
          const number = tile.slice(tile.indexOf("-") + 1).padStart(9, "0");
          found.push({
            own,
            tile,
            generation: newest.get(tile) ?? -1,
            order: `${tile.slice(0, 2)}${turn}${number}`,
          });
        }
      }
    }
    return found.sort((a, b) => (a.order < b.order ? -1 : 1));
  };

  const leaseText = (failures: number, state: Lease["state"]): string =>
    JSON.stringify({ worker: id, seconds: lockSeconds, beat: beat++, failures, state } satisfies Lease);

  const take = async (kinds: readonly (string | undefined)[]): Promise<Taken | null> => {
    for (const { own, tile, generation } of await candidates(kinds)) {
      let failures = 0;
      if (generation >= 0) {
        const before = await voidLease(join(own.leases, `${tile}.${generation}`));
        if (before === null) continue;
        failures = before.failures;
      }
      const lease = join(own.leases, `${tile}.${generation + 1}`);
      try {
        await writeFile(lease, leaseText(failures, "held"), { flag: "wx" });
        return { own, tile, lease, failures, starts: generation + 2 };
      } catch {
        // Somebody was faster, or the submission is over.
      }
    }
    return null;
  };

  const rewrite = async (lease: string, text: string): Promise<void> => {
    // What was taken away is not made again.
    const handle = await open(lease, "r+").catch(() => null);
    try {
      await handle?.write(text, 0);
      await handle?.truncate(Buffer.byteLength(text));
    } catch {
      // A full disk: the lease grows old, and another worker has it.
    } finally {
      await handle?.close().catch(() => undefined);
    }
  };

  const answer = async ({ own, tile }: Taken, text: object): Promise<void> => {
    await writeWhole(own.answers, tile, JSON.stringify(text)).catch(() => undefined);
  };

  const work = async (taken: Taken, run: TileWork): Promise<void> => {
    const { own, tile, lease, failures, starts } = taken;
    const timer = setInterval(
      () => void rewrite(lease, leaseText(failures, "held")),
      (1000 * lockSeconds) / 4,
    );
    try {
      const text = await textOf(join(own.tiles, tile));
      if (text === null) {
        // It was answered, or taken back.
        await rm(lease, { force: true }).catch(() => undefined);
        return;
      }
      await answer(taken, { answer: await run(parsed(text), starts) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof UnreadableTile || failures + 1 >= ATTEMPTS)
        await answer(taken, { failed: reason });
      else {
        await sleep(500 * 2 ** failures);
        clearInterval(timer);
        await rewrite(lease, leaseText(failures + 1, "failed"));
      }
    } finally {
      clearInterval(timer);
    }
  };

  /** Removes what those who are long gone have left. */
  const clean = async (kinds: readonly (string | undefined)[]): Promise<void> => {
    for (const folder of [folders.alive, folders.workers]) {
      for (const name of await namesIn(folder)) {
        const file = join(folder, name);
        const text = await textOf(file).catch(() => "");
        if (observer.unchanged(`old ${file}`, text ?? "") < OLD_SECONDS) continue;
        observer.forget(`old ${file}`);
        await rm(file, { force: true }).catch(() => undefined);
      }
    }
    for (const line of kinds.map((kind) => folders.line(kind))) {
      for (const submission of await namesIn(line)) {
        const isOver = (await stat(join(folders.alive, submission)).catch(() => null)) === null;
        const name = `over ${submission}`;
        if (!isOver) observer.forget(name);
        else if (observer.unchanged(name, "") > OLD_SECONDS)
          await rm(join(line, submission), removal()).catch(() => undefined);
      }
    }
  };

  let kindsPulled: readonly (string | undefined)[] = [];
  return {
    isAwaited,
    async sayPresent(own) {
      // Its own beat makes it another text each time.
      await writeWhole(
        folders.workers,
        presence.slice(folders.workers.length + 1),
        JSON.stringify({ ...own, beat: beat++ }),
      );
      await clean(kindsPulled);
    },
    async pull(kinds, most, run) {
      kindsPulled = kinds;
      const loop = async (): Promise<void> => {
        for (let pause = LEAST_PAUSE; isOpen; ) {
          const taken = active.size < most ? await take(kinds).catch(() => null) : null;
          if (taken !== null) {
            const one: Promise<void> = work(taken, run).finally(() => active.delete(one));
            active.add(one);
            pause = LEAST_PAUSE;
            continue;
          }
          const waits: Promise<unknown>[] = [...active, sleep(active.size < most ? pause : MOST_PAUSE)];
          const before = active.size;
          await Promise.race(waits);
          pause = active.size < before ? LEAST_PAUSE : Math.min(MOST_PAUSE, pause * 1.3);
        }
      };
      pulling = loop();
    },
    async close() {
      isOpen = false;
      await pulling;
      await Promise.allSettled(active);
      await rm(presence, { force: true }).catch(() => undefined);
    },
  };
}

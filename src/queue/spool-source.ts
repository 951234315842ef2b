import { randomBytes } from "node:crypto";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { messageOf } from "../base/errors.js";
import { removal } from "../base/platform.js";
import {
  createObserver,
  isBeating,
  LEASE,
  LEAST_PAUSE,
  MOST_PAUSE,
  makeFolders,
  namesIn,
  OLD_SECONDS,
  type SpoolPlace,
  SUBMISSION,
  type SubmissionFolders,
  TILE,
  textOf,
  writeWhole,
} from "./spool-folder.js";
import { ATTEMPTS, parsedMessage, type TileSource, type TileWork, UnreadableTile } from "./tile-queue.js";

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
    isBeating(join(folders.alive, submission), observer);

  /** Whether the newest lease of a tile is void, and the failures so far; null: it is held, or was just looked at. */
  const voidLease = async (file: string): Promise<{ readonly failures: number } | null> => {
    const now = performance.now();
    if (now - (looked.get(file) ?? Number.NEGATIVE_INFINITY) < 100 * lockSeconds) return null;
    looked.set(file, now);
    const text = (await textOf(file).catch(() => "")) ?? "";
    const found = leaseSchema.safeParse(parsedMessage(text));
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
      await answer(taken, { answer: await run(parsedMessage(text), starts) });
    } catch (error) {
      const reason = messageOf(error);
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

  /** Removes what those who are long gone have left, and forgets them. */
  const clean = async (kinds: readonly (string | undefined)[]): Promise<void> => {
    observer.prune();
    for (const [file, at] of looked) if (performance.now() - at > 1000 * OLD_SECONDS) looked.delete(file);
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

import { z } from "zod";
import { ownPackageVersion } from "../base/package-files.js";
import type { ProgramModule } from "../jobs/task-runner.js";

/** What carries tiles between those who submit and those who work: a Redis server, or a folder. This is a submitter's end. */
export interface TileQueue {
  /** Those who said lately that they are there. */
  workers(): Promise<readonly WorkerFacts[]>;
  /**
   * Opens the line of a submission's tiles.
   *
   * @param kind - kind of machine that may take them. Default any of this version of the package.
   */
  openLine(submission: string, kind: string | undefined, events: TileEvents): Promise<TileLine>;
  /** Says that answers are awaited: to be said again before {@link ALIVE_SECONDS} are over. */
  sayAlive(submission: string): Promise<void>;
  /** Says that nobody waits any more. */
  sayOver(submission: string): Promise<void>;
  close(): void;
}

/** Told of each tile, once or several times, in any order. */
export interface TileEvents {
  done(id: string, answer: unknown): void;
  failed(id: string, reason: string): void;
}

/** Tiles of one submission. */
export interface TileLine {
  /** @param priority - from 0 on: tiles of lower ones are taken first. */
  add(id: string, tile: Tile, priority: number): Promise<void>;
  /** Asks for a tile of which nothing was heard; its outcome comes as an event. false: nobody knows it. */
  look(id: string): Promise<boolean>;
  /** Takes back a tile, unless it is under way. */
  remove(id: string): Promise<void>;
  close(): Promise<void>;
}

/** A worker's end. */
export interface TileSource {
  /** Whether somebody waits for the answers of a submission. */
  isAwaited(submission: string): Promise<boolean>;
  /** Says that a worker is there: to be said again before {@link ALIVE_SECONDS} are over. */
  sayPresent(own: WorkerFacts): Promise<void>;
  /**
   * Pulls tiles until it is closed. A tile whose work throws is tried again, {@link ATTEMPTS} times in all, by whoever takes
   * it, but for an {@link UnreadableTile}.
   *
   * @param kinds - whose tiles are taken; undefined: those that any machine may take.
   * @param most - tiles at a time.
   */
  pull(kinds: readonly (string | undefined)[], most: number, work: TileWork): Promise<void>;
  /** Stops after what is under way. */
  close(): Promise<void>;
}

/** Does a tile, and returns the answer; `starts` says how often a worker has begun it. */
export type TileWork = (data: unknown, starts: number) => Promise<string>;

/** A tile is tried so often where a worker fails as a whole. */
export const ATTEMPTS = 3;

/** What a task should give, in a worker's errors: only who asked knows more. */
export const ANY_VALUE = "a value";

/** A message that is no tile: trying again does not help. */
export class UnreadableTile extends Error {}

/**
 * Name of the tiles of one kind of machine; without one, of those that any machine with this version of the package may
 * take. Other versions never see them.
 */
export function tilesName(kind?: string): string {
  return `tiles-${kind ?? ownPackageVersion()}`;
}

/** Reads a message; null where it is no JSON: it may come from anybody. */
export function parsedMessage(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Seconds after which a submitter or worker that no longer says so counts as gone. */
export const ALIVE_SECONDS = 30;

const contentSchema = z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });

/** Most tasks of one tile. */
export const MOST_TASKS = 10_000;

/** A tile: some tasks of a job set, done together. */
export const tileSchema = z.object({
  /** Submission that waits for it: random, so that two never share anything but content. */
  submission: z.string().regex(/^[0-9a-f]{16}$/),
  /** Content that says what is to be opened: see `jobSetSchema`. */
  jobSet: contentSchema,
  tasks: z.array(z.object({ operation: z.string().max(100), input: z.json() })).max(MOST_TASKS),
});
export type Tile = z.infer<typeof tileSchema>;

/** What a worker opens before the first tile. */
export const jobSetSchema = z.object({
  program: z.string().max(100),
  environment: z.record(
    z.string().regex(/^(TF_NUM_INTRAOP_THREADS|TF_NUM_INTEROP_THREADS|OMP_NUM_THREADS)$/),
    z.string().max(10),
  ),
  order: z.json(),
  /** sha-256 of the module that the order names; null where it names none. */
  module: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  submission: z.string().regex(/^[0-9a-f]{16}$/),
  /** An operation whose output tells machines apart, and that output where it is known; null where there is none. */
  probe: z.object({ operation: z.string().max(100), expected: z.string().max(200).nullable() }).nullable(),
});
export type JobSet = z.infer<typeof jobSetSchema>;

/** What a worker says of itself. */
export const workerSchema = z.object({
  host: z.string().max(300),
  pid: z.int(),
  processes: z.int().min(1).max(4096),
  kind: z.string().max(100),
  /** Version of this package there. */
  version: z.string().max(100),
});
export type WorkerFacts = z.infer<typeof workerSchema>;

/** Path of a file in a folder, with "/" between parts. */
export const parcelPathSchema = z
  .string()
  .max(1000)
  .regex(/^(?!\.{1,2}(?:\/|$))[^/\\:\p{Cc}]+(?:\/(?!\.{1,2}(?:\/|$))[^/\\:\p{Cc}]+)*$/u);

/** A file of a folder that an operation has made. */
const folderFileSchema = contentSchema.extend({ path: parcelPathSchema });
export type FolderFile = z.infer<typeof folderFileSchema>;

/** Texts of other machines are shown: they are cut at a length. */
const shownText = z.string().transform((text) => text.slice(0, 10_000));

const wireErrorSchema = z.object({
  message: shownText,
  stack: shownText.optional(),
  system: z.string().nullable(),
  own: z
    .object({
      code: z.enum([
        "invalid-option",
        "invalid-data",
        "layout",
        "format",
        "run-state",
        "backend",
        "missing-dependency",
        "evaluation",
      ]),
      where: shownText,
      expected: shownText,
      got: shownText,
    })
    .nullable(),
});

/** What a worker answers to a tile. */
export const answerSchema = z.object({
  /** Seconds that the tile took, times the processes that were at it. */
  seconds: z.number().min(0),
  /** How often a worker has begun the tile: more than once where one died at it, was frozen, or failed. */
  starts: z.int().min(1),
  /** Seconds that it waited here for its inputs and for its outputs to be put away. */
  overhead: z.number().min(0),
  host: z.string().max(300),
  kind: z.string().max(100),
  /** Facts of the program, and what its probe gives: only where tasks are none. */
  opened: z.object({ facts: z.json(), probe: z.string().nullable() }).nullable(),
  answers: z.array(
    z.union([
      z.object({ output: z.json(), files: z.array(folderFileSchema).max(100_000).optional() }),
      z.object({ error: wireErrorSchema }),
    ]),
  ),
});
export type TileAnswer = z.infer<typeof answerSchema>;

/** Programs that a worker runs, by name: a job never brings code. */
export const PROGRAMS: Readonly<Record<string, Pick<ProgramModule, "file" | "isFresh">>> = {
  loss: { file: "dist/src/loss/workers/loss-program.js" },
  curvature: { file: "dist/src/curvature/curvature-program.js" },
  jump: { file: "dist/src/training/jump-program.js" },
  sweep: { file: "dist/src/training/sweep-program.js", isFresh: true },
};

/** Workers that are there now. */
export interface Present {
  /** Processes of those that may do the work. */
  readonly processes: number;
  /** Processes of those that may not: of another kind, or another version of this package. */
  readonly others: number;
  /** Versions of theirs, where they are other ones. */
  readonly versions: readonly string[];
}

/** Counts processes of workers that are there. */
export async function countWorkers(queue: TileQueue, kind?: string): Promise<Present> {
  let [processes, others] = [0, 0];
  const versions = new Set<string>();
  for (const worker of await queue.workers()) {
    const isCurrent = worker.version === ownPackageVersion();
    if (!isCurrent) versions.add(worker.version);
    if (isCurrent && (kind === undefined || worker.kind === kind)) processes += worker.processes;
    else others += worker.processes;
  }
  return { processes, others, versions: [...versions].sort() };
}

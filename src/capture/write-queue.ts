import { access } from "node:fs/promises";
import { type SnapshotTarget, writeSnapshotFile } from "../store/run/encode-snapshot.js";
import { manifestPath } from "../store/run/manifest-file.js";
import { type RecordedSnapshot, writeOptimizerState } from "./optimizer-state-file.js";

/** Where snapshots go: a worker thread, or the same thread where there is none. */
export interface SnapshotSink {
  /**
   * Writes one snapshot durably, after those of earlier calls; once one has failed, all later ones fail
   * unwritten, so that the files on disk have no gap. Resolves with an array of θ's length that the caller
   * may fill again. The array given must not be touched any more: it may have moved to another thread.
   */
  write(snapshot: RecordedSnapshot): Promise<Float32Array>;
  /** Frees threads and files. Idempotent. */
  close(): Promise<void>;
}

/**
 * A bounded queue in front of a {@link SnapshotSink}, with a pool of arrays for θ.
 *
 * At most `limit` snapshots wait or are being written; whoever pushes beyond that waits, so that training
 * slows down to the disk's speed instead of filling the memory. The first failure stops the queue, and its
 * error reaches the next `push` or `close`, whichever comes first.
 * Memory: at most limit + 1 arrays of θ.
 */
export class WriteQueue {
  readonly #sink: SnapshotSink;
  readonly #limit: number;
  readonly #length: number;
  readonly #free: Float32Array[] = [];
  #pending = 0;
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown; reported: boolean } | null = null;
  #wake: (() => void)[] = [];

  /**
   * @param limit - Snapshots that may wait or be written at a time, at least 1.
   * @param length - Length of θ.
   */
  constructor(sink: SnapshotSink, limit: number, length: number) {
    this.#sink = sink;
    this.#limit = limit;
    this.#length = length;
  }

  /** Snapshots that wait or are being written. */
  get pending(): number {
    return this.#pending;
  }

  /** Returns an array for θ with undefined contents, from the pool where one is free. */
  acquire(): Float32Array {
    return this.#free.pop() ?? new Float32Array(this.#length);
  }

  /** Gives an array of {@link acquire} back that was not pushed. */
  release(theta: Float32Array): void {
    this.#free.push(theta);
  }

  /**
   * Hands a snapshot over; resolves when there is room for another one.
   *
   * @throws the first error of the sink, once it has happened, at every call.
   */
  async push(snapshot: RecordedSnapshot): Promise<void> {
    this.#throwFailure();
    this.#pending++;
    const written = this.#write(snapshot);
    this.#tail = this.#tail.then(() => written);
    while (this.#pending >= this.#limit && this.#failure === null) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    this.#throwFailure();
  }

  /**
   * Waits until everything pushed is on disk, and closes the sink. Idempotent.
   *
   * @throws the first error of the sink, unless a `push` has thrown it already.
   */
  async close(): Promise<void> {
    await this.#tail;
    await this.#sink.close();
    this.#free.length = 0;
    if (this.#failure !== null && !this.#failure.reported) this.#throwFailure();
  }

  /** Waits until everything pushed so far is on disk. @throws the first error of the sink. */
  async drain(): Promise<void> {
    await this.#tail;
    this.#throwFailure();
  }

  async #write(snapshot: RecordedSnapshot): Promise<void> {
    try {
      this.#free.push(await this.#sink.write(snapshot));
    } catch (error) {
      this.#failure ??= { error, reported: false };
    } finally {
      this.#pending--;
      const waiting = this.#wake;
      this.#wake = [];
      for (const resolve of waiting) resolve();
    }
  }

  #throwFailure(): void {
    if (this.#failure === null) return;
    this.#failure.reported = true;
    throw this.#failure.error;
  }
}

const waiting = new Set<() => Promise<void>>();

/**
 * Has work done when the process is about to end by itself, which then waits for it; an exception nobody
 * catches and `process.exit` do not wait. A rejection is one that nobody handles.
 *
 * @returns a function that calls it off.
 */
export function beforeExit(work: () => Promise<void>): () => void {
  if (waiting.size === 0) process.on("beforeExit", workOff);
  waiting.add(work);
  return () => {
    waiting.delete(work);
    if (waiting.size === 0) process.off("beforeExit", workOff);
  };
}

function workOff(): void {
  // Node asks again once that is done: each is done once.
  const works = [...waiting];
  waiting.clear();
  process.off("beforeExit", workOff);
  for (const work of works) void work();
}

/** Writes one snapshot and resolves when it is safely on disk. */
export type WriteSnapshot = (snapshot: RecordedSnapshot) => Promise<void>;

/**
 * Returns a function that writes snapshots one after another, whenever it is called; after the first
 * failure it writes no more and fails with the same error, so that the files on disk have no gap.
 */
export function writeInOrder(write: WriteSnapshot): WriteSnapshot {
  let tail: Promise<void> = Promise.resolve();
  return (snapshot) => {
    tail = tail.then(() => write(snapshot));
    // Whoever called gets the rejection; the chain itself must not count as unhandled.
    tail.catch(() => undefined);
    return tail;
  };
}

/** Returns a function that writes a run's snapshots in the order of its calls, until one fails. */
export function createSnapshotWriter(target: SnapshotTarget): WriteSnapshot {
  return writeInOrder(async (snapshot) => {
    // A run directory that was deleted must not come back as a folder of snapshots without a manifest.
    await access(manifestPath(target.directory));
    const { optimizerState, ...own } = snapshot;
    // First, so that a snapshot is complete with what belongs to it.
    if (optimizerState !== undefined) await writeOptimizerState(target, own, optimizerState);
    await writeSnapshotFile(target, own);
  });
}

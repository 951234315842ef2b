import { stat } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import mapValues from "lodash/mapValues.js";
import { cleanText } from "../base/clean-text.js";
import { messageOf } from "../base/errors.js";
import { encodeNumber, type JsonNumber } from "../base/json.js";
import { extremes } from "../figure/draw/thinning.js";
import { MOST_DROPS } from "../figure/make/chart-parts.js";
import { isRateLowered, lossChanges } from "../figure/make/run-data.js";
import {
  LIVE_STABILITY_FILE,
  readStability,
  type SnapshotStability,
  type StabilityPath,
} from "../store/kinds/stability-file.js";
import type { SnapshotInfo } from "../store/run/run.js";
import { RunFollower } from "./run-follower.js";
import { RunningGram, type RunningPlane, runningPlane } from "./running-plane.js";

/** What is known of a snapshot, as JSON. */
export interface LivePoint {
  readonly step: number;
  readonly epoch: number;
  readonly iteration: number;
  readonly learningRate: JsonNumber;
  readonly logs: readonly (readonly [name: string, value: JsonNumber])[];
}

/** The stability along the run as JSON: each number of a point under its name. */
export interface LiveStabilityState extends Omit<StabilityPath, "points"> {
  readonly points: readonly (Readonly<Record<Exclude<keyof SnapshotStability, "reasons">, JsonNumber>> &
    Pick<SnapshotStability, "reasons">)[];
}

/** Everything that the live page shows, as JSON: what the server sends. */
export interface LiveState {
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  /** Name of the run: data, never markup. */
  readonly name: string;
  /** "recording" while a process writes the run, else "idle". */
  readonly status: "recording" | "idle";
  /** Epochs that were asked for; null if unknown. */
  readonly epochs: number | null;
  /** Number of snapshots on disk. */
  readonly snapshots: number;
  /** Snapshots in order; of many, those with the lowest and the highest values of each part of the run. */
  readonly points: readonly LivePoint[];
  /** Steps from which on another loss was logged than before. */
  readonly lossChanges: readonly number[];
  /** The path on its plane; null until there are three snapshots. */
  readonly plane: RunningPlane | null;
  /** Every how many snapshots one is on the plane, beside the newest. */
  readonly planeStride: number;
  /** How sharp the loss is for its optimizer, as far as it is measured; null where nobody does. */
  readonly stability: LiveStabilityState | null;
  /** What the reader should know: snapshots left out, files that cannot be read. */
  readonly notes: readonly string[];
}

/** Bytes of weights that are kept in memory; others are read from disk when they are needed. */
const CACHE_BYTES = 128 * 2 ** 20;

/** Returns a reader that keeps the first rows it has read or been given, as far as they fit into `bytes`. */
export function createThetaCache(
  read: (step: number) => Promise<Float32Array>,
  bytes: number = CACHE_BYTES,
): { readonly read: (step: number) => Promise<Float32Array>; keep(step: number, theta: Float32Array): void } {
  const kept = new Map<number, Float32Array>();
  let held = 0;
  return {
    read: async (step) => kept.get(step) ?? (await read(step)),
    keep(step, theta) {
      if (held + theta.byteLength > bytes) return;
      kept.set(step, theta);
      held += theta.byteLength;
    },
  };
}

/** How a run directory is followed. */
export interface LiveFeedOptions {
  /**
   * Share of this thread's time that may be spent while the run is being written, counted from the beginning;
   * default 1, no limit.
   */
  readonly share?: number;
  /** Milliseconds between looks at the directory; default 200. */
  readonly interval?: number;
}

/** Points of the curves at most, but for drops of the learning rate. */
const MOST_POINTS = 2000;
/** Milliseconds of work on the plane before what is known is published. */
const PUBLISH_AFTER = 250;
/** Milliseconds of work that are free: loading and compiling this code takes some before the first picture. */
const FREE_WORK = 1000;

/**
 * Follows a run directory and publishes the states that its live page shows.
 *
 * Curves come with every look; the plane follows at its own pace, snapshot by snapshot: where this thread has
 * been busy for more than its share of the time it waits, as long as the run is being written, so that
 * training beside it keeps its processor.
 */
export class LiveFeed {
  readonly #follower: RunFollower;
  readonly #share: number;
  readonly #interval: number;
  readonly #stop = new AbortController();
  #begun = 0;
  #busyBefore = 0;
  #generation = 0;
  #gram: RunningGram;
  #cache: ReturnType<typeof createThetaCache>;
  #added = 0;
  #leftOut = 0;
  #plane: RunningPlane | null = null;
  #problem: string | null = null;
  readonly #stabilityFile: string;
  #stabilityStamp = "";
  #stability: LiveStabilityState | null = null;
  #stabilityProblem: string | null = null;

  /** @param directory - absolute path of the run. */
  constructor(directory: string, options: LiveFeedOptions = {}) {
    this.#follower = new RunFollower(directory);
    this.#stabilityFile = join(directory, LIVE_STABILITY_FILE);
    this.#share = options.share ?? 1;
    this.#interval = options.interval ?? 200;
    this.#cache = createThetaCache((step) => this.#follower.readTheta(step));
    this.#gram = new RunningGram(this.#cache.read);
  }

  /**
   * Looks once, before there is anybody to tell.
   *
   * @throws {@link RunStateError} if there is no run; {@link FormatError} if a file is damaged.
   */
  async begin(): Promise<void> {
    await this.#follower.look();
    this.#startOver();
    await this.#lookAtStability();
  }

  /**
   * Follows the run until `close`; never throws: what cannot be read becomes a note, and is tried again.
   *
   * @param publish - called with the state now, and with every new one.
   */
  async follow(publish: (state: LiveState) => void): Promise<void> {
    publish(this.#state());
    this.#begun = performance.now();
    this.#busyBefore = performance.eventLoopUtilization().active;
    while (!this.#stop.signal.aborted) {
      const didWork = await this.#workOnce(publish);
      await this.#sleep(didWork ? 0 : this.#interval);
    }
  }

  /** Ends `follow`. */
  close(): void {
    this.#stop.abort();
  }

  /** Returns whether there was something to do. */
  async #workOnce(publish: (state: LiveState) => void): Promise<boolean> {
    try {
      const isNew = await this.#follower.look();
      if (this.#follower.generation !== this.#generation) this.#startOver();
      const isStabilityNew = await this.#lookAtStability();
      const isPlaneNew = await this.#addRows();
      const isMended = this.#problem !== null;
      this.#problem = null;
      if (isNew || isStabilityNew || isPlaneNew || isMended) publish(this.#state());
      return isPlaneNew;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem) {
        this.#problem = problem;
        publish(this.#state());
      }
      return false;
    }
  }

  /**
   * Reads the stability where training has measured it; returns whether there is something new. One that is older than
   * the run is of a run that was replaced. One that cannot be read is a note: the rest of the page goes on.
   */
  async #lookAtStability(): Promise<boolean> {
    const facts = await stat(this.#stabilityFile).catch(() => null);
    const begun = Date.parse(this.#follower.manifest?.createdAt ?? "");
    const isOwn = facts !== null && !(facts.mtimeMs < begun);
    const stamp = isOwn ? `${facts.ino}-${facts.mtimeMs}-${facts.size}` : "";
    if (stamp === this.#stabilityStamp) return false;
    this.#stabilityStamp = stamp;
    this.#stability = null;
    this.#stabilityProblem = null;
    try {
      const found = isOwn ? await readStability(this.#stabilityFile) : null;
      this.#stability = found === null ? null : asState(found);
    } catch (error) {
      this.#stabilityProblem = messageOf(error);
    }
    return true;
  }

  /** Takes up snapshots that are not on the plane yet, for a moment; returns whether there was one. */
  async #addRows(): Promise<boolean> {
    const { snapshots } = this.#follower;
    const start = performance.now();
    if (this.#added >= snapshots.length || !this.#mayWork()) return false;
    while (this.#added < snapshots.length && !this.#stop.signal.aborted) {
      const step = this.#added;
      const theta = await this.#follower.readTheta(step);
      if (await this.#gram.add(step, theta)) this.#cache.keep(step, theta);
      else this.#leftOut++;
      this.#added++;
      if (performance.now() - start > PUBLISH_AFTER || !this.#mayWork()) break;
    }
    this.#plane = runningPlane(this.#gram.rows, this.#plane);
    return true;
  }

  #mayWork(): boolean {
    if (this.#share >= 1 || !this.#follower.isInUse) return true;
    const busy = performance.eventLoopUtilization().active - this.#busyBefore;
    return busy <= FREE_WORK + this.#share * (performance.now() - this.#begun);
  }

  #startOver(): void {
    this.#generation = this.#follower.generation;
    this.#cache = createThetaCache((step) => this.#follower.readTheta(step));
    this.#gram = new RunningGram(this.#cache.read);
    this.#added = 0;
    this.#leftOut = 0;
    this.#plane = null;
  }

  #state(): LiveState {
    const { manifest, snapshots, isInUse } = this.#follower;
    const { epochs } = manifest?.resumes?.at(-1)?.fit ?? manifest?.fit ?? {};
    return {
      version: 1,
      name: cleanText(manifest?.name ?? ""),
      status: isInUse ? "recording" : "idle",
      epochs: typeof epochs === "number" ? epochs : null,
      snapshots: snapshots.length,
      points: thinned(snapshots, new Set(this.#stability?.points.map(({ step }) => Number(step)))).map(
        toPoint,
      ),
      lossChanges: manifest === null ? [] : lossChanges({ manifest }),
      plane: this.#plane,
      planeStride: this.#gram.stride,
      stability: this.#stability,
      notes: this.#notes(),
    };
  }

  #notes(): string[] {
    const count = this.#leftOut;
    const left = count === 1 ? "1 snapshot is" : `${count} snapshots are`;
    return [
      ...(count > 0 ? [`${left} not on the plane: weights that are not finite.`] : []),
      ...[this.#stabilityProblem, this.#problem].flatMap((one) => (one === null ? [] : [cleanText(one)])),
    ];
  }

  async #sleep(ms: number): Promise<void> {
    try {
      // Not a reason for the process to stay: a server is, where one is wanted.
      await sleep(ms, undefined, { signal: this.#stop.signal, ref: false });
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }
}

function asState({ points, ...facts }: StabilityPath): LiveStabilityState {
  return {
    ...facts,
    name: cleanText(facts.name),
    points: points.map(({ reasons, ...numbers }) => ({ ...mapValues(numbers, encodeNumber), reasons })),
  };
}

/**
 * The snapshots with the lowest and the highest of each logged value in each part of the run, the first and the last;
 * also those at which the rate was lowered, unless it falls all the time, and those of the steps that are measured.
 */
export function thinned(
  snapshots: readonly SnapshotInfo[],
  measured: ReadonlySet<number> = new Set(),
): readonly SnapshotInfo[] {
  if (snapshots.length <= MOST_POINTS) return snapshots;
  const names = [
    ...new Set([
      ...(snapshots[0] ? Object.keys(snapshots[0].logs) : []),
      ...Object.keys(snapshots.at(-1)?.logs ?? {}),
    ]),
  ];
  const lists = names.map((name) => (i: number) => snapshots[i]?.logs[name] ?? Number.NaN);
  // A value that is not there is a gap: three points a part and name.
  const parts = Math.max(1, Math.floor(MOST_POINTS / (3 * Math.max(1, names.length))));
  const partOf = (i: number): number => Math.floor((i * parts) / snapshots.length);
  const shown = new Set(extremes(snapshots.length, partOf, lists.length > 0 ? lists : [(i) => i]));
  const drops = snapshots.flatMap((one, i) => (isRateLowered(one, snapshots[i - 1]) ? [i, i - 1] : []));
  const kept = new Set(drops.length > 2 * MOST_DROPS ? [] : drops);
  return snapshots.filter(({ step }, i) => shown.has(i) || kept.has(i) || measured.has(step));
}

function toPoint({ step, epoch, iteration, learningRate, logs }: SnapshotInfo): LivePoint {
  return {
    step,
    epoch,
    iteration,
    learningRate: encodeNumber(learningRate),
    logs: Object.entries(logs).map(([name, value]) => [cleanText(name), encodeNumber(value)] as const),
  };
}

import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import type { EngineInfo } from "../model/loss-evaluator.js";
import type { EvaluatedPoint } from "../surface/evaluated-point.js";
import type { Artifact } from "./artifact.js";
import { column, float64Column, parseDetails, readArtifact, writeArtifact } from "./artifact-file.js";
import { isLeftover } from "./atomic-file.js";
import { isStale, type Provenance } from "./provenance.js";
import { metricColumn } from "./surface-file.js";

/** A tile is written when this many points wait, or this many seconds have passed. */
const TILE_POINTS = 4096;
const TILE_SECONDS = 1;
/** Tiles of long work are that share of it, so that they stay few: a hundred for each ten-fold of time or so. */
const TILE_SHARE = 0.01;

const engineSchema = z.object({
  name: z.string(),
  backend: z.string(),
  batchSize: z.number(),
  threads: z.number(),
});
const detailsSchema = z.object({ engine: engineSchema, metrics: z.array(z.string()) });

/** What an interrupted evaluation has left: points, and what they were computed with. */
export interface InterruptedSurface {
  readonly provenance: Provenance;
  readonly engine: EngineInfo;
  readonly points: readonly EvaluatedPoint[];
}

/** Takes points of a surface and puts them on the disk, tile by tile. */
export interface SurfaceJournal {
  add(point: EvaluatedPoint): Promise<void>;
  /** Writes what has not been written. */
  flush(): Promise<void>;
}

/** The folder of tiles of a surface that is not complete: beside its file, with a dot. */
function folderOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.tiles`);
}

/**
 * Reads what an interrupted evaluation of a surface has left.
 *
 * @param file - where the surface itself would be.
 * @returns null if there is nothing.
 * @throws `FormatError` if a tile is damaged.
 */
export async function readInterruptedSurface(file: string): Promise<InterruptedSurface | null> {
  const folder = folderOf(file);
  const tiles: Artifact[] = [];
  for (const name of (await namesIn(folder)).filter((name) => !isLeftover(name)).sort()) {
    const artifact = await readArtifact(join(folder, name));
    if (artifact !== null) tiles.push(artifact);
  }
  const last = tiles.at(-1);
  if (last === undefined) return null;
  const engine = engineOf(folder, last);
  const { provenance } = last;
  // Of another computation only where two processes were at it together.
  const own = tiles.filter(
    (tile) => !isStale(tile.provenance, provenance) && isEqual(engine, engineOf(folder, tile)),
  );
  return { provenance, engine, points: own.flatMap((tile) => pointsOf(folder, tile)) };
}

function engineOf(folder: string, tile: Artifact): EngineInfo {
  return parseDetails(folder, tile, detailsSchema).engine;
}

/** Forgets what an interrupted evaluation has left. */
export async function removeInterruptedSurface(file: string): Promise<void> {
  await rm(folderOf(file), { recursive: true, force: true });
}

/**
 * Opens the journal of a surface: points that it has taken are on the disk after a second or a hundredth of
 * the time so far, in tiles that are complete or not there, also after kill -9.
 */
export async function openSurfaceJournal(
  file: string,
  provenance: Provenance,
  engine: EngineInfo,
  metricNames: readonly string[],
): Promise<SurfaceJournal> {
  const folder = folderOf(file);
  let next = nextNumber(await namesIn(folder));
  const begin = performance.now();
  let written = begin;
  let waiting: EvaluatedPoint[] = [];
  let writing: Promise<void> = Promise.resolve();

  const writeWaiting = async (): Promise<void> => {
    const points = waiting;
    if (points.length === 0) return;
    waiting = [];
    const name = `${String(next++).padStart(6, "0")}.arrow`;
    try {
      await writeArtifact(join(folder, name), tileOf(points, provenance, engine, metricNames));
    } catch (error) {
      // They wait for the next tile, which may succeed.
      waiting = [...points, ...waiting];
      throw error;
    }
  };
  const writeTile = (): Promise<void> => {
    written = performance.now();
    writing = writing.catch(() => undefined).then(writeWaiting);
    return writing;
  };
  return {
    async add(point) {
      waiting.push(point);
      const now = performance.now();
      const wait = Math.max(TILE_SECONDS * 1000, TILE_SHARE * (now - begin));
      if (waiting.length >= TILE_POINTS || now - written >= wait) await writeTile();
    },
    flush: writeTile,
  };
}

function nextNumber(names: readonly string[]): number {
  const numbers = names.map((name) => Number.parseInt(name, 10)).filter(Number.isInteger);
  return Math.max(-1, ...numbers) + 1;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

function tileOf(
  points: readonly EvaluatedPoint[],
  provenance: Provenance,
  { name, backend, batchSize, threads }: EngineInfo,
  metricNames: readonly string[],
): Artifact {
  const numbers = (of: (point: EvaluatedPoint) => number | null | undefined) => ({
    values: Float64Array.from(points, (point) => of(point) ?? Number.NaN),
  });
  const metrics = metricNames.map((metric) => [
    metricColumn(metric),
    numbers(({ value }) => value.metrics[metric]),
  ]);
  return {
    columns: {
      index: { values: Int32Array.from(points, ({ index }) => index) },
      loss: numbers(({ value }) => value.loss),
      "metric:clippedShare": numbers(({ value }) => value.clippedShare),
      "metric:cappedShare": numbers(({ value }) => value.cappedShare),
      // 0: the evaluator does not give a capped share at all.
      "metric:hasCapped": numbers(({ value }) => (value.cappedShare === undefined ? 0 : 1)),
      "metric:undefined": { values: points.map((point) => JSON.stringify(point.undefinedWeights)) },
      ...Object.fromEntries(metrics),
    },
    details: { engine: { name, backend, batchSize, threads }, metrics: metricNames },
    provenance,
  };
}

function pointsOf(file: string, tile: Artifact): EvaluatedPoint[] {
  const { metrics } = parseDetails(file, tile, detailsSchema);
  const numbers = (name: string) => float64Column(file, tile, name);
  const indices = column(file, tile, "index").values as Int32Array;
  const weights = column(file, tile, "metric:undefined").values as readonly string[];
  const [loss, clipped, capped] = ["loss", "metric:clippedShare", "metric:cappedShare"].map(numbers);
  const hasCapped = numbers("metric:hasCapped");
  const values = metrics.map((name) => [name, numbers(metricColumn(name))] as const);
  const shareAt = (shares: Float64Array | undefined, row: number): number | null => {
    const share = shares?.[row] ?? Number.NaN;
    return Number.isNaN(share) ? null : share;
  };
  return Array.from(indices, (index, row) => ({
    index,
    value: {
      loss: loss?.[row] ?? Number.NaN,
      metrics: Object.fromEntries(values.map(([name, column]) => [name, column[row] as number])),
      clippedShare: shareAt(clipped, row),
      ...(hasCapped[row] === 1 ? { cappedShare: shareAt(capped, row) } : {}),
    },
    undefinedWeights: JSON.parse(weights[row] ?? "[]") as string[],
  }));
}

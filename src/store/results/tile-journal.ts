import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import { FormatError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { removal } from "../../base/platform.js";
import { isStale, type Provenance } from "../../base/provenance.js";
import { isLeftover } from "../arrow/atomic-file.js";
import { namesInFolder } from "../arrow/regular-file.js";
import { type Artifact, type ArtifactColumn, parseDetails, readArtifact, writeArtifact } from "./artifact.js";

/** A tile is written when this many points wait, or this many seconds have passed. */
const TILE_POINTS = 4096;
const TILE_SECONDS = 1;
/** Tiles of long work are that share of it, so that they stay few: a hundred for each ten-fold of time or so. */
const TILE_SHARE = 0.01;

/** What computed values, as it is stored. */
export const engineSchema = z.object({
  name: z.string(),
  backend: z.string(),
  batchSize: z.number(),
  threads: z.number(),
  device: z.string().exactOptional(),
  deviceTolerance: z.number().exactOptional(),
});
const detailsSchema = z.object({ engines: z.array(engineSchema).min(1), metrics: z.array(z.string()) });

/** How points of one kind lie in the columns of a tile. */
export interface TileCodec<T> {
  columnsOf(points: readonly T[], metrics: readonly string[]): Record<string, ArtifactColumn>;
  pointsOf(file: string, tile: Artifact, metrics: readonly string[]): T[];
}

/** What computes values: the same gives the same bits. */
export type EngineFacts = Readonly<z.infer<typeof engineSchema>>;

/** An engine as results store it; its device only where there is one to name. */
export function storedEngine({ name, backend, batchSize, threads, device, deviceTolerance }: EngineFacts) {
  return {
    ...{ name, backend, batchSize, threads },
    ...defined({ device, deviceTolerance }),
  };
}

/** What a computation is known by while it is not complete. */
export interface JournalFacts {
  readonly provenance: Provenance;
  /** What computes the values: one for each evaluation set. */
  readonly engines: readonly EngineFacts[];
}

/** What an interrupted computation has left. */
export interface InterruptedWork<T> extends JournalFacts {
  readonly points: readonly T[];
}

/** Takes points of a result and puts them on the disk, tile by tile. */
export interface TileJournal<T> {
  add(point: T): Promise<void>;
  /** Writes what has not been written. */
  flush(): Promise<void>;
}

/** The folder of tiles of a result that is not complete: beside its file, with a dot. */
function folderOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.tiles`);
}

/**
 * Reads what an interrupted computation has left.
 *
 * @param file - where the result itself would be.
 * @returns null if there is nothing.
 * @throws `FormatError` if a tile is damaged.
 */
export async function readInterrupted<T>(
  file: string,
  codec: TileCodec<T>,
): Promise<InterruptedWork<T> | null> {
  const tiles: Artifact[] = [];
  for (const name of await tilesIn(folderOf(file))) {
    const artifact = await readTile(join(folderOf(file), name));
    if (artifact !== null) tiles.push(artifact);
  }
  const last = tiles.at(-1);
  if (last === undefined) return null;
  const facts = factsOf(file, last);
  // Of another computation only where two processes were at it together.
  const own = tiles.filter((tile) => {
    const { provenance, engines } = factsOf(file, tile);
    return !isStale(provenance, facts.provenance) && isEqual(engines, facts.engines);
  });
  const pointsOf = (tile: Artifact) => codec.pointsOf(folderOf(file), tile, detailsOf(file, tile).metrics);
  return { ...facts, points: own.flatMap(pointsOf) };
}

/** Reads what an interrupted computation is known by, and not its points; null if there is none. */
export async function readInterruptedFacts(file: string): Promise<JournalFacts | null> {
  const name = (await tilesIn(folderOf(file))).at(-1);
  const tile = name === undefined ? null : await readTile(join(folderOf(file), name));
  return tile === null ? null : factsOf(file, tile);
}

async function readTile(file: string): Promise<Artifact | null> {
  try {
    return await readArtifact(file);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const hint =
      "start anew without the points of the interrupted work: --no-resume, in a program resume: false";
    throw new FormatError(error.where, error.expected, error.got, { cause: error, hint });
  }
}

/** Names of the files in a folder whose results were interrupted. */
export async function interruptedIn(folder: string): Promise<string[]> {
  return (await namesInFolder(folder))
    .flatMap((name) => /^\.(.+\.arrow)\.tiles$/.exec(name)?.[1] ?? [])
    .sort();
}

/** Forgets what an interrupted computation has left. */
export async function removeInterrupted(file: string): Promise<void> {
  await rm(folderOf(file), removal());
}

/**
 * Opens the journal of a result: points that it has taken are on the disk after a second or a hundredth of
 * the time so far, in tiles that are complete or not there, also after kill -9.
 */
export async function openTileJournal<T>(
  file: string,
  { provenance, engines }: JournalFacts,
  metrics: readonly string[],
  codec: TileCodec<T>,
): Promise<TileJournal<T>> {
  const folder = folderOf(file);
  const details = {
    engines: engines.map(storedEngine),
    metrics,
  };
  let next = nextNumber(await namesInFolder(folder));
  const begin = performance.now();
  let written = begin;
  let waiting: T[] = [];
  let writing: Promise<void> = Promise.resolve();

  const writeWaiting = async (): Promise<void> => {
    const points = waiting;
    if (points.length === 0) return;
    waiting = [];
    const name = `${String(next++).padStart(6, "0")}.arrow`;
    try {
      const columns = codec.columnsOf(points, metrics);
      await writeArtifact(join(folder, name), { columns, details, provenance });
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

function detailsOf(file: string, tile: Artifact): z.infer<typeof detailsSchema> {
  return parseDetails(folderOf(file), tile, detailsSchema);
}

function factsOf(file: string, tile: Artifact): JournalFacts {
  return { provenance: tile.provenance, engines: detailsOf(file, tile).engines };
}

function nextNumber(names: readonly string[]): number {
  const numbers = names.map((name) => Number.parseInt(name, 10)).filter(Number.isInteger);
  return Math.max(-1, ...numbers) + 1;
}

async function tilesIn(folder: string): Promise<string[]> {
  return (await namesInFolder(folder)).filter((name) => !isLeftover(name)).sort();
}

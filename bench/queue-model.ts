import FlatQueue from "flatqueue";

/** What a queue costs, as `npm run bench -- queue` measures it. Seconds of a processor, unless it says otherwise. */
export interface QueueCosts {
  /** Of the server, for each tile. */
  readonly serverTile: number;
  /** Of the server, for each second of each worker that is there: locks, heartbeats, looking for work. */
  readonly serverWorkerSecond: number;
  /** Of the submitter, for each tile and each point in it: sending, receiving, storing. */
  readonly submitterTile: number;
  readonly submitterPoint: number;
  /** Seconds in which a worker does not evaluate, for each tile. */
  readonly workerTile: number;
  /** Seconds from the start to the first point: model, data and engine. */
  readonly open: number;
  /** Bytes that each worker fetches from the store: model, directions, data. */
  readonly contentBytes: number;
}

/** Work for a queue, and where it is done. */
export interface QueueWork {
  readonly workers: number;
  readonly points: number;
  /** Seconds of one point in one process. */
  readonly pointSeconds: number;
  /** Seconds of work in one tile. */
  readonly tileSeconds: number;
  /** Bytes per second that the store gives, all workers together. */
  readonly storeBytesPerSecond: number;
}

/** What {@link simulateQueue} predicts. */
export interface QueuePrediction {
  /** From the start of the workers to the last value. */
  readonly seconds: number;
  readonly tiles: number;
  /** One worker without a queue, divided by this: `workers` would be perfect. */
  readonly speedup: number;
  /** Shares of the time in which each of them works: 1 is all that it can. */
  readonly load: { readonly server: number; readonly submitter: number; readonly store: number };
  /** What holds up the work most. */
  readonly limit: "workers" | "server" | "submitter" | "store";
}

/** Tiles that the submitter keeps in the queue for each process: see `src/queue/queue-session.ts`. */
const TILES_AHEAD = 2;
const MOST_TASKS = 1000;

/**
 * Predicts how long a surface takes on many workers of one process each, and what of it is the limit.
 *
 * A simulation of events: the submitter and the server serve one tile after another, each worker evaluates one tile after
 * another, and the submitter sends another tile for each that comes back. Workers are alike, and none dies. The server's
 * work for workers that are only there takes its share of the server's time.
 *
 * @param costs - as measured; a server on another machine adds its round trip to `workerTile`.
 * @example const { seconds, limit } = simulateQueue(costs, { workers: 100, points: 10_201, pointSeconds: 1, ...rest });
 */
export function simulateQueue(costs: QueueCosts, work: QueueWork): QueuePrediction {
  const { workers, points, pointSeconds, tileSeconds, storeBytesPerSecond } = work;
  const mostInTile = Math.max(1, Math.min(MOST_TASKS, Math.floor(tileSeconds / pointSeconds)));
  const perSlot = Math.ceil(points / (workers * TILES_AHEAD));
  const size = Math.max(1, Math.min(mostInTile, perSlot));
  const tiles = Math.ceil(points / size);
  const used = Math.min(workers, tiles);
  // What goes into being there is gone for tiles.
  const free = 1 - workers * costs.serverWorkerSecond;
  // A server that is busy with workers that wait never comes to the tiles.
  if (free <= 0) {
    const load = { server: 1, submitter: 0, store: 0 };
    return { seconds: Number.POSITIVE_INFINITY, tiles, speedup: 0, load, limit: "server" };
  }
  const serverTile = costs.serverTile / free;
  const fetched = (workers * costs.contentBytes) / storeBytesPerSecond;

  let [submitterFree, serverFree, last, next] = [0, 0, 0, 0];
  let [submitterBusy, serverBusy] = [0, 0];
  const pointsOf = (tile: number): number => Math.min(size, points - tile * size);
  const submitterTime = (tile: number): number => costs.submitterTile + pointsOf(tile) * costs.submitterPoint;
  /** When tiles can be taken. Half of the submitter's costs are for sending; the server's count when a tile is done. */
  const sent: number[] = [];
  const send = (from: number): void => {
    if (next >= tiles) return;
    const time = submitterTime(next++) / 2;
    submitterFree = Math.max(submitterFree, from) + time;
    submitterBusy += time;
    sent.push(submitterFree);
  };
  while (next < Math.min(tiles, workers * TILES_AHEAD)) send(0);
  // Workers have fetched what they need one after another, as the store gives it.
  const ready = new FlatQueue<null>();
  for (let i = 0; i < used; i++) ready.push(null, (fetched * (i + 1)) / workers + costs.open);
  const running = new FlatQueue<null>();
  for (let [taken, done] = [0, 0]; done < tiles; ) {
    const worker = ready.peekValue() ?? Number.POSITIVE_INFINITY;
    const end = running.peekValue() ?? Number.POSITIVE_INFINITY;
    if (taken < sent.length && worker <= end) {
      const begin = Math.max(worker, sent[taken] as number);
      ready.pop();
      running.push(null, begin + costs.workerTile + pointsOf(taken++) * pointSeconds);
      continue;
    }
    running.pop();
    serverFree = Math.max(serverFree, end) + serverTile;
    serverBusy += serverTile;
    submitterFree = Math.max(submitterFree, serverFree) + submitterTime(done) / 2;
    submitterBusy += submitterTime(done++) / 2;
    last = submitterFree;
    ready.push(null, end);
    send(submitterFree);
  }
  const load = {
    server: Math.min(1, serverBusy / last + workers * costs.serverWorkerSecond),
    submitter: submitterBusy / last,
    store: Math.min(1, fetched / last),
  };
  return {
    seconds: last,
    tiles,
    speedup: (points * pointSeconds) / last,
    load,
    limit: limitOf(load),
  };
}

function limitOf(load: QueuePrediction["load"]): QueuePrediction["limit"] {
  const [name, share] = Object.entries(load).sort(([, a], [, b]) => b - a)[0] as [keyof typeof load, number];
  return share > 0.5 ? name : "workers";
}

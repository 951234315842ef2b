import { join } from "node:path";
import { InvalidOptionError } from "../base/errors.js";
import type { ContentStore } from "./content-store.js";
import { openStore } from "./object-store.js";
import { checkRedisUrl } from "./queue-connection.js";
import { openRedisQueue, openRedisSource } from "./redis-queue.js";
import { openSpoolQueue } from "./spool-queue.js";
import { openSpoolSource } from "./spool-source.js";
import type { TileQueue, TileSource } from "./tile-queue.js";

/** Where submitters and workers meet: on a server, or in a folder. One of `redis` and `spool` is needed. */
export interface QueuePlaceOptions {
  /** Address of a Redis or Valkey server: `redis://[user:password@]host[:port]`, or `rediss://` with TLS. */
  readonly redis?: string | undefined;
  /** Folder that all machines see, in place of a server: workers take tiles by leases, files that only one can make. */
  readonly spool?: string | undefined;
  /**
   * Folder that this machine and all workers see, or objects on an S3-compatible server: `s3://bucket/folder`, with keys from
   * the environment. Model, weights, directions and data travel through it. Needed with `redis`; default with `spool` the
   * folder `store` in it.
   */
  readonly store?: string | undefined;
  /**
   * Name of the queue: those who share a server or a folder keep apart by it, and workers have the same. All keys on the server
   * begin with it. Default "tfjs-landscape".
   */
  readonly queue?: string | undefined;
}

/** Both ends of a queue, not yet opened. */
interface QueuePlace {
  openStore(): Promise<ContentStore>;
  openQueue(): Promise<TileQueue>;
  /** @param lockSeconds - default 10 on a server, 30 in a folder. */
  openSource(id: string, lockSeconds: number | undefined): Promise<TileSource>;
}

const DEFAULT_QUEUE = "tfjs-landscape";
/** Seconds after which a tile of a silent worker goes to another one. */
const LOCK_SECONDS = { server: 10, folder: 30 } as const;

/** Checks the name of a queue, and returns it: letters, digits, ".", "_" and "-", at most 64; none that is a folder's "..". */
function checkedQueue(name: string = DEFAULT_QUEUE): string {
  if (/^(?!\.+$)[\w.-]{1,64}$/.test(name)) return name;
  throw new InvalidOptionError("queue", 'a name of letters, digits, ".", "_" and "-"', JSON.stringify(name));
}

/**
 * Checks where a queue is to be.
 *
 * @throws {@link InvalidOptionError} for what cannot be used; the text of an address is not repeated.
 */
export function queuePlace({ redis, spool, store, queue: name }: QueuePlaceOptions): QueuePlace {
  if ((redis === undefined) === (spool === undefined)) {
    const got = redis === undefined ? "none" : "both";
    throw new InvalidOptionError("queue", "one of redis (a server) and spool (a folder)", got);
  }
  if (redis !== undefined) checkRedisUrl(redis);
  if (spool === "") throw new InvalidOptionError("spool", "a folder that all machines see", '""');
  const queue = checkedQueue(name);
  const place = store ?? (spool === undefined ? undefined : join(spool, "store"));
  if (place === undefined || place === "")
    throw new InvalidOptionError("store", "a folder that all machines see, or s3://bucket/folder", "none");
  if (spool !== undefined && queue === "store")
    throw new InvalidOptionError("queue", "another name than that of the store", '"store"');
  return {
    openStore: () => openStore(place),
    openQueue: () =>
      spool === undefined
        ? openRedisQueue({ redis: redis as string, queue })
        : openSpoolQueue({ spool, queue }),
    openSource: (id, lockSeconds) =>
      spool === undefined
        ? openRedisSource({ redis: redis as string, queue }, id, lockSeconds ?? LOCK_SECONDS.server)
        : openSpoolSource({ spool, queue }, id, lockSeconds ?? LOCK_SECONDS.folder),
  };
}

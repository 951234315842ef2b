import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { tilesName } from "../../src/queue/tile-queue.js";
import { readArtifact } from "../../src/store/results/artifact.js";
import {
  HAS_REDIS,
  NEEDS_REDIS,
  startRedis,
  startWorker,
  type WorkerProcess,
} from "../queue/redis-server.js";
import { bitsOf } from "../store/sample-run.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { CASES, filesIn, randomOf, report, SEEDED } from "./commands.js";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const MODULE = here("paced-data.mjs");
const TIMEOUT = { timeout: 300_000 + CASES * 120_000 };
const SIZE = 21;
/** Surfaces that are disturbed: one in CI. */
const ROUNDS = CASES > 3 ? CASES : 1;

const newFolder = temporaryFolders();
const submitters = new Set<ChildProcess>();
afterAll(() => {
  for (const one of submitters) one.kill("SIGKILL");
});

/** How a submitter ended: what it printed last, and said. */
interface Ending {
  readonly status: number | null;
  readonly last: string;
  readonly stderr: string;
}

/** Where tiles and answers travel: a server and a folder for content, or a folder for both. */
type Place = { readonly redis: string; readonly store: string } | { readonly spool: string };

/** Starts test/faults/queue-surface.mjs; `onPoints` is told how many points are known. */
async function submit(
  folder: string,
  size: number,
  where: Place | null,
  env: Record<string, string>,
  onPoints: (points: number, child: ChildProcess) => void = () => undefined,
): Promise<Ending> {
  const program = here("queue-surface.mjs");
  const child = spawn(process.execPath, [program, folder, String(size), JSON.stringify(where)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  submitters.add(child);
  let [last, stderr] = ["", ""];
  child.stderr.on("data", (part: Buffer) => {
    stderr += part;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
    if (/^\d+$/.test(line)) onPoints(Number(line), child);
  });
  const [status] = (await once(child, "close")) as [number | null];
  submitters.delete(child);
  return { status, last, stderr };
}

/** Every number of the surface in a folder, as bits. */
async function surfaceOf(folder: string): Promise<Record<string, string>> {
  const surfaces = join(folder, "results", "surfaces");
  const [name, ...others] = readdirSync(surfaces).filter((file) => file.endsWith(".arrow"));
  expect(others).toEqual([]);
  const columns = (await readArtifact(join(surfaces, name as string)))?.columns ?? {};
  return Object.fromEntries(
    Object.entries(columns).flatMap(([key, { values }]) =>
      ArrayBuffer.isView(values) ? [[key, bitsOf(values as Float64Array)]] : [],
    ),
  );
}

/** How often each point of the parameter space was evaluated. */
function evaluationsIn(file: string): Map<string, number> {
  const times = new Map<string, number>();
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  for (const line of lines) times.set(line, (times.get(line) ?? 0) + 1);
  return times;
}

describe("a surface over three workers", () => {
  let run: string;
  /** What a process of this machine gives, and how often the loss is called for a point. */
  let expected: { surface: Record<string, string>; points: readonly string[]; calls: number };
  const workers: WorkerProcess[] = [];

  const folderWithRun = (): string => {
    const folder = newFolder();
    cpSync(run, join(folder, "run"), { recursive: true });
    return folder;
  };

  beforeAll(async () => {
    run = join(newFolder(), "run");
    const training = spawn(process.execPath, [here("train.mjs"), run, "4"], { stdio: "ignore" });
    expect(await once(training, "exit")).toEqual([0, null]);
    const folder = folderWithRun();
    const calls = join(folder, "calls");
    const { status, stderr } = await submit(folder, SIZE, null, { LANDSCAPE_CALLS: calls });
    expect(status, stderr).toBe(0);
    const times = evaluationsIn(calls);
    expect(times.size).toBe(SIZE * SIZE);
    const [each = 0] = times.values();
    expect(new Set(times.values())).toEqual(new Set([each]));
    expected = { surface: await surfaceOf(folder), points: [...times.keys()], calls: each };
    expect(Object.keys(expected.surface).length).toBeGreaterThan(0);
  }, 300_000);
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.kill();
  });

  const KILLS = `${ROUNDS} times, ${SEEDED}`;
  const kill = async (carrier: "redis" | "spool"): Promise<void> => {
    const random = randomOf(carrier === "redis" ? "kill over a queue" : "kill over a folder");
    const redis = carrier === "redis" ? await startRedis() : null;
    const store = newFolder();
    const place: Place = redis === null ? { spool: store } : { redis: redis.url, store };
    const options: Record<string, string> = redis === null ? { spool: store } : {};
    let most = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const folder = folderWithRun();
      const calls = join(folder, "calls");
      const env = { LANDSCAPE_CALLS: calls, LANDSCAPE_PACE: "8" };
      const start = async () =>
        workers.push(
          await startWorker(redis?.url ?? "", redis === null ? "" : store, { module: MODULE, env, options }),
        );
      while (workers.length < 3) await start();
      const kills = ["worker", "submitter", redis === null ? "worker" : "redis", "worker"].sort(
        () => random() - 0.5,
      );
      const moments = kills
        .map(() => Math.floor(SIZE * SIZE * (0.05 + 0.75 * random())))
        .sort((a, b) => a - b);
      const acts: Promise<unknown>[] = [];
      const act = (what: string, submitter: ChildProcess): void => {
        if (what === "submitter") submitter.kill("SIGKILL");
        else if (what === "redis") acts.push(redis?.kill().then(() => redis.start()) ?? Promise.resolve());
        else {
          const at = Math.floor(workers.length * random());
          acts.push(...workers.splice(at, 1).map((worker) => worker.kill().then(start)));
        }
      };
      let killed: Ending | null = null;
      let end: Ending;
      do {
        end = await submit(folder, SIZE, place, env, (points, child) => {
          while (points >= (moments[0] ?? Number.POSITIVE_INFINITY)) {
            moments.shift();
            act(kills.shift() as string, child);
          }
        });
        killed ??= end.status === null ? end : null;
      } while (end.status === null);
      await Promise.all(acts);
      expect(end.status, end.stderr).toBe(0);
      expect(killed).not.toBeNull();
      expect(kills).toEqual([]);
      expect(await surfaceOf(folder)).toEqual(expected.surface);
      const times = evaluationsIn(calls);
      expect(expected.points.filter((point) => !times.has(point))).toEqual([]);
      const twice = expected.points.reduce(
        (sum, point) => sum + (times.get(point) as number) / expected.calls - 1,
        0,
      );
      most = Math.max(most, Math.round(twice));
      expect(filesIn(folder).filter((file) => file.endsWith(".tmp"))).toEqual([]);
    }
    report(
      redis === null ? "kill -9 over a folder" : "kill -9 over a queue",
      `surface --${carrier}`,
      ROUNDS,
      `at most ${most} of 441 evaluations were done twice`,
    );
  };

  test.skipIf(!HAS_REDIS)(
    `kill -9 of workers, of the submitter and of Redis, ${KILLS}${NEEDS_REDIS}`,
    TIMEOUT,
    () => kill("redis"),
  );

  test(`kill -9 of workers and of the submitter over a folder, ${KILLS}`, TIMEOUT, () => kill("spool"));

  test.skipIf(!HAS_REDIS)(
    `a point that takes longer than the lock is evaluated once: the lock is renewed beside it${NEEDS_REDIS}`,
    TIMEOUT,
    async () => {
      const { url } = await startRedis();
      const [folder, store] = [folderWithRun(), newFolder()];
      const calls = join(folder, "calls");
      // The lock of these workers lasts two seconds.
      const env = { LANDSCAPE_CALLS: calls, LANDSCAPE_PACE: String(4000 / expected.calls) };
      for (let i = 0; i < 3; i++) workers.push(await startWorker(url, store, { module: MODULE, env }));
      const { status, last, stderr } = await submit(folder, 3, { redis: url, store }, env);
      expect(status, stderr).toBe(0);
      expect(JSON.parse(last)).toMatchObject({ again: 0, repeats: 0 });
      // Nine points of the surface, and the two of the probe in each worker.
      const times = [...evaluationsIn(calls).values()].sort((a, b) => a - b);
      expect(times.slice(0, 9)).toEqual(Array(9).fill(expected.calls));
      expect(times.length).toBeLessThanOrEqual(9 + 2);
    },
  );

  test.skipIf(!HAS_REDIS)(
    `a worker with a full disk, an object that is lost, one that was changed: in words, then as ever${NEEDS_REDIS}`,
    TIMEOUT,
    async () => {
      const { url } = await startRedis();
      const [folder, store] = [folderWithRun(), newFolder()];
      const queue = new Queue(tilesName(), { connection: { url }, prefix: "tfjs-landscape" });
      /** Submits, and starts a worker once there is work for one: content is in the store then, and in no cache. */
      const disturbed = async (env: Record<string, string>, disturb: () => void): Promise<string> => {
        const submitted = submit(folder, 3, { redis: url, store }, {});
        await expect.poll(() => queue.getWaitingCount(), { timeout: 120_000 }).toBe(1);
        disturb();
        const worker = await startWorker(url, store, { module: MODULE, env });
        const { status, stderr } = await submitted;
        expect(status, stderr).toBe(3);
        await worker.kill();
        return stderr;
      };
      const fault = { full: { bytes: 10, under: [tmpdir()], in: "tfjs-landscape-workers" } };
      const env = { NODE_OPTIONS: `--import ${here("inject.mjs")}`, LANDSCAPE_FAULT: JSON.stringify(fault) };
      expect(await disturbed(env, () => undefined)).toMatch(
        /workers: expected to start, got .*the disk is full.*\(3 tries\)/,
      );
      const change = (act: (file: string) => void) => () => {
        const objects = filesIn(store);
        expect(objects.length).toBeGreaterThan(1);
        for (const object of objects) act(object);
      };
      const remove = change((file) => rmSync(file));
      expect(await disturbed({}, remove)).toMatch(
        /got store .*: [0-9a-f]{12}: expected its content, got none/,
      );
      const damage = change((file) => {
        const bytes = readFileSync(file);
        bytes.writeUInt8((bytes.readUInt8(0) + 1) % 256, 0);
        writeFileSync(file, bytes);
      });
      expect(await disturbed({}, damage)).toMatch(
        /expected \d+ bytes of this digest, got others .*tampered with/,
      );
      remove();
      workers.push(await startWorker(url, store, { module: MODULE }));
      const { status, stderr } = await submit(folder, 3, { redis: url, store }, {});
      expect(status, stderr).toBe(0);
      await queue.close();
      report("worker's disk full, object lost or changed", "surface --redis", 3, "an error that names it");
    },
  );
});

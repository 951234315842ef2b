import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { EvaluationError, InvalidOptionError, MissingDependencyError, messageOf } from "../base/errors.js";
import { installedVersion, ownPackageVersion, requireThatFinds } from "../base/package-files.js";
import { canonicalJson, sha256 } from "../base/provenance.js";

/** What of BullMQ and ioredis is used; both are optional packages. */
export interface QueuePackages {
  readonly bullmq: typeof import("bullmq");
  readonly ioredis: typeof import("ioredis");
}

/** @throws {@link MissingDependencyError} if one is not installed. */
export function loadQueuePackages(): QueuePackages {
  const load = (name: string): unknown => {
    const require = requireThatFinds(name);
    if (require !== null) return require(name);
    throw new MissingDependencyError("redis", `the package ${name}`, "none", {
      hint: "npm install bullmq ioredis",
    });
  };
  return { bullmq: load("bullmq"), ioredis: load("ioredis") } as QueuePackages;
}

/** Returns an address of a server without its password, for messages. */
export function maskedUrl(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password !== "") parsed.password = "***";
    return parsed.href;
  } catch {
    return "the address";
  }
}

/**
 * Checks the address of a Redis or Valkey server.
 *
 * @throws {@link InvalidOptionError} if it is none; its text is not repeated, since it may hold a password.
 */
export function checkRedisUrl(url: string): void {
  let protocol = "";
  try {
    protocol = new URL(url).protocol;
  } catch {
    // Said below.
  }
  if (protocol === "redis:" || protocol === "rediss:") return;
  const got = protocol === "" ? "something else" : `${protocol}//…`;
  throw new InvalidOptionError(
    "redis",
    "redis://[user:password@]host[:port][/n], or rediss:// with TLS",
    got,
  );
}

/** Options of a connection that waits for a server which is away. */
const WAITING = {
  maxRetriesPerRequest: null,
  retryStrategy: (tries: number): number => Math.min(tries * 100, 2000),
};

/** What BullMQ makes connections of: it closes its own. */
export function queueConnection(url: string) {
  return { url, ...WAITING };
}

/** Milliseconds in which a server has to answer. */
const ANSWER_TIME = 10_000;

/**
 * Connects to a server, after it has answered once and let a key of the queue be written. Later it waits for one that is
 * away, as long as that takes.
 *
 * @throws {@link EvaluationError} if the server does not answer, or refuses.
 */
export async function connect(
  { ioredis }: QueuePackages,
  url: string,
  queue: string,
): Promise<import("ioredis").Redis> {
  const first = new ioredis.Redis(url, {
    lazyConnect: true,
    connectTimeout: ANSWER_TIME,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  let reason = "no answer";
  first.on("error", (error: Error) => {
    reason = error.message;
  });
  // A server that speaks another protocol may say nothing at all.
  const giveUp = setTimeout(() => first.disconnect(), ANSWER_TIME);
  try {
    await first.connect();
    await first.set(keysOf(queue).check, "1", "EX", 1);
  } catch (error) {
    const message = messageOf(error);
    const got = message === "Connection is closed." ? reason : message;
    const hint = hintOf(got, url, queue);
    throw new EvaluationError(
      `redis ${maskedUrl(url)}`,
      "a server that answers",
      got,
      hint === null ? {} : { hint },
    );
  } finally {
    clearTimeout(giveUp);
    first.disconnect();
  }
  const connection = new ioredis.Redis(url, WAITING);
  // While the server is away each try fails; what waits goes on when it is back.
  connection.on("error", () => undefined);
  return connection;
}

/** What to do about a server's refusal; null where its words say enough. */
function hintOf(reason: string, url: string, queue: string): string | null {
  if (/altnames/i.test(reason)) return "its certificate is for other names: give the address by one of them";
  if (/expired|not yet valid/i.test(reason))
    return "renew the server's certificate, or set this machine's clock";
  if (/certificate/i.test(reason))
    return "NODE_EXTRA_CA_CERTS=FILE names the certificate of an authority of your own";
  if (/NOPERM/.test(reason))
    return `its user may not write keys that begin with "${queue}:"; --queue NAME names others`;
  if (/WRONGPASS|NOAUTH/.test(reason))
    return "the address holds both: redis://user:password@host; write @ : / % in them as %40 %3A %2F %25";
  if (/READONLY/.test(reason)) return "give the address of the primary server";
  const isTls = url.startsWith("rediss:");
  if (isTls && /no answer|SSL routines|secure TLS connection|ECONNRESET|timed? ?out/i.test(reason))
    return "a server without TLS has an address that begins with redis://";
  if (!isTls && /no answer|ECONNRESET/.test(reason))
    return "a server with TLS has an address that begins with rediss://";
  return null;
}

/** What decides whether two machines give the same bits. */
export interface MachineFacts {
  readonly package: string;
  readonly platform: string;
  readonly architecture: string;
  /** Instruction sets that kernels are chosen by. */
  readonly instructions: readonly string[];
  /** Versions of what may evaluate; null where it is not installed. */
  readonly engines: Readonly<Record<string, string | null>>;
}

const ENGINES = [
  "@tensorflow/tfjs",
  "@tensorflow/tfjs-node",
  "@tensorflow/tfjs-node-gpu",
  "@tensorflow/tfjs-backend-wasm",
  "onnxruntime-node",
];
const INSTRUCTIONS = /^(sse4_2|avx|avx2|fma|avx512\w*|avx_vnni|amx_\w+|asimd\w*|sve\w*)$/;

/** Describes this machine. */
export function machineFacts(): MachineFacts {
  return {
    package: ownPackageVersion(),
    platform: process.platform,
    architecture: process.arch,
    instructions: instructionSets(),
    engines: Object.fromEntries(ENGINES.map((name) => [name, installedVersion(name) ?? null])),
  };
}

/** Linux says which there are; elsewhere the processor's name stands for them. */
function instructionSets(): string[] {
  try {
    const [, flags = ""] = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
    return flags
      .split(/\s+/)
      .filter((flag) => INSTRUCTIONS.test(flag))
      .sort();
  } catch {
    return [cpus()[0]?.model ?? "unknown"];
  }
}

/** Short name of a kind of machine: those of one kind give the same bits. */
export function machineKind(facts: MachineFacts): string {
  return sha256(
    canonicalJson({ ...facts, instructions: [...facts.instructions], engines: { ...facts.engines } }),
  ).slice(0, 12);
}

/** Keys of a queue beside those of BullMQ. */
export function keysOf(queue: string) {
  return {
    check: `${queue}:check`,
    /** Lives while somebody waits for a job set. */
    jobSet: (id: string) => `${queue}:alive:${id}`,
    worker: (id: string) => `${queue}:worker:${id}`,
    workers: `${queue}:worker:*`,
  };
}

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** Whether this machine has a Redis server: Debian's package `redis-server`. */
export const HAS_REDIS = spawnSync("redis-server", ["--version"]).status === 0;

/** For the names of tests that are left out. */
export const NEEDS_REDIS = HAS_REDIS ? "" : " (needs redis-server: apt-get install redis-server)";

const root = mkdtempSync(join(tmpdir(), "tfjs-landscape-queue-"));
const children = new Set<ChildProcess>();
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true, maxRetries: 10 });
});

/** A server on a free port that writes what it is told to the disk every second. */
export interface RedisServer {
  readonly url: string;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, with what it had written down. */
  start(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A certificate of nobody that anybody knows. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate that signs itself, for 127.0.0.1 or another name. */
export function selfSigned(name = "IP:127.0.0.1"): Certificate {
  const folder = mkdtempSync(join(root, "certificate-"));
  const [cert, key] = ["cert", "key"].map((file) => join(folder, `${file}.pem`)) as [string, string];
  const subject = ["-subj", "/CN=test", "-addext", `subjectAltName=${name}`, "-days", "2"];
  const files = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert];
  const { status, stderr } = spawnSync("openssl", ["req", "-x509", ...files, ...subject]);
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  return { cert, key };
}

/** Starts a server; with a certificate it speaks TLS only. */
export async function startRedis(
  args: readonly string[] = [],
  credentials = "",
  certificate?: Certificate,
): Promise<RedisServer> {
  const port = await freePort();
  const folder = join(root, `redis-${port}`);
  mkdirSync(folder);
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    const files = ["--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
    const tls =
      certificate === undefined
        ? []
        : [
            "--tls-cert-file",
            certificate.cert,
            "--tls-key-file",
            certificate.key,
            "--tls-auth-clients",
            "no",
          ];
    const ports =
      certificate === undefined ? ["--port", `${port}`] : ["--port", "0", "--tls-port", `${port}`];
    const where = [...ports, ...tls, "--bind", "127.0.0.1"];
    child = spawn("redis-server", [...where, ...files, ...args], { stdio: ["ignore", "pipe", "ignore"] });
    children.add(child);
    let said = "";
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      said += part;
      if (said.includes("Ready to accept connections")) break;
    }
    child.stdout?.resume();
  };
  await start();
  return {
    url: `${certificate === undefined ? "redis" : "rediss"}://${credentials}127.0.0.1:${port}`,
    start,
    async kill() {
      const end = once(child, "exit");
      child.kill("SIGKILL");
      await end;
    },
  };
}

/** A worker process. */
export interface WorkerProcess {
  /** What it said, line by line. */
  readonly said: () => string;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal, and waits for nothing. */
  signal(signal: NodeJS.Signals): void;
}

/** What a worker process is started with. */
interface WorkerProcessOptions {
  readonly queue?: string;
  /** Certificate of an authority. */
  readonly ca?: string;
  /** For `--module`. */
  readonly module?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Other options of `startQueueWorker`. */
  readonly options?: Readonly<Record<string, string | number>>;
}

/** Starts a worker in a process of its own, and waits until it pulls. */
export async function startWorker(
  url: string,
  store: string,
  { queue = "tfjs-landscape", ca, module = "", env: more, options = {} }: WorkerProcessOptions = {},
): Promise<WorkerProcess> {
  const program = fileURLToPath(new URL("worker-process.mjs", import.meta.url));
  const env = { ...process.env, ...(ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: ca }), ...more };
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn(process.execPath, [program, url, store, queue, module, JSON.stringify(options)], {
    env,
    stdio: [...stdio],
  });
  children.add(child);
  let said = "";
  const hear = (part: Buffer): void => {
    said += part;
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const end = once(child, "exit").then(() => {
    throw new Error(`the worker ended: ${said}`);
  });
  end.catch(() => undefined);
  while (!said.includes("ready\n")) {
    await Promise.race([once(child.stdout, "data"), end]);
  }
  return {
    said: () => said,
    signal: (signal) => void child.kill(signal),
    async kill(signal = "SIGKILL") {
      const over =
        child.exitCode === null && child.signalCode === null ? once(child, "exit") : Promise.resolve();
      child.kill(signal);
      await over;
    },
  };
}

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A Python program that answers each line of JSON with a line of JSON. */
export interface PythonPeer {
  ask(command: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  close(): void;
}

/** The folder bench/python of the checkout, from the sources as well as from dist/. */
function pythonFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "bench/python/setup.mjs"))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error("bench/python: expected in a checkout of the repository, not found");
    folder = parent;
  }
  return join(folder, "bench/python");
}

/**
 * Returns the path of the Python interpreter with the peers' packages, or null where it cannot be had.
 *
 * @param requirements - list of packages in bench/python.
 */
export function preparePython(log: (line: string) => void, requirements = "requirements.txt"): string | null {
  const setup = spawnSync(process.execPath, [join(pythonFolder(), "setup.mjs"), requirements], {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  if (setup.status === 0) return setup.stdout.trim().split("\n").at(-1) ?? null;
  log("python peers: left out, bench/python/setup.mjs did not succeed:");
  log(setup.stderr.trim().split("\n").slice(-3).join("\n"));
  return null;
}

/** Starts a program of bench/python with so many threads, and further variables in its environment. */
export function startPeer(
  python: string,
  program: string,
  threads: number,
  environment: Readonly<Record<string, string>> = {},
): PythonPeer {
  const count = String(threads);
  const own = { OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count };
  return startProcess(python, [join(pythonFolder(), program)], { ...own, ...environment });
}

/** Starts a program that answers each line of JSON with a line of JSON. */
export function startProcess(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): PythonPeer {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  }) as unknown as ChildProcessWithoutNullStreams;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${args[0] ?? command}: expected an answer, it ended`);
      return JSON.parse(value) as Record<string, unknown>;
    },
    close() {
      child.stdin.end();
    },
  };
}

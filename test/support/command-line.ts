import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { main } from "../../src/cli/main.js";

/** What a command wrote and the exit code that it ended with. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `tfjs-landscape ARGS` in this process, which saves the start of Node.js and TensorFlow.js. Tests of
 * signals, exit codes of crashes and pipes start a process instead.
 */
export async function runCommand(...args: string[]): Promise<CommandResult> {
  const written = { stdout: "", stderr: "" };
  const kept = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = ((chunk: string | Uint8Array) => {
      written[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      return true;
    }) as typeof process.stdout.write;
  }
  try {
    const status = await main(args);
    return { status, ...written };
  } finally {
    process.stdout.write = kept.stdout;
    process.stderr.write = kept.stderr;
  }
}

const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));

/** Runs `tfjs-landscape ARGS` in a process of its own, from the build. */
export function runCommandProcess(...args: string[]): CommandResult {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: "utf8" });
  return { status: status ?? -1, stdout, stderr };
}

import { spawn } from "node:child_process";

/** A failure that is explained by its message alone. */
export class SetupError extends Error {}

/** How many characters of a command's output an error repeats. */
const TAIL = 2000;

/**
 * Runs a command to its end, or kills it with all its children after `timeoutMs`.
 *
 * @returns `{ ok, output, stdout, reason }`; never rejects. `reason` says why it is not ok.
 */
export function run(command, args, { cwd, env, timeoutMs }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    const chunks = [];
    const stdout = [];
    let timedOut = false;
    child.stdout.on("data", (chunk) => {
      chunks.push(chunk);
      stdout.push(chunk);
    });
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    const timer = setTimeout(() => {
      timedOut = true;
      killTree(child);
    }, timeoutMs);
    const finish = (reason) => {
      clearTimeout(timer);
      const output = Buffer.concat(chunks).toString();
      resolve({ ok: reason === undefined, output, stdout: Buffer.concat(stdout).toString(), reason });
    };
    child.on("error", (error) => finish(`${command}: ${error.message}`));
    child.on("close", (code, signal) => {
      if (timedOut) finish(`${command} took longer than ${Math.round(timeoutMs / 1000)} s and was stopped`);
      else finish(code === 0 ? undefined : `${command} ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}

/** Kills a child and, where process groups exist, everything it started. */
function killTree(child) {
  if (process.platform === "win32" || child.pid === undefined) child.kill("SIGKILL");
  else process.kill(-child.pid, "SIGKILL");
}

/** Runs a command and returns its stdout; throws a {@link SetupError} with the end of its output otherwise. */
export async function runOrThrow(what, command, args, options) {
  const result = await run(command, args, options);
  if (!result.ok) throw new SetupError(`${what}: ${result.reason}\n${result.output.slice(-TAIL)}`);
  return result.stdout;
}

import { type ChildProcess, fork } from "node:child_process";
import { packageFile } from "../base/package-files.js";
import type { ProgramModule, TaskReply, TaskRequest } from "./task-runner.js";

/** Most characters that are kept of what a process writes on stderr. */
const STDERR_KEPT = 2000;

/** What a process tells its session. */
export interface ProcessEvents {
  reply(reply: TaskReply): void;
  /** It ended, whatever the cause. */
  end(how: string): void;
}

/** One process. */
export interface TaskProcess {
  readonly pid: number | undefined;
  send(request: TaskRequest): void;
  /** Whether it keeps this one alive. */
  hold(isHeld: boolean): void;
  kill(): void;
}

const BUILD = "build the package: npm run build";

/**
 * Finds the compiled modules of a program.
 *
 * @throws {@link MissingDependencyError} where the TypeScript sources run directly and nothing is built.
 */
function compiledModules({ file }: ProgramModule): {
  readonly worker: string;
  readonly module: string;
} {
  return { worker: packageFile("dist/src/jobs/task-worker.js", BUILD), module: packageFile(file, BUILD) };
}

/**
 * Starts a process and sends it its order. What libraries print in it is not shown; the last line of its stderr
 * becomes part of what is said if it dies.
 */
export function startProcess(program: ProgramModule, order: unknown, events: ProcessEvents): TaskProcess {
  const { worker, module } = compiledModules(program);
  const child = fork(worker, [], {
    // No flags of the parent: a loader meant for its sources must not run again here.
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: {
      ...process.env,
      TFJS_LANDSCAPE_BACKEND: "",
      TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "2",
      ...program.environment,
    },
  });
  const lastLine = lastLineOf(child);
  let isOver = false;
  const end = (how: string): void => {
    if (isOver) return;
    isOver = true;
    const said = lastLine();
    events.end(said === "" ? how : `${how}: ${said}`);
  };
  child.on("message", (reply: TaskReply) => events.reply(reply));
  child.on("error", (error) => end(error.message));
  child.on("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  const send = (request: TaskRequest): void => {
    // An error means that it is about to end, which the event above says.
    if (child.connected) child.send(request, () => undefined);
  };
  send({ type: "start", module, order });
  return {
    pid: child.pid,
    send,
    hold(isHeld) {
      for (const part of [child, child.channel, child.stderr as unknown as NodeJS.Timeout | null]) {
        if (isHeld) part?.ref();
        else part?.unref();
      }
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Returns the last line that the process wrote on stderr; V8 ends with addresses where its memory is used up. */
function lastLineOf({ stderr }: ChildProcess): () => string {
  let text = "";
  let isOutOfMemory = false;
  stderr?.setEncoding("utf8").on("data", (part: string) => {
    text = `${text}${part}`;
    isOutOfMemory ||= text.includes("JavaScript heap out of memory");
    text = text.slice(-STDERR_KEPT);
  });
  return () => (isOutOfMemory ? "it ran out of memory" : (text.trim().split("\n").at(-1)?.trim() ?? ""));
}

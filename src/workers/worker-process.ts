import { type ChildProcess, fork } from "node:child_process";
import { packageFile } from "../report/package-root.js";
import type { WorkerOrder, WorkerReply, WorkerRequest } from "./worker-messages.js";

/** Most characters that are kept of what a worker writes on stderr. */
const STDERR_KEPT = 2000;

/** What a worker process tells its pool. */
export interface WorkerEvents {
  reply(reply: WorkerReply): void;
  /** It ended, whatever the cause. */
  end(how: string): void;
}

/** One worker process. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  send(request: WorkerRequest): void;
  /** Whether the process keeps this one alive. */
  hold(isHeld: boolean): void;
  kill(): void;
}

/**
 * Starts a worker process and sends it its order. What libraries print in it is not shown; the end of its
 * stderr becomes part of what is said if it dies.
 */
export function startWorker(order: WorkerOrder, events: WorkerEvents): WorkerProcess {
  const file = packageFile("dist/src/workers/evaluation-worker.js", "build the package: npm run build");
  const threads = String(order.threads);
  const child = fork(file, [], {
    // No flags of the parent: a loader meant for its sources must not run again here.
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: {
      ...process.env,
      TFJS_LANDSCAPE_BACKEND: "",
      TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "2",
      TF_NUM_INTRAOP_THREADS: threads,
      TF_NUM_INTEROP_THREADS: "1",
      OMP_NUM_THREADS: threads,
    },
  });
  const stderr = tailOfStderr(child);
  let isOver = false;
  const end = (how: string): void => {
    if (isOver) return;
    isOver = true;
    const said = stderr();
    events.end(said === "" ? how : `${how}: ${said}`);
  };
  child.on("message", (reply: WorkerReply) => events.reply(reply));
  child.on("error", (error) => end(error.message));
  child.on("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  const send = (request: WorkerRequest): void => {
    // An error means that it is about to end, which the event above says.
    if (child.connected) child.send(request, () => undefined);
  };
  send({ type: "start", order });
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

/** Returns the last line that the process wrote on stderr. */
function tailOfStderr({ stderr }: ChildProcess): () => string {
  let text = "";
  stderr?.setEncoding("utf8").on("data", (part: string) => {
    text = `${text}${part}`.slice(-STDERR_KEPT);
  });
  return () => text.trim().split("\n").at(-1)?.trim() ?? "";
}

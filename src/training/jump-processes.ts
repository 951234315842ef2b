import { type ChildProcess, fork } from "node:child_process";
import type { BackendChoice, BackendInfo } from "../backend/current-backend.js";
import { decodeError, InvalidOptionError, RunStateError, type WireError } from "../base/errors.js";
import { compiledModule } from "../base/package-files.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { SnapshotInfo } from "../store/run/run.js";
import type { Jump } from "./jump-options.js";
import type { JumpOrigin } from "./jump-provenance.js";
import type { JumpSource } from "./jump-source.js";
import type { TrainedJump } from "./jump-trainer.js";

/** What a worker process is told: once what to work with, then one jump after another. */
export type JumpRequest =
  | {
      readonly type: "start";
      readonly backend: BackendChoice;
      readonly source: JumpSource;
      readonly origin: JumpOrigin;
    }
  | { readonly type: "jump"; readonly jump: Jump };

/** What it answers. */
export type JumpReply =
  | { readonly type: "ready" }
  | {
      readonly type: "done";
      readonly states: readonly SnapshotInfo[];
      readonly warnings: readonly LandscapeWarning[];
    }
  | { readonly type: "failed"; readonly error: WireError };

/** The program that a process runs. */
const WORKER = "src/training/jump-worker.js";

/** How often a process may die over one jump. */
const MOST_DEATHS = 3;

/** What {@link trainInProcesses} needs beside the jumps. */
export interface JumpProcesses {
  readonly source: JumpSource;
  readonly origin: JumpOrigin;
  readonly workers: number;
  readonly backend: BackendInfo;
  readonly signal: AbortSignal | undefined;
  readonly onDone: (jump: Jump, trained: TrainedJump) => void;
}

/** A process died without an answer. */
class ProcessDeath extends Error {}

/**
 * Makes jumps in processes of their own. One that dies is replaced and its jump begun anew; what a process
 * reports as an error ends all.
 *
 * @throws {@link RunStateError} naming the jump over which three processes died.
 */
export async function trainInProcesses(jumps: readonly Jump[], setup: JumpProcesses): Promise<void> {
  const waiting = [...jumps];
  const open = new Set<JumpProcess>();
  const { signal } = setup;
  let isOver = false;
  const stop = (): void => {
    for (const child of open) child.kill();
  };
  const work = async (): Promise<void> => {
    let child: JumpProcess | null = null;
    for (let jump = waiting.shift(); jump !== undefined; jump = waiting.shift()) {
      for (let deaths = 0; ; ) {
        signal?.throwIfAborted();
        try {
          child ??= await startProcess(setup, open);
          setup.onDone(jump, await child.train(jump));
          break;
        } catch (error) {
          signal?.throwIfAborted();
          // One that was killed because another failed is not replaced.
          if (isOver || !(error instanceof ProcessDeath)) throw error;
          child = null;
          if (++deaths >= MOST_DEATHS) throw tooManyDeaths(jump, error);
        }
      }
    }
    child?.end();
  };
  signal?.addEventListener("abort", stop);
  try {
    const count = Math.min(setup.workers, jumps.length);
    await Promise.all(Array.from({ length: count }, work));
  } finally {
    isOver = true;
    waiting.length = 0;
    stop();
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Checks that processes can be started here.
 *
 * @throws {@link InvalidOptionError} where the compiled worker is missing or the backend is none that a
 * process can choose by itself.
 */
export function checkProcesses(workers: number, backend: BackendInfo): void {
  if (compiledModule(WORKER) === undefined) {
    const hint = "build the package first";
    const expected = "1 where the TypeScript sources run directly";
    throw new InvalidOptionError("workers", expected, String(workers), { hint });
  }
  if (!["native", "wasm", "js"].includes(backend.name)) {
    throw new InvalidOptionError("workers", `1 on backend "${backend.name}"`, String(workers));
  }
}

async function startProcess(setup: JumpProcesses, open: Set<JumpProcess>): Promise<JumpProcess> {
  const { source, origin, backend } = setup;
  const child = new JumpProcess();
  open.add(child);
  await child.ask({ type: "start", backend: choiceOf(backend), source, origin });
  return child;
}

/** The same package, not only the same kind of backend. */
function choiceOf({ name, package: from }: BackendInfo): BackendChoice {
  return name === "native" ? (from.slice("@tensorflow/".length) as BackendChoice) : (name as BackendChoice);
}

/** One process; answers one request at a time. */
class JumpProcess {
  readonly #child: ChildProcess;
  #settle: { resolve: (reply: JumpReply) => void; reject: (error: Error) => void } | null = null;
  #death: ProcessDeath | null = null;
  #errors = "";

  constructor() {
    // No flags of the parent: a loader meant for its sources must not run again here.
    this.#child = fork(compiledModule(WORKER) as string, [], {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-500);
    });
    this.#child.on("message", (reply: JumpReply) => {
      const settle = this.#settle;
      this.#settle = null;
      if (reply.type === "failed") settle?.reject(decodeError(reply.error));
      else settle?.resolve(reply);
    });
    this.#child.on("error", (error) => this.#die(error.message));
    this.#child.on("exit", (code, signal) => {
      const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const said = this.#errors.trim().split("\n").at(-1) ?? "";
      this.#die(said === "" ? end : `${end} (${said})`);
    });
  }

  ask(request: JumpRequest): Promise<JumpReply> {
    if (this.#death !== null) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#child.send(request, (error) => {
        if (error !== null) this.#die(error.message);
      });
    });
  }

  async train(jump: Jump): Promise<TrainedJump> {
    const reply = await this.ask({ type: "jump", jump });
    if (reply.type === "done") return reply;
    throw new Error(`jump worker: expected what became of a jump, got "${reply.type}"`);
  }

  /** Lets the process end by itself. */
  end(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #die(how: string): void {
    this.#death ??= new ProcessDeath(how);
    this.#settle?.reject(this.#death);
    this.#settle = null;
  }
}

function tooManyDeaths({ seed, step, directory }: Jump, cause: ProcessDeath): RunStateError {
  const where = `jump of seed ${seed} and step ${step} (${directory})`;
  const got = `${MOST_DEATHS} that died, the last with ${cause.message}`;
  const hint = "fewer workers need less memory; call again to go on with the jumps that are missing";
  return new RunStateError(where, "a process that retrains it", got, { cause, hint });
}

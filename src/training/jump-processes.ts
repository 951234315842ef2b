import type { BackendChoice, BackendInfo } from "../backend/current-backend.js";
import { InvalidOptionError, RunStateError } from "../base/errors.js";
import { compiledModule } from "../base/package-files.js";
import { createJobFolder } from "../jobs/job-folder.js";
import { createProcessRunner } from "../jobs/process-runner.js";
import type { ProgramModule, TaskRunner, TaskSession } from "../jobs/task-runner.js";
import type { ModelPorts } from "../loss/model-ports.js";
import { spoolData } from "../loss/workers/spooled-data.js";
import { isRunInUse } from "../store/run/run-lock.js";
import { type Lane, runLanes } from "../surface/evaluate-points.js";
import type { Jump } from "./jump-options.js";
import type { JumpOperations, JumpOrder } from "./jump-program.js";
import type { JumpOrigin } from "./jump-provenance.js";
import type { JumpSet, JumpSource } from "./jump-source.js";
import type { TrainedJump } from "./jump-trainer.js";

/** A worker has a process for each processor. */
export const ONE_THREAD = { TF_NUM_INTRAOP_THREADS: "1", OMP_NUM_THREADS: "1" } as const;
const PROGRAM: ProgramModule = { file: "dist/src/training/jump-program.js" };

/** What {@link trainInProcesses} needs beside the jumps. */
export interface JumpProcesses {
  readonly source: JumpSource;
  readonly ports: ModelPorts;
  readonly sets: readonly JumpSet[];
  readonly origin: JumpOrigin;
  readonly workers: number;
  /** In place of processes of this machine. */
  readonly runner: TaskRunner | undefined;
  readonly setup: string | undefined;
  readonly hasOwnLosses: boolean;
  readonly backend: BackendInfo;
  readonly signal: AbortSignal | undefined;
  readonly onDone: (jump: Jump, trained: TrainedJump) => void;
}

/**
 * Makes jumps in processes of their own. One that dies is replaced and its jump begun anew; what a process
 * reports as an error ends all.
 *
 * @throws {@link RunStateError} naming the jump over which three processes died.
 */
export async function trainInProcesses(jumps: readonly Jump[], work: JumpProcesses): Promise<void> {
  const { source, ports, origin, backend, signal, onDone, hasOwnLosses, setup = null } = work;
  const waiting = [...jumps];
  const folder = await createJobFolder();
  const own =
    work.runner === undefined ? createProcessRunner(Math.min(work.workers, jumps.length)) : undefined;
  const runner = work.runner ?? (own as TaskRunner);
  let session: TaskSession<null, JumpOperations> | undefined;
  try {
    const sets: JumpOrder["sets"][number][] = [];
    for (const { name, batch } of work.sets) {
      const data = await spoolData(folder, name, ports, batch, {
        sampleLimit: Number.POSITIVE_INFINITY,
        signal,
      });
      sets.push({ name, data });
    }
    const order: JumpOrder = { backend: choiceOf(backend), setup, hasOwnLosses, source, origin, sets };
    const program = own === undefined ? { ...PROGRAM, environment: ONE_THREAD } : PROGRAM;
    const opened = await runner.open<JumpOrder, null, JumpOperations>(program, order, { signal });
    session = opened;
    const lane: Lane = async (stop, goesOn) => {
      for (let jump = waiting.shift(); jump !== undefined; jump = waiting.shift()) {
        stop?.throwIfAborted();
        // Here the one who trains has the lock on the run.
        if (own === undefined) await refuseInUse(jump);
        const how = { ...taskOf(jump), directory: jump.directory, keepsOthers: true, signal };
        const trained = await opened.run("train", jump, how).catch((error: unknown) => {
          // The others are not waited for: they may have long to go.
          opened.dispose();
          throw error;
        });
        onDone(jump, trained);
        if (!goesOn()) return;
      }
    };
    // One after another in each process of this machine: a jump takes long, and none is to wait behind another.
    const width = (): number => (own === undefined ? opened.concurrency : own.processes);
    await runLanes({ width, left: () => waiting.length }, signal, lane);
  } finally {
    waiting.length = 0;
    session?.dispose();
    own?.dispose();
    folder.remove();
  }
}

function taskOf({ seed, distance, directory }: Jump) {
  const name = `jump of seed ${seed} and distance ${distance} (${directory})`;
  const expected = "a process that retrains it";
  const hint = "fewer workers need less memory; call again to go on with the jumps that are missing";
  const onDeaths = (deaths: number, how: string) =>
    new RunStateError(name, expected, `${deaths} that died, the last with ${how}`, { hint });
  return { name, expected, onDeaths };
}

/** @throws {@link RunStateError} if somebody on this machine writes the run. */
async function refuseInUse({ directory }: Jump): Promise<void> {
  if (await isRunInUse(directory))
    throw new RunStateError(directory, "a run that nobody writes", "one in use by another process");
}

/**
 * Checks that processes can be started here.
 *
 * @throws {@link InvalidOptionError} where the compiled program is missing or the backend is none that a
 * process can choose by itself.
 */
export function checkProcesses(workers: number, backend: BackendInfo, runner: TaskRunner | undefined): void {
  if (runner === undefined && compiledModule("src/training/jump-program.js") === undefined) {
    const hint = "build the package first";
    const expected = "1 where the TypeScript sources run directly";
    throw new InvalidOptionError("workers", expected, String(workers), { hint });
  }
  if (!["native", "wasm", "js"].includes(backend.name)) {
    throw new InvalidOptionError("workers", `1 on backend "${backend.name}"`, String(workers));
  }
}

/** Returns the choice by which another process gets this backend: the same package, not only the same kind. */
export function choiceOf({ name, package: from }: BackendInfo): BackendChoice {
  return name === "native" ? (from.slice("@tensorflow/".length) as BackendChoice) : (name as BackendChoice);
}

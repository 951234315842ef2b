// A process that runs one program: it opens it by its order, then answers one task after another.
import { EvaluationError, encodeError } from "../base/errors.js";
import { importModule } from "../base/import-module.js";
import {
  type OpenProgram,
  type Operations,
  type ProgramOpener,
  SECONDS_A_MESSAGE,
  type Task,
  type TaskAnswer,
  type TaskReply,
  type TaskRequest,
} from "./task-runner.js";

type Program = OpenProgram<unknown, Operations>;

const aborts = new Map<number, AbortController>();
let opened: Promise<Program> | undefined;
let tail: Promise<void> = Promise.resolve();
/** Tasks that are not computed yet. */
let waiting = 0;
/** Answers that are not sent yet. */
let answers: TaskAnswer[] = [];

function send(reply: TaskReply): void {
  process.send?.(reply);
}

async function open(module: string, order: unknown): Promise<Program> {
  const { openProgram } = await importModule(module);
  return (openProgram as ProgramOpener<unknown, unknown, Operations>)(order);
}

async function compute({ operation, input }: Task, signal: AbortSignal) {
  signal.throwIfAborted();
  const program = await (opened as Promise<Program>);
  const { operations } = program;
  if (!Object.hasOwn(operations, operation)) {
    throw new EvaluationError("task", `one of ${Object.keys(operations).join(", ")}`, operation);
  }
  const output: unknown = await operations[operation]?.(input, signal);
  return { output, isWhole: program.isWhole?.(output) ?? true };
}

/**
 * Computes, and sends the answers so far when the parent should hand out more: at half of what it gave, so that
 * more is there before the rest is done, and at once where tasks take long.
 */
async function answer(task: Task, abort: AbortController): Promise<void> {
  const { id } = task;
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  try {
    const found = await compute(task, abort.signal);
    answers.push({ id, seconds: seconds(), ...found });
  } catch (error) {
    answers.push({ id, seconds: seconds(), error: encodeError(error) });
  }
  aborts.delete(id);
  waiting--;
  const held = answers.reduce((sum, each) => sum + each.seconds, 0);
  if (waiting > answers.length && held < SECONDS_A_MESSAGE) return;
  send({ type: "answers", answers });
  answers = [];
}

process.on("message", (message: TaskRequest) => {
  if (message.type === "start") {
    opened = open(message.module, message.order);
    opened.then(
      ({ facts }) => send({ type: "ready", facts }),
      (error: unknown) => send({ type: "failed", error: encodeError(error) }),
    );
  } else if (message.type === "work") {
    for (const task of message.tasks) {
      const abort = new AbortController();
      aborts.set(task.id, abort);
      waiting++;
      tail = tail.then(() => answer(task, abort));
    }
  } else if (message.type === "abort") aborts.get(message.id)?.abort();
  else {
    tail = tail.then(async () => (await opened)?.forget?.(message.key)).catch(() => undefined);
  }
});
// Ctrl-C reaches every process of a terminal: the parent decides what becomes of it, and ends this one.
process.on("SIGINT", () => {});
// The parent has ended, in whatever way.
process.on("disconnect", () => process.exit(0));

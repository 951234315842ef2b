import { readFile, rm, writeFile } from "node:fs/promises";
import { decodeError, EvaluationError } from "../base/errors.js";
import { type JsonValue, sha256 } from "../base/provenance.js";
import { isJobFile, type JobFolder } from "../jobs/job-folder.js";
import type { PendingTask, ProgramModule } from "../jobs/task-runner.js";
import type { ContentStore, StoredContent } from "./content-store.js";
import { unpackFolder } from "./folder-parcel.js";
import {
  ANY_VALUE,
  answerSchema,
  type JobSet,
  PROGRAMS,
  parsedMessage,
  type Tile,
  type TileAnswer,
} from "./tile-queue.js";
import { decodeWire, encodeWire, type WireSink, type WireSource } from "./wire.js";

type EncodedInput = Tile["tasks"][number]["input"];

/**
 * What a submission sends and gets through the content store: its job sets, large inputs and outputs, and the folders
 * that tasks make.
 */
export class SubmissionContent {
  readonly #store: ContentStore;
  readonly #submission: string;
  readonly #sink: WireSink;
  readonly #source: WireSource;
  readonly #known = new Map<string, Promise<StoredContent>>();
  #temporary = 0;

  constructor(store: ContentStore, folder: JobFolder, submission: string) {
    this.#store = store;
    this.#submission = submission;
    const temporary = (): string => folder.file(`message-${submission}-${this.#temporary++}`);
    const put = (file: string): Promise<StoredContent> => {
      // A file of a job folder is written once, but for those of JSON.
      if (file.includes("message-")) return store.put(file);
      const known = this.#known.get(file) ?? store.put(file);
      this.#known.set(file, known);
      known.catch(() => this.#known.delete(file));
      return known;
    };
    this.#sink = { isFile: isJobFile, put, temporary };
    this.#source = {
      temporary,
      async hold(content) {
        const file = temporary();
        await store.fetch(content, file);
        return file;
      },
      drop: (file) => rm(file, { force: true }),
    };
  }

  /** Returns an input as it travels, with large parts in the store. */
  async encode(input: unknown, directory: string | undefined): Promise<EncodedInput> {
    return (await encodeWire(input, { ...this.#sink, directory })) as EncodedInput;
  }

  decode(value: JsonValue): Promise<unknown> {
    return decodeWire(value, this.#source);
  }

  /** Stores what workers need to open a program, and returns where it is. */
  async putJobSet(program: ProgramModule, order: unknown, probe: JobSet["probe"]): Promise<StoredContent> {
    const name = Object.keys(PROGRAMS).find((one) => PROGRAMS[one]?.file === program.file);
    if (name === undefined)
      throw new EvaluationError("queue", Object.keys(PROGRAMS).join(", "), program.file);
    const { setup, ...rest } = order as { readonly setup?: string | null };
    const isModule = typeof setup === "string";
    const jobSet: JobSet = {
      program: name,
      environment: { ...program.environment },
      order: (await encodeWire(
        { ...rest, setup: isModule ? "module" : null },
        this.#sink,
      )) as JobSet["order"],
      module: isModule ? sha256(await readFile(setup)) : null,
      submission: this.#submission,
      probe,
    };
    return this.#putText(JSON.stringify(jobSet));
  }

  async #putText(text: string): Promise<StoredContent> {
    const file = this.#sink.temporary();
    await writeFile(file, text, { flag: "wx" });
    try {
      return await this.#store.put(file);
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Returns what a task gave, after the folder that it has made is here. */
  async outputOf({ how }: PendingTask, { output, files }: TaskOutput): Promise<unknown> {
    const { directory, keepsOthers } = how;
    if (directory !== undefined) await unpackFolder(files ?? [], directory, this.#store, keepsOthers);
    return decodeWire(output as JsonValue, this.#source);
  }
}

/** null where a message is no answer: it comes from another machine, and may be anything. */
export function answerOf(returned: unknown): TileAnswer | null {
  try {
    const found = answerSchema.safeParse(typeof returned === "string" ? parsedMessage(returned) : returned);
    return found.success ? found.data : null;
  } catch {
    // Nested too deeply to be looked through.
    return null;
  }
}

type TaskOutput = Extract<TileAnswer["answers"][number], { output: unknown }>;
type AnswerError = Extract<TileAnswer["answers"][number], { error: unknown }>["error"];

/** What a task failed with in a worker, as the caller's error. */
export function taskError({ how, operation }: PendingTask, error: AnswerError, host: string): Error {
  const { own } = error;
  if (own === null)
    return new EvaluationError(how.name, how.expected, `an error in a worker on ${host}: ${error.message}`);
  // There the task has no name but its operation's.
  if (own.where === operation && own.expected === ANY_VALUE)
    return new EvaluationError(how.name, how.expected, own.got);
  return decodeError({ ...error, stack: error.stack });
}

import type { WireError } from "../base/errors.js";

/** One thing to compute; its answer comes under the same number. */
export interface Task {
  readonly id: number;
  readonly operation: string;
  readonly input: unknown;
}

/** What became of a task, and what computing it took. */
export type TaskAnswer = { readonly id: number; readonly seconds: number } & (
  | { readonly output: unknown; readonly isWhole: boolean }
  | { readonly error: WireError }
);

/** To a process. */
export type TaskRequest =
  | { readonly type: "start"; readonly module: string; readonly order: unknown }
  | { readonly type: "work"; readonly tasks: readonly Task[] }
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "forget"; readonly key: string };

/** From a process. */
export type TaskReply =
  | { readonly type: "ready"; readonly facts: unknown }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "answers"; readonly answers: readonly TaskAnswer[] };

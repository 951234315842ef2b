// What a process of a sweep does: it imports the module on its backend, then trains one setting.

import { rm } from "node:fs/promises";
import type { BackendChoice } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { InvalidDataError } from "../base/errors.js";
import { removal } from "../base/platform.js";
import type { OpenProgram } from "../jobs/task-runner.js";
import { importSweep, type SweepFigures, type SweepSettings, type SweepTask } from "./sweep-module.js";

/** What a process of a sweep needs: plain data. */
export interface SweepOrder {
  /** Absolute path of the module: the set-up module of its processes. */
  readonly setup: string;
  readonly backend: BackendChoice;
}

/** What it does. */
export type SweepOperations = {
  readonly train: (input: { readonly settings: SweepSettings; readonly task: SweepTask }) => {
    readonly figures: SweepFigures;
    readonly seconds: number;
  };
};

/** Opens the program of sweeps: called by the worker process. */
export async function openProgram(order: SweepOrder): Promise<OpenProgram<null, SweepOperations>> {
  await selectBackend({ backend: order.backend });
  const sweep = await importSweep(order.setup);
  return {
    facts: null,
    operations: {
      async train({ settings, task }) {
        // What a process that died at this training has left.
        await rm(task.directory, removal());
        const begin = performance.now();
        const figures = checkedFigures(await sweep.train(settings, task));
        return { figures, seconds: (performance.now() - begin) / 1000 };
      },
    },
  };
}

/** Numbers by name, or nothing. */
function checkedFigures(found: unknown): SweepFigures {
  if (found === undefined || found === null) return {};
  const isObject = typeof found === "object" && !Array.isArray(found);
  const wrong = isObject ? Object.entries(found).find(([, value]) => typeof value !== "number") : undefined;
  if (isObject && wrong === undefined) return found as SweepFigures;
  const got = wrong === undefined ? String(found) : `${wrong[0]}: ${String(wrong[1])}`;
  throw new InvalidDataError("train()", "nothing, or numbers by name", got);
}

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { InvalidOptionError } from "../../base/errors.js";
import { startQueueWorker } from "../../queue/queue-worker.js";
import { parseCount } from "../command-options.js";
import { checkWhere, type QueueCommandOptions, redisOption } from "../evaluation-options.js";
import { createOutput, type Output } from "../output.js";

/** Options of `worker`. */
export interface WorkerCommandOptions extends QueueCommandOptions {
  readonly processes?: number;
  readonly module?: string;
  readonly cacheGb?: number;
}

/** `worker --redis URL --store DIR` or `worker --spool DIR`: evaluates for others until Ctrl-C or SIGTERM, then finishes what is under way. */
export async function worker(
  { redis, spool, store, queue, processes, module, cacheGb }: WorkerCommandOptions,
  output: Output,
): Promise<void> {
  if (redis === undefined && spool === undefined)
    throw new InvalidOptionError("worker", "--redis URL or --spool DIR", "none");
  checkWhere({ redis, spool, store, queue });
  // A mistyped folder is made like any other: say so, since work never comes there.
  const isNew = spool !== undefined && !existsSync(spool);
  const cacheBytes = cacheGb === undefined ? undefined : cacheGb * 2 ** 30;
  const onNotice = (text: string): void => output.note(text);
  const started = await startQueueWorker({
    ...{ redis, spool, store, queue, processes, module, cacheBytes, onNotice },
  });
  const where = isNew ? ` in ${spool}, a folder that was not there before` : "";
  output.note(`waiting for work${where}; Ctrl-C ends after what is under way`);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, resolve);
  });
  output.note(`${signal}: finishing what is under way`);
  await started.close();
  output.result({ kind: started.kind });
}

/** Declares the options of `worker`. */
export function declareWorker(command: Command): void {
  command
    .addOption(redisOption("server that work is pulled from"))
    .option("--spool <dir>", "folder that work is pulled from, in place of a server")
    .option("--store <dir>", "folder that all machines see, as it is seen here, or s3://bucket/folder")
    .option("--queue <name>", "queue of these workers and submitters (default: tfjs-landscape)")
    .option(
      "--processes <n>",
      "processes that evaluate (default: one for each processor)",
      parseCount("--processes", 1, 256),
    )
    .option(
      "--module <file>",
      "the only code beside this package's that jobs may name: layers, loadModel(), loadLoss(), train()",
    )
    .option("--cache-gb <n>", "gigabytes of files that are kept here (default: 4)", parseCount("--cache-gb"))
    .action((options) => worker(options, createOutput(options)));
}

import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendChoice } from "../backend/current-backend.js";
import { InvalidOptionError } from "../base/errors.js";
import type { LossMode } from "../loss/loss-evaluator.js";
import {
  DEVICE_CHOICES,
  type DeviceChoice,
  ENGINE_CHOICES,
  type EngineChoice,
} from "../loss/loss-options.js";
import { BATCH_NORM_POLICIES, type BatchNormPolicyName } from "../loss/slice-loss.js";
import { checkRedisUrl } from "../queue/queue-connection.js";
import type { QueuePlaceOptions } from "../queue/queue-place.js";
import { backendOption, parseCount, parseModuleFile, refuseStray } from "./command-options.js";

/** Options that say which loss, on which samples. */
export interface LossCommandOptions {
  readonly data: string;
  readonly loss?: LossMode;
  /** Whether data with NaN or infinity are evaluated, and not refused. */
  readonly keepNonFiniteData?: boolean;
  /** Only the first samples. */
  readonly samples?: number;
  /** Whether the model's penalties count. */
  readonly regularization?: boolean;
  /** Whether Gauss-Newton products are to be computed. */
  readonly gaussNewton?: boolean;
}

/** Options that say where work is to be done. */
export type QueueCommandOptions = QueuePlaceOptions;

/** Options that say how losses are evaluated. */
export interface EvaluationCommandOptions extends LossCommandOptions, QueueCommandOptions {
  readonly batchSize?: number;
  readonly engine?: EngineChoice;
  readonly device?: DeviceChoice;
  readonly workers?: number | "auto";
  readonly threads?: number;
  readonly batchNorm?: BatchNormPolicyName;
  readonly force?: boolean;
  /** false: whatever an interrupted surface has left does not count. */
  readonly resume?: boolean;
}

/** Options of the commands that slice a loss. */
export interface SliceCommandOptions extends EvaluationCommandOptions {
  readonly test?: boolean;
  readonly batchNorm?: BatchNormPolicyName;
  readonly resume?: boolean;
  readonly backend?: BackendChoice;
}

/** Options of the commands that slice a loss. */
export function sliceOptions(command: Command): Command {
  return workerOptions(evaluationOptions(command)).addOption(
    new Option("--batch-norm <policy>", "moving statistics at each point").choices(BATCH_NORM_POLICIES),
  );
}

/** Options of the commands that evaluate a model on a data module. */
export function evaluationOptions(command: Command): Command {
  return dataOptions(command)
    .option("--test", "evaluate on the module's loadTestData() as well")
    .addOption(
      new Option("--engine <name>", "what evaluates (default: auto, the fastest)").choices(ENGINE_CHOICES),
    )
    .addOption(
      new Option("--device <name>", "where: cpu, or a graphics card (auto: measured)").choices(
        DEVICE_CHOICES,
      ),
    );
}

/** Options of the data, and of the loss on them. */
export function dataOptions(command: Command): Command {
  return command
    .requiredOption("--data <module>", "JS or TS module that exports loadData()", parseModuleFile)
    .addOption(lossOption())
    .option("--batch-size <n>", "samples per batch", parseCount("--batch-size"))
    .option("--keep-non-finite-data", "evaluate data with NaN or infinity too (default: refuse them)")
    .addOption(backendOption());
}

/** The form in which a loss is computed. */
export function lossOption(description = "compiled loss or exact logits form"): Option {
  return new Option("--loss <mode>", description).choices(["model", "logits"]);
}

/** Options of the processes and threads that evaluate. */
export function workerOptions(command: Command): Command {
  return queueOptions(command)
    .option("--workers <n>", "evaluate in so many processes, or auto (default: in this one)", parseWorkers)
    .option(
      "--threads <n>",
      "threads, in each process (default with --workers: 1)",
      parseCount("--threads", 1, 256),
    );
}

/** Options of the workers on any machine that do a command's work. */
export function queueOptions(command: Command): Command {
  return command
    .addOption(redisOption("work in workers on any machine, over this Redis server"))
    .option("--spool <dir>", "work in workers on any machine, over this folder that all see")
    .option("--store <dir>", "folder that all these machines see, or s3://bucket/folder, with --redis")
    .option("--queue <name>", "queue of these workers (default: tfjs-landscape)");
}

/** The address of a server; without a value it is that of the variable REDIS_URL, which `ps` does not show. */
export function redisOption(description: string): Option {
  const option = new Option("--redis [url]", `${description} (default: the variable REDIS_URL)`);
  return option.preset(process.env.REDIS_URL ?? "").argParser(parseRedis);
}

function parseRedis(text: string): string {
  if (text === "")
    throw new InvalidArgumentError("--redis: expected an address, or the variable REDIS_URL, got none.");
  checkRedisUrl(text);
  return text;
}

/** Parses a number of worker processes, or "auto". */
export function parseWorkers(text: string): number | "auto" {
  return text.trim() === "auto" ? "auto" : parseCount("--workers")(text);
}

/** Whether work is done by workers on any machine. */
export function isOverQueue({ redis, spool }: QueueCommandOptions): boolean {
  return redis !== undefined || spool !== undefined;
}

/** Checks where work is to be done, before anything is started. */
export function checkWhere(
  options: QueueCommandOptions & { readonly workers?: number | "auto" | undefined },
): void {
  const { redis, spool, store, workers } = options;
  if (!isOverQueue(options)) {
    refuseStray(options, ["store", "queue"], "--redis URL or --spool DIR", "none");
    return;
  }
  const by = redis === undefined ? "--spool" : "--redis";
  if (redis !== undefined && spool !== undefined)
    throw new InvalidOptionError("--spool", "no --redis beside it: work goes through one of them", "both");
  if (workers !== undefined) {
    throw new InvalidOptionError(
      by,
      "no --workers beside it: workers are started on their machines",
      String(workers),
    );
  }
  if (redis !== undefined && store === undefined) {
    const expected = "--store DIR, a folder that all machines see, or s3://bucket/folder";
    throw new InvalidOptionError("--redis", expected, "none");
  }
}

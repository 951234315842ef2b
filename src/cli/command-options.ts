import { type Command, Option } from "commander";
import { BACKEND_CHOICES } from "../backend/backend-info.js";
import { NORMALIZATIONS } from "../directions/normalize.js";
import { ENGINE_CHOICES } from "../engine/engine-options.js";
import { BATCH_NORM_POLICIES } from "../surface/batch-norm-policy.js";
import {
  parseComponents,
  parseCount,
  parseLineRange,
  parsePositive,
  parseRoles,
  parseShare,
  parseWorkers,
} from "./parse-arguments.js";

/** Options of the commands that draw a line. */
export function lineOptions(command: Command): Command {
  const line = command
    .option("--range <range>", 'literal range "x0:x1:n", such as -0.5:1.5:41', parseLineRange)
    .option("--metric <name>", 'metric on the second axis, or "none" (default: the first)')
    .option("--error", "show error instead of accuracy")
    .option("--force", "compute again, also where stored results are up to date");
  return pictureOptions(interruptionOptions(sliceOptions(line)));
}

/** Options of the commands that slice a loss. */
export function sliceOptions(command: Command): Command {
  return workerOptions(evaluationOptions(command)).addOption(
    new Option("--batch-norm <policy>", "moving statistics at each point").choices(BATCH_NORM_POLICIES),
  );
}

/** Options of the processes and threads that evaluate. */
export function workerOptions(command: Command): Command {
  return command
    .option("--workers <n>", "evaluate in so many processes, or auto (default: in this one)", parseWorkers)
    .option(
      "--threads <n>",
      "threads, in each process (default with --workers: 1)",
      parseCount("--threads", 1, 256),
    );
}

/** Options of the commands that evaluate a model on a data module. */
export function evaluationOptions(command: Command): Command {
  return command
    .requiredOption("--data <module>", "JS or TS module that exports loadData()")
    .option("--test", "evaluate on the module's loadTestData() as well")
    .addOption(new Option("--loss <mode>", "compiled loss or exact logits form").choices(["model", "logits"]))
    .option("--batch-size <n>", "samples per batch", parseCount("--batch-size"))
    .addOption(
      new Option("--engine <name>", "what evaluates (default: auto, the fastest)").choices(ENGINE_CHOICES),
    )
    .addOption(backendOption());
}

/** Options of an approximate surface. */
export function approximateOptions(command: Command): Command {
  return command
    .option("--approximate", "approximate the surface, and say how far it may be off")
    .option(
      "--tolerance <share>",
      "error to reach, as a share of the loss range, with --approximate (default: 0.01)",
      parseShare("--tolerance"),
    )
    .option(
      "--budget <share>",
      "most sample evaluations, as a share of the exact surface's (default: 0.1)",
      parseShare("--budget"),
    );
}

/** Options of a surface, or of lines, that may end before they are complete. */
export function interruptionOptions(command: Command): Command {
  return command
    .option("--resume", "go on with an interrupted computation, or say why that cannot be")
    .option("--no-resume", "start anew, whatever an interrupted computation has left")
    .option("--max-seconds <n>", "stop after so long, with a coarser picture", parsePositive("--max-seconds"))
    .option("--max-points <n>", "stop after so many points", parseCount("--max-points"))
    .option(
      "--max-samples <n>",
      "stop after so many samples, all points together",
      parseCount("--max-samples"),
    );
}

/** Options of random directions. */
export function normalizationOptions(command: Command): Command {
  return command
    .addOption(new Option("--normalize <rule>", "normalization of random directions").choices(NORMALIZATIONS))
    .option("--ignore <roles>", "roles that do not move (default: bias,scale,offset)", parseRoles)
    .addOption(
      new Option("--one-dimensional <rule>", "weights of one axis that are not ignored").choices([
        "vector",
        "reference",
      ]),
    );
}

/** Options of the commands that draw. */
export function pictureOptions(command: Command): Command {
  return command
    .option("--out <dir>", "folder for results and pictures (default: the first run's directory)")
    .addOption(new Option("--format <formats...>", "pictures to write").choices(["svg", "png", "html"]))
    .option("--title <text>", "title of the figure")
    .option("--width <px>", "width of the pictures", parseCount("--width", 200))
    .option("--height <px>", "height of the pictures", parseCount("--height", 200));
}

/** Adds a command with `--json`. */
export function subcommand(program: Command, name: string): Command {
  return program
    .command(name)
    .option("--json", "print one JSON object on stdout and nothing else", false)
    .exitOverride();
}

/** Options of the plane of principal components. */
export function planeOptions(command: Command): Command {
  return command
    .addOption(new Option("--center <how>", "centring of the snapshots").choices(["mean", "final"]))
    .option(
      "--components <i,j>",
      "the two components of the plane, from 1 on (default: 1,2)",
      parseComponents,
    )
    .addOption(new Option("--weights <which>", "weights that count").choices(["trainable", "all"]))
    .option("--force", "compute again, also where stored results are up to date");
}

/** `--backend`. */
export function backendOption(): Option {
  return new Option("--backend <name>", "TensorFlow.js backend").choices(BACKEND_CHOICES);
}

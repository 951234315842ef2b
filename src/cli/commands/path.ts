import { type Command, InvalidArgumentError, Option } from "commander";
import { openRunPart } from "../../analysis/model-point.js";
import { analyzePath, type PathAnalysis } from "../../analysis/path-stage.js";
import { toRows } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { type PathProfile, profileFacts } from "../../between/path-profile.js";
import { hasStatistics } from "../../loss/slice-loss.js";
import type { Run } from "../../store/run/run.js";
import {
  backendOption,
  outputFolder,
  parseCount,
  parseModuleFile,
  refuseStray,
  type StepCommandOptions,
  stepOptions,
} from "../command-options.js";
import { type SliceCommandOptions, workerOptions } from "../evaluation-options.js";
import { interruptible } from "../interruption.js";
import { type Evaluation, evaluationOf, startBackend } from "../open-evaluator.js";
import { createOutput, type Output, type Progress } from "../output.js";
import { type PictureCommandOptions, pictureOptions, writePictures } from "../pictures.js";

/** Options of `path`. */
export interface PathCommandOptions
  extends PictureCommandOptions,
    StepCommandOptions,
    Omit<SliceCommandOptions, "data" | "batchNorm"> {
  readonly data?: string;
  readonly origin?: number;
  readonly weights?: "trainable" | "all";
  readonly points?: number;
  readonly averages?: readonly number[];
}

/** Options that say nothing without data. */
const OF_DATA = [
  "test",
  "points",
  "averages",
  "workers",
  "threads",
  "redis",
  "spool",
  "store",
  "queue",
  "batchSize",
  "resume",
] as const;

/** `path RUN`: the shape of a run's path, and with `--data` its barriers and averages. */
export async function path(
  reference: string,
  options: PathCommandOptions,
  evaluation: Evaluation | null,
  output: Output,
): Promise<void> {
  if (evaluation === null) refuseStray(options, OF_DATA, "--data beside it", "none");
  const run = await openRunPart(reference, options);
  const folder = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    // Averages have no statistics of their own.
    const batchNorm = hasStatistics(run.layout) ? ("recalibrate" as const) : undefined;
    const tools = evaluation === null ? null : await evaluation.open(run, output, { batchNorm, signal });
    if (tools === null) await startBackend(options.backend, output);
    const bars: Partial<Record<"path" | "losses", Progress>> = {};
    const onProgress = (step: "path" | "losses", done: number, total: number): void => {
      if (step === "losses") bars.path?.stop();
      bars[step] ??= output.progress(TITLES[step]);
      bars[step]?.update(done, total);
    };
    const stop = (): void => {
      for (const bar of Object.values(bars)) bar.stop();
    };
    try {
      const { origin, weights, points, averages, force, resume } = options;
      const sets = tools?.sets ?? [];
      const given = { sets, origin, weights, points, averages, force, resume, directory: folder };
      const found = await analyzePath(run, { ...given, title: options.title, signal, onProgress });
      stop();
      output.warn(condenseWarnings(found.warnings));
      const files = await writePictures("path", folder, found.figures, options, output);
      output.result({ ...jsonOf(run, found), files });
      for (const line of summary(found)) output.print(line);
    } finally {
      stop();
      tools?.dispose();
    }
  });
}

const TITLES = { path: "inner products of updates", losses: "losses on the path, points" } as const;

function jsonOf(run: Run, { statistics, profiles }: PathAnalysis) {
  const { gram: _, map, updateCosines, ...rest } = statistics;
  const n = statistics.stepLength.length;
  return {
    name: run.manifest.name,
    steps: run.snapshots.map(({ step }) => step),
    ...rest,
    map: toRows(map, n),
    updateCosines: toRows(updateCosines, n),
    profiles: profiles.map((profile) => ({ ...profile, ...profileFacts(profile) })),
  };
}

function summary({ statistics, profiles }: PathAnalysis): string[] {
  const { meanMap, walkMeanMap, directness, updateCosines, stepLength, weights } = statistics;
  const n = stepLength.length;
  const successive = Array.from({ length: n - 2 }, (_, i) => updateCosines[(i + 2) * n + i + 1]);
  const known = successive.filter(Number.isFinite);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const length = stepLength.reduce((sum, step) => sum + step, 0);
  return [
    `trajectory map: mean cosine ${meanMap.toFixed(3)} (random walk: ${walkMeanMap.toFixed(3)})`,
    `path of length ${length.toPrecision(4)}, ${(100 * directness).toFixed(1)} % of it between its ends`,
    ...(known.length === 0
      ? []
      : [
          `successive updates: mean cosine ${mean.toFixed(3)} (random: 0 ± ${(1 / Math.sqrt(weights)).toPrecision(2)})`,
        ]),
    ...profiles.flatMap(profileLines),
  ];
}

function profileLines(profile: PathProfile): string[] {
  const { set, t, averages } = profile;
  const facts = profileFacts(profile);
  const heights = facts.barriers.map(({ aboveLine }) => aboveLine).filter(Number.isFinite);
  const last = facts.snapshots.at(-1) as number;
  const best = Array.from(facts.averages.keys())
    .filter((i) => Number.isFinite(facts.averages[i]))
    .sort((a, b) => facts.averages[a] - facts.averages[b])[0];
  return [
    ...(t.length > 2 && heights.length > 0
      ? [`${set}: largest barrier between neighbours ${Math.max(...heights).toPrecision(3)}`]
      : []),
    ...(best === undefined
      ? []
      : [
          `${set}: loss ${last.toPrecision(4)} at the last snapshot, ${facts.averages[best].toPrecision(4)} at the best average (${averages[best].kind.toUpperCase()} of ${averages[best].count})`,
        ]),
  ];
}

/** Declares the arguments and options of `path`. */
export function declarePath(command: Command): void {
  stepOptions(command)
    .argument("<run>", "run directory, or RUN@A..B for a part of it")
    .option(
      "--origin <step>",
      "snapshot from which the map is seen (default: the first)",
      parseCount("--origin", 0),
    )
    .addOption(new Option("--weights <which>", "weights that count").choices(["trainable", "all"]))
    .option(
      "--data <module>",
      "JS or TS module that exports loadData(): barriers between snapshots, losses of averages",
      parseModuleFile,
    )
    .option("--test", "evaluate on the module's loadTestData() as well")
    .option(
      "--points <n>",
      "points from snapshot to snapshot, both included (default: 5)",
      parseCount("--points", 2),
    )
    .option(
      "--averages <counts>",
      "average the last so many, such as 2,5,10 (default: 2,4,8,...)",
      parseAverages,
    )
    .option("--batch-size <n>", "samples per batch", parseCount("--batch-size"))
    .option("--force", "compute again, also where stored results are up to date")
    .option("--resume", "go on with an interrupted computation, or say why that cannot be")
    .option("--no-resume", "start anew, whatever an interrupted computation has left")
    .addOption(backendOption());
  // Without a default: both forms undefined lets an interrupted evaluation go on if it is of the same things.
  command.setOptionValue("resume", undefined);
  pictureOptions(workerOptions(command)).action((run, options) =>
    path(run, options, options.data === undefined ? null : evaluationOf(options), createOutput(options)),
  );
}

function parseAverages(text: string): readonly number[] {
  const counts = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (counts.every((count) => Number.isSafeInteger(count) && count >= 2)) return counts;
  throw new InvalidArgumentError(
    `--averages: expected whole numbers from 2 on such as 2,5,10, got "${text}".`,
  );
}

import type { Command } from "commander";
import { openRunPart } from "../../analysis/model-point.js";
import { analyzeWeights } from "../../analysis/weights-stage.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { titleOfRuns } from "../../figure/make/run-data.js";
import type { Run } from "../../store/run/run.js";
import { outputFolder, type StepCommandOptions, stepOptions } from "../command-options.js";
import { createOutput, type Output } from "../output.js";
import {
  type AccuracyCommandOptions,
  accuracyFormOf,
  type PictureCommandOptions,
  pictureOptions,
  writePictures,
} from "../pictures.js";

/** Options of `weights`. */
export interface WeightsCommandOptions
  extends PictureCommandOptions,
    StepCommandOptions,
    Pick<AccuracyCommandOptions, "accuracy"> {
  readonly force?: boolean;
}

/** `weights RUN…`: training curves, weight norms, distances, histograms, and what the path does. */
export async function weights(
  directories: readonly string[],
  options: WeightsCommandOptions,
  output: Output,
): Promise<void> {
  const runs: Run[] = [];
  for (const reference of directories) runs.push(await openRunPart(reference, options));
  const [first] = runs;
  if (first === undefined) throw new InvalidOptionError("runs", "at least one run", "none");
  const folder = outputFolder(options.out, first.directory);
  const bar = output.progress("weights, snapshots");
  const { statistics, angles, histograms, figures, warnings } = await analyzeWeights(
    runs,
    defined({
      accuracyAs: accuracyFormOf(options),
      directory: folder,
      force: options.force,
      onProgress: (done: number, total: number) => bar.update(done, total),
    }),
  ).finally(() => bar.stop());
  output.warn([...runs.flatMap((run) => run.warnings), ...warnings]);
  const named = figures.map(({ name, figure }) => ({ name: `weights-${name}`, figure }));
  const title = options.title ?? titleOfRuns(runs.map(({ manifest }) => manifest.name));
  const files = await writePictures("weights", folder, named, { ...options, title }, output);
  output.result({
    runs: runs.map(({ manifest, snapshots }, i) => ({
      name: manifest.name,
      epochs: snapshots.map(({ epoch }) => epoch),
      iterations: snapshots.map(({ iteration }) => iteration),
      ...statistics[i],
      angles: angles[i] ?? null,
    })),
    histograms,
    files,
  });
  for (const [i, { manifest, directory }] of runs.entries()) {
    const last = (statistics[i]?.norm.length ?? 1) - 1;
    const at = (values: Float64Array | undefined) => (values?.[last] ?? Number.NaN).toPrecision(4);
    const { norm, distance, pathLength } = statistics[i] ?? {};
    output.print(
      `${manifest.name}: final norm ${at(norm)}, ${at(distance)} from the start, path of length ${at(pathLength)}`,
    );
    if (angles[i] === null) {
      output.note(
        `${manifest.name}: no PCA surface of 3 x 3 points or more is stored, so no angles; compute it with: tfjs-landscape surface ${directory} --data MODULE`,
      );
    }
  }
}

/** Declares the arguments and options of `weights`. */
export function declareWeights(command: Command): void {
  stepOptions(command)
    .argument("<runs...>", "run directories; RUN@A..B is a part of a run")
    .option("--accuracy", "show accuracy instead of error")
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(command).action((runs, options) => weights(runs, options, createOutput(options)));
}

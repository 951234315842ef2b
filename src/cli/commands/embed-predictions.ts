import pick from "lodash/pick.js";
import { PHATE_PARAMETERS } from "../../analysis/embed-options.js";
import { embedPredictions, PREDICTION_METHODS } from "../../analysis/embed-predictions.js";
import { openRunPart } from "../../analysis/model-point.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined, toRows } from "../../base/json.js";
import type { RunsEmbedding } from "../../embedding/runs-embedding.js";
import { createEmbeddingFigure } from "../../figure/make/create-embedding-figure.js";
import { hasStatistics } from "../../loss/slice-loss.js";
import type { Run } from "../../store/run/run.js";
import { outputFolder, refuseStray } from "../command-options.js";
import { interruptible } from "../interruption.js";
import { loadDataModule, modelOfRun } from "../load-module.js";
import { startBackend } from "../open-evaluator.js";
import { alignedTable, type Output } from "../output.js";
import { writePictures } from "../pictures.js";
import type { EmbedCommandOptions } from "./embed.js";

/** Options that are about weights, or about distances of weights. */
const OF_WEIGHTS = [
  "weights",
  "knnDist",
  "nPca",
  "centered",
  "log",
  "stability",
  "topology",
  "dropNonFinite",
  "align",
  "tries",
] as const;

/** `embed RUN… --space predictions`: snapshots of runs of any shape, placed by what they predict. */
export async function embedPredictionsCommand(
  directories: readonly string[],
  options: EmbedCommandOptions,
  output: Output,
): Promise<void> {
  const { data, test = false, dimensions, probe, seed, force } = options;
  refuseStray(options, OF_WEIGHTS, "--space weights, which takes it", "--space predictions");
  if (data === undefined) {
    throw new InvalidOptionError(
      "--data",
      "a module whose samples are predicted, with --space predictions",
      "none",
    );
  }
  const methods = [...new Set(options.method ?? (["inpca"] as const))].map((method) => {
    const known = PREDICTION_METHODS.find((name) => name === method);
    if (known !== undefined) return known;
    throw new InvalidOptionError(
      "--method",
      `${PREDICTION_METHODS.join(" or ")} with --space predictions`,
      method,
    );
  });
  const runs: Run[] = [];
  for (const reference of directories) runs.push(await openRunPart(reference, options));
  const folder = outputFolder(options.out, (runs[0] as Run).directory);
  await interruptible(output, async (signal) => {
    await startBackend(options.backend, output);
    const module = await loadDataModule(data);
    if (test && !module.has("loadTestData")) {
      throw new InvalidOptionError("--test", `${data} to export loadTestData()`, "none");
    }
    const samples = await module.load(test ? "loadTestData" : "loadData");
    // As on a plane of several paths: the statistics that training left lag behind at first.
    const isRecalibrated = options.batchNorm !== "keep" && runs.some(({ layout }) => hasStatistics(layout));
    const bar = output.progress("predictions of snapshots");
    const found: RunsEmbedding[] = [];
    try {
      for (const method of methods) {
        const shared = methods.length > 1 && method !== "phate";
        const own = shared ? {} : { ...defined(pick(options, PHATE_PARAMETERS)), seed };
        found.push(
          await embedPredictions(runs, samples, {
            ...own,
            method,
            dimensions,
            probe,
            set: test ? "test" : "train",
            force,
            directory: folder,
            signal,
            ...(isRecalibrated ? { calibration: await module.load("loadData") } : {}),
            ...(module.hasModel ? { modelOf: (run) => modelOf(run, module, data) } : {}),
            onProgress: (step, done, total) => {
              if (step === "predictions") bar.update(done, total);
            },
          }),
        );
      }
    } finally {
      bar.stop();
    }
    output.warn(found.flatMap(({ warnings }) => warnings));
    const color = options.color ?? (runs.length > 1 ? "run" : "loss");
    const figures = found.map((embedding) => {
      const name = `predictions-${embedding.method}-${embedding.dimensions}d`;
      const names = runs.map(({ manifest }) => manifest.name);
      const subject = names.length > 4 ? `${names.length} runs` : names.join(", ");
      const title = options.title ?? `What ${subject} predict`;
      return { name, figure: createEmbeddingFigure(embedding, { color, title }) };
    });
    const files = await writePictures("predictions", folder, figures, options, output);
    const results = found.map((one) => ({ ...one, coordinates: toRows(one.coordinates, one.run.length) }));
    output.result(results.length === 1 ? { ...results[0], files } : { methods: results, files });
    for (const line of summary(found)) output.print(line);
  });
}

/** The data module's own model: the weights of each run are put into it. */
async function modelOf(run: Run, module: Awaited<ReturnType<typeof loadDataModule>>, data: string) {
  const model = await modelOfRun(run, module, { data });
  if (model !== null) return model;
  throw new InvalidOptionError("--data", "a module whose loadModel() gives a model", "none");
}

function summary(found: readonly RunsEmbedding[]): string[] {
  const number = (value: unknown): string =>
    typeof value === "number" && Number.isFinite(value) ? value.toFixed(4) : "–";
  return alignedTable([
    ["method", "trustworthiness", "path continuity", "explained stress"],
    ...found.map(({ method, quality, facts }) => [
      method,
      number(quality.trustworthiness),
      number(quality.pathContinuity),
      number(facts.explainedStress),
    ]),
  ]);
}

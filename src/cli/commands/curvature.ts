import { type Command, Option } from "commander";
import {
  analyzeCurvature,
  type CurvatureStep,
  resolveCurvatureSettings,
} from "../../analysis/analyze-curvature.js";
import { isModelPoint, modelOf, openSubject } from "../../analysis/model-point.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import type { CurvatureSummary, Eigenvalues } from "../../curvature/curvature-file.js";
import type { ParameterRole } from "../../model/layout.js";
import { partOfRun } from "../../store/run/run.js";
import {
  dataOptions,
  defined,
  outputFolder,
  parseCount,
  parsePositive,
  parseRoles,
  pictureOptions,
  type StepCommandOptions,
  stepOptions,
} from "../command-options.js";
import {
  interruptible,
  openModelAndData,
  type PictureCommandOptions,
  writePictures,
} from "../open-evaluator.js";
import { alignedTable, createOutput, type Output, stepProgress } from "../output.js";

/**
 * Options of `curvature`: what is computed at one model. Something that is computed elsewhere (along the trajectory, on a
 * grid) adds its switch here, and its case to {@link curvature}.
 */
export interface CurvatureCommandOptions extends PictureCommandOptions, StepCommandOptions {
  readonly data: string;
  readonly top?: number;
  readonly trace?: boolean;
  readonly density?: boolean;
  readonly perLayer?: boolean;
  readonly gaussNewton?: boolean;
  readonly ignore?: readonly ParameterRole[];
  readonly products?: number;
  readonly steps?: number;
  readonly probes?: number;
  readonly tolerance?: number;
  readonly seed?: number;
  readonly samples?: number;
  readonly regularization?: boolean;
  readonly loss?: "model" | "logits";
  readonly batchSize?: number;
  readonly keepNonFiniteData?: boolean;
  readonly backend?: BackendChoice;
  readonly force?: boolean;
}

const TITLES: Readonly<Record<CurvatureStep, string>> = {
  eigenpairs: "eigenpairs, products at most",
  trace: "trace, products",
  density: "spectral density, products at most",
  layers: "layers",
};

/** `curvature RUN --data MODULE`: exact curvature of the loss at a model. */
export async function curvature(
  reference: string,
  options: CurvatureCommandOptions,
  output: Output,
): Promise<void> {
  const settings = settingsOf(options);
  resolveCurvatureSettings(settings);
  const { from, until } = options;
  const subject = await openSubject(reference);
  const point = await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, { from, until }));
  const { run } = point;
  const folder = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    const { model, data, loss, dataName } = await openModelAndData(run, options, output);
    const steps = stepProgress(output, TITLES);
    try {
      const { summary, directions, figure, warnings } = await analyzeCurvature(point, model, data, {
        ...settings,
        evaluation: {
          ...loss,
          ...defined({
            batchSize: options.batchSize,
            sampleLimit: options.samples,
            includeRegularization: options.regularization,
          }),
        },
        directory: folder,
        force: options.force,
        signal,
        onProgress: steps.onProgress,
        figure: { title: options.title, names: { data: dataName } },
      });
      steps.stop();
      output.warn(warnings);
      const files = await writePictures(
        "curvature",
        folder,
        [{ name: "curvature", figure }],
        options,
        output,
      );
      output.result({ ...summaryFacts(summary), vectors: directions?.vectors.length ?? 0, files });
      for (const line of summaryLines(summary)) output.print(line);
    } finally {
      steps.stop();
    }
  });
}

function settingsOf(options: CurvatureCommandOptions) {
  const { top, trace, density, perLayer, ignore, products, steps, probes, tolerance, seed } = options;
  return {
    ...defined({ top, trace, density, perLayer, ignore, products, steps, probes, tolerance, seed }),
    matrix: options.gaussNewton === true ? ("gauss-newton" as const) : ("hessian" as const),
  };
}

function summaryFacts({ facts, eigenvalues, trace, density, layers }: CurvatureSummary) {
  const values = (found: Eigenvalues | null) =>
    found === null
      ? null
      : { values: found.values, residuals: found.residuals, isConverged: found.isConverged };
  return {
    ...facts,
    eigenvalues: values(eigenvalues),
    trace,
    density: density === null ? null : { ...density, outliers: values(density.outliers) },
    layers,
  };
}

function summaryLines({ facts, eigenvalues, trace, density, layers }: CurvatureSummary): string[] {
  const number = (value: number) => value.toPrecision(4);
  const error = (value: number) => (value === 0 ? "exact" : `± ${value.toPrecision(2)}`);
  const matrix = facts.matrix === "hessian" ? "Hessian" : "Gauss-Newton matrix";
  return [
    `${facts.name}: ${matrix} over ${facts.size.toLocaleString("en")} weights, ${facts.samples.toLocaleString("en")} samples; loss ${number(facts.loss)}, gradient norm ${number(facts.gradientNorm)}`,
    ...(eigenvalues === null
      ? []
      : alignedTable(
          Array.from(eigenvalues.values, (value, i) => [
            `eigenvalue ${i + 1}`,
            number(value),
            `residual ${(eigenvalues.residuals[i] as number).toPrecision(2)}`,
          ]),
        )),
    ...(trace === null
      ? []
      : [`trace ${number(trace.value)} (${error(trace.standardError)}, ${trace.method})`]),
    ...(density === null
      ? []
      : [
          `density between ${number(density.values[0] as number)} and ${number(density.values[density.values.length - 1] as number)}, details finer than ${density.width.toPrecision(2)} not resolved`,
        ]),
    ...(layers === null
      ? []
      : alignedTable([
          ["layer", "weights", "largest |λ|", "residual", "trace", "error"],
          ...layers.map((one) => [
            one.layer,
            one.size.toLocaleString("en"),
            number(one.eigenvalue),
            one.residual.toPrecision(2),
            number(one.trace),
            error(one.standardError),
          ]),
        ])),
  ];
}

/** Declares the arguments and options of `curvature`. */
export function declareCurvature(command: Command): void {
  command
    .argument("<run>", "run directory (its last snapshot), or RUN@STEP for a snapshot of it")
    .option("--top <n>", "eigenpairs of largest magnitude; 0: none (default: 5)", parseCount("--top", 0))
    .option("--trace", "the trace, with its standard error")
    .option("--density", "the spectral density")
    .option("--per-layer", "largest eigenvalue and trace of each layer's own block")
    .option("--gauss-newton", "the Gauss-Newton matrix instead of the Hessian (wants --loss logits)")
    .addOption(
      new Option("--ignore <roles>", "roles of weights that do not count (default: none)").argParser(
        parseRoles,
      ),
    )
    .option("--samples <n>", "only the first samples (default: all)", parseCount("--samples"))
    .option("--seed <n>", "seed of random vectors (default: 0)", parseCount("--seed", 0))
    .option("--products <n>", "products at most for each trace (default: 100)", parseCount("--products", 4))
    .option(
      "--steps <n>",
      "Lanczos steps for each vector of the density (default: 96)",
      parseCount("--steps", 2),
    )
    .option("--probes <n>", "random vectors of the density (default: 4)", parseCount("--probes"))
    .option(
      "--tolerance <share>",
      "residual that is small enough, as a share of the largest |λ| (default: 1e-4)",
      parsePositive("--tolerance"),
    )
    .option("--regularization", "add the model's regularization penalties to the loss")
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(dataOptions(stepOptions(command))).action((run, options) =>
    curvature(run, options, createOutput(options)),
  );
}

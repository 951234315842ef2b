import { join } from "node:path";
import pick from "lodash/pick.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { cleanText } from "../../base/clean-text.js";
import { LandscapeError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { condenseWarnings, type LandscapeWarning, namedWarnings } from "../../base/warning.js";
import type { SolutionDistances } from "../../directions/between-models.js";
import type { Directions } from "../../directions/directions.js";
import type { Trajectory } from "../../directions/project.js";
import { type ComparedFacts, createComparisonTable } from "../../figure/make/create-comparison-table.js";
import { createComparedLinesFigure } from "../../figure/make/create-line-figures.js";
import { createPlanesFigure } from "../../figure/make/create-maps-figures.js";
import { createComparedStabilityFigure } from "../../figure/make/create-stability-figure.js";
import { createTrainingFigure } from "../../figure/make/create-training-figure.js";
import { createTrajectoryFigure } from "../../figure/make/create-trajectory-figure.js";
import { lossChanges, runSettings, titleOfRuns } from "../../figure/make/run-data.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { disposeOptimizer } from "../../model/describe-training.js";
import { assertSameLayout } from "../../model/layout.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";
import type { StabilityPath } from "../../store/kinds/stability-file.js";
import { alignAlike } from "../../store/run/align-runs.js";
import { partOfRun, type Run } from "../../store/run/run.js";
import type { LineSlice } from "../../surface/lines/level-set-width.js";
import type { Surface } from "../../surface/surface.js";
import { alignedRuns } from "../aligned-runs.js";
import { analyzePlane, checkPlaneOptions, type PlaneAnalysis } from "../analyze-plane.js";
import { policySentences } from "../batch-norm.js";
import { distinctNames, modelOf } from "../model-point.js";
import { checkPlane } from "../plane-spec.js";
import { weightWarnings } from "../trained-weights.js";
import type { NamedFigure } from "../write-report.js";
import { comparedFacts, comparedPairs, linesAround, stabilityOf } from "./compare-facts.js";
import {
  type CompareRunsOptions,
  type OpenedRun,
  openRunEvaluators,
  type ResolvedCompareOptions,
  type RunSets,
  resolveCompareOptions,
} from "./compare-options.js";
import { comparedPlanes, namesOf, pcaSpec, type RunPlane } from "./compare-planes.js";

/** The joint plane of aligned runs. */
export interface AlignedJoint {
  readonly joint: PlaneAnalysis;
  /** What was done with each run but the first, a sentence each. */
  readonly sentences: readonly string[];
}

/** What is found out about several runs. */
export interface ComparedResults {
  /** What is compared of each run, with names that differ, in the order of the runs. */
  readonly runs: readonly ComparedFacts[];
  /** Distances and cosines of the final weights, run by run; NaN between runs of different layouts. */
  readonly pairs: SolutionDistances;
  /** All paths on one plane, or null where there is none. */
  readonly joint: PlaneAnalysis | null;
  /** All paths on one plane, the runs aligned to the first one; null where that is not asked for. */
  readonly aligned: AlignedJoint | null;
  /** Why there is no joint plane; null where there is one. */
  readonly whyNoJoint: string | null;
  /** Each run's own plane, over windows of one size. */
  readonly planes: readonly RunPlane[];
  /** Random lines around each run's final weights. */
  readonly lines: readonly LineSlice[];
  /** How sharp the loss is along each run; empty where it was not asked for. */
  readonly stability: readonly StabilityPath[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Returns the figures of a comparison: "joint", "planes", "lines", "table", "training", those that there are. */
export function compareFigures(
  opened: readonly OpenedRun[],
  results: ComparedResults,
  options: ResolvedCompareOptions,
): NamedFigure[] {
  const { runs, pairs, joint, aligned, whyNoJoint, planes, lines, stability, warnings } = results;
  const title = options.title ?? titleOfRuns(opened.map(({ name }) => name));
  const dataName = options.names?.data;
  const data = defined({ dataName });
  const { accuracyAs } = options;
  const shown = defined({ accuracyAs });
  const texts = { lossName: options.names?.loss ?? "training loss", ...data };
  const named = opened.map(({ name, run }) => ({
    name,
    snapshots: run.snapshots,
    settings: runSettings(run),
    lossChanges: lossChanges(run),
  }));
  const paths = (trajectories: readonly (Trajectory | undefined)[]) =>
    named.map((run, index) => ({ ...run, trajectory: trajectories[index] as Trajectory }));
  const figures: NamedFigure[] = [];
  const onePlane = (plane: PlaneAnalysis, heading: string, sentences: readonly string[]) => {
    const policy = plane.batchNorm === "none" ? [] : [policyCaption(plane, opened)];
    const caption = [...sentences, ...policy].join(" ");
    return createTrajectoryFigure({
      ...texts,
      title: `${title}: ${heading}`,
      surface: plane.surfaces[0]?.surface as Surface,
      axes: plane.directions as Directions,
      paths: paths(plane.trajectories),
      ...(caption === "" ? {} : { caption }),
    });
  };
  if (joint !== null) figures.push({ name: "joint", figure: onePlane(joint, "all paths on one plane", []) });
  if (aligned !== null) {
    const figure = onePlane(aligned.joint, "all paths on one plane, aligned", aligned.sentences);
    figures.push({ name: "joint-aligned", figure });
  }
  const own = paths(planes.map((plane) => plane.paths[0]));
  const planesFigure = createPlanesFigure({
    ...texts,
    title: `${title}: each run on its own plane`,
    caption: whyNoJoint ?? "",
    planes: planes.map(({ directions, surface }, index) => ({
      ...(own[index] as (typeof own)[number]),
      axes: directions,
      surface,
    })),
  });
  figures.push({ name: "planes", figure: planesFigure });
  const around = lines.map((slice, index) => ({ name: named[index]?.name ?? "", slice }));
  const linesFigure = createComparedLinesFigure(around, {
    title: `${title}: around each solution`,
    ...data,
    ...shown,
  });
  figures.push({ name: "lines", figure: linesFigure });
  if (stability.length > 0) {
    const compared = stability.map((one, index) => ({
      name: named[index]?.name ?? "",
      snapshots: named[index]?.snapshots ?? [],
      stability: one,
    }));
    const heading = `${title}: each optimizer against its edge of stability`;
    figures.push({ name: "stability", figure: createComparedStabilityFigure(compared, heading) });
  }
  const different = warnings.filter(({ code }) => code === "different-losses");
  const table = createComparisonTable({
    runs,
    pairs,
    hasOneLoss: different.length === 0,
    title: `${title}: in numbers`,
    caption: `Random lines and planes have ${options.normalize ?? "filter"} normalization.`,
    provenance: linesFigure.provenance,
    notes: different.map(({ message }) => message),
  });
  figures.push({ name: "table", figure: table });
  if (named.some(({ snapshots }) => snapshots.some(({ logs }) => Object.keys(logs).length > 0))) {
    figures.push({
      name: "training",
      figure: createTrainingFigure(named, { title: `${title}: training`, ...shown }),
    });
  }
  return figures;
}

function policyCaption({ batchNorm }: PlaneAnalysis, opened: readonly OpenedRun[]): string {
  const samples = opened[0]?.sets[0].evaluator.facts.calibration?.samples ?? null;
  return policySentences(batchNorm, samples).join(" ");
}

/** Losses closer than this share are those of one network, computed by two engines. */
const SAME_LOSS = 1e-4;

/** Says why runs cannot share a plane, or null if they can: one layout, and the same loss at the same weights. */
export async function whyNoJointPlane(
  runs: readonly [OpenedRun, ...OpenedRun[]],
  signal?: AbortSignal,
): Promise<string | null> {
  const [first] = runs;
  const other = runs.find(({ run }) => run.layout.digest !== first.run.layout.digest);
  if (other !== undefined) {
    return (
      `There is no plane that holds all paths: ${describeLayout(first)} and ${describeLayout(other)} ` +
      `differ in their weights${firstDifference(first, other)}.`
    );
  }
  const [own] = first.sets;
  for (const { name, sets, point } of runs) {
    const [train] = sets;
    if (train === own) continue;
    const a = (await own.evaluator.evaluate(point.theta, { signal })).loss;
    const b = (await train.evaluator.evaluate(point.theta, { signal })).loss;
    if (Object.is(a, b) || Math.abs(a - b) <= SAME_LOSS * Math.max(Math.abs(a), Math.abs(b))) continue;
    return (
      `There is no surface under all paths: at the final weights of "${name}" the network of "${first.name}" ` +
      `has another loss (${a.toPrecision(4)}) than its own (${b.toPrecision(4)}), so that they differ in layers or ` +
      `in the compiled loss.`
    );
  }
  return null;
}

function describeLayout({ name, run: { layout } }: OpenedRun): string {
  const { parameterCount, parameters, digest } = layout;
  const count = parameterCount.toLocaleString("en");
  return `"${name}" (${count} numbers in ${parameters.length} weights, layout ${digest.slice(0, 8)})`;
}

function firstDifference(a: OpenedRun, b: OpenedRun): string {
  try {
    assertSameLayout(a.run.layout, b.run.layout, "");
    return "";
  } catch (error) {
    if (!(error instanceof LandscapeError)) throw error;
    const where = error.where.replace(/^: /, "");
    return `${where === "" ? "" : `, first in ${where}`}: ${error.expected} against ${error.got}`;
  }
}

/** Several runs against each other. */
export interface RunsComparison extends ComparedResults {
  /** "joint" (where there is one), "joint-aligned" (with `align`), "planes", "lines", "table", "training" (where anything was logged). */
  readonly figures: readonly NamedFigure[];
}

/**
 * Compares two runs or more: all paths on one plane and one surface, where the runs are of one network; each run
 * on its own plane, with common levels and units; filter-normalized lines around each solution; and a table of
 * losses, sharpness, norms, path lengths and distances.
 *
 * Results are stored in `directory` with their provenance, and read instead of computed where that is equal; the
 * runs' own directories get weight statistics and nothing else. Models are rebuilt from the runs' manifests
 * unless `model` gives them. All losses are on the same data in evaluation mode; lines are taken on every set.
 *
 * @throws {@link InvalidDataError} for fewer than two runs, a run given twice, or data that do not fit;
 * {@link InvalidOptionError} for an option that cannot be used, before anything is computed; {@link EvaluationError} where a
 * manifest cannot say the model.
 * @example
 * const runs = [await openRun("runs/sgd"), await openRun("runs/adam")];
 * const { figures } = await compareRuns(runs, { data: { xs, ys }, directory: "runs/compare" });
 * await writeReport("runs/compare", figures, { page: "compare.html" });
 */
export async function compareRuns(
  given: readonly Run[],
  options: CompareRunsOptions,
): Promise<RunsComparison> {
  const runs = alignAlike(given);
  const resolved = resolveCompareOptions(runs, options);
  checkPlane(pcaSpec(resolved));
  checkPlaneOptions(pick(resolved, ["size", "margin", "pathLosses", "batchNorm"]));
  const names = distinctNames(runs.map(({ manifest }) => cleanText(manifest.name) || "run"));
  const evaluators = await openRunEvaluators(runs, resolved);
  try {
    const opened: OpenedRun[] = [];
    for (const [index, run] of runs.entries()) {
      const [name, sets] = [names[index] as string, evaluators.sets[index] as RunSets];
      opened.push({ run, name, point: await modelOf(run), sets, model: evaluators.networks[index] ?? null });
    }
    return await compareOpened(opened as [OpenedRun, ...OpenedRun[]], resolved);
  } finally {
    evaluators.dispose();
  }
}

async function compareOpened(
  opened: readonly [OpenedRun, ...OpenedRun[]],
  options: ResolvedCompareOptions,
): Promise<RunsComparison> {
  const { linearAlgebra = createLinearAlgebra() } = options;
  const whyNoJoint = await whyNoJointPlane(opened, options.signal);
  const joint = whyNoJoint === null ? await jointPlane(opened, linearAlgebra, options) : null;
  const aligned = joint === null ? null : await alignedPlane(opened, linearAlgebra, options);
  const planes = await comparedPlanes(opened, linearAlgebra, options);
  const lines = await linesAround(opened, options);
  const stability = await stabilityOf(opened, options);
  const runs = await comparedFacts(opened, planes, lines, stability, options);
  const warnings = condenseWarnings([
    ...opened.flatMap(({ name, run, sets }) =>
      namedWarnings(name, [
        ...run.warnings,
        ...sets.flatMap(({ evaluator }) => evaluator.facts.warnings ?? []),
        ...weightWarnings([run], sets[0].evaluator.facts),
      ]),
    ),
    ...(joint?.warnings ?? []),
    ...(aligned?.warnings ?? []),
    ...opened.flatMap(({ name }, i) => {
      const own = [planes[i]?.directions, planes[i]?.surface, lines[i], stability[i]];
      return namedWarnings(
        name,
        own.flatMap((one) => one?.warnings ?? []),
      );
    }),
    ...differentLosses(opened),
  ]);
  const results = {
    runs,
    pairs: comparedPairs(opened),
    joint,
    aligned,
    whyNoJoint,
    planes,
    lines,
    stability,
    warnings,
  };
  return { ...results, figures: compareFigures(opened, results, options) };
}

/** The joint plane of the runs aligned to the first one, where that is asked for. */
async function alignedPlane(
  opened: readonly [OpenedRun, ...OpenedRun[]],
  linearAlgebra: LinearAlgebra,
  options: ResolvedCompareOptions,
): Promise<(AlignedJoint & Pick<PlaneAnalysis, "warnings">) | null> {
  const { align: method, alignTries: tries, data, signal } = options;
  if (method === undefined) return null;
  const [{ run, sets }] = opened;
  const model = await (options.model?.(run) ?? modelFromManifest(run.manifest));
  try {
    const given = opened.map((one) => partOfRun(one.run, options));
    const found = await alignedRuns(given, model, data, { method, tries, set: sets[0], signal });
    const others = found.runs.map((one, i) => ({ ...(opened[i] as OpenedRun), run: one }));
    const joint = await jointPlane(
      others as [OpenedRun, ...OpenedRun[]],
      linearAlgebra,
      { ...options, from: undefined, until: undefined },
      "joint-aligned",
    );
    return { joint, sentences: found.sentences, warnings: [...found.warnings, ...joint.warnings] };
  } finally {
    if (options.model === undefined) {
      disposeOptimizer(model.optimizer);
      model.dispose();
    }
  }
}

function jointPlane(
  opened: readonly [OpenedRun, ...OpenedRun[]],
  linearAlgebra: LinearAlgebra,
  options: ResolvedCompareOptions,
  folder = "joint",
): Promise<PlaneAnalysis> {
  const [train] = opened[0].sets;
  const runs = opened.map(({ run }) => run);
  return analyzePlane(runs, pcaSpec(options), {
    ...pick(options, [
      "size",
      "margin",
      "pathLosses",
      "batchNorm",
      "force",
      "signal",
      "onProgress",
      "from",
      "until",
    ]),
    sets: [train],
    linearAlgebra,
    directory: join(options.directory, folder),
    figure: { names: namesOf(options) },
  });
}

/** Losses of different functions have no order. */
function differentLosses(opened: readonly [OpenedRun, ...OpenedRun[]]): LandscapeWarning[] {
  const [first] = opened;
  const lossOf = ({ run }: OpenedRun): string => JSON.stringify(run.manifest.loss);
  const other = opened.find((run) => lossOf(run) !== lossOf(first));
  if (other === undefined) return [];
  const message = `"${first.name}" was trained on ${lossOf(first)}, "${other.name}" on ${lossOf(other)}: their losses cannot be compared`;
  return [{ code: "different-losses", message }];
}

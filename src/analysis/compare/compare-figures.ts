import type { LandscapeWarning } from "../../base/warning.js";
import type { Directions } from "../../directions/directions.js";
import type { Trajectory } from "../../directions/project.js";
import type { SolutionDistances } from "../../directions/solution-distances.js";
import { type ComparedFacts, createComparisonTable } from "../../figure/make/create-comparison-table.js";
import { createComparedLinesFigure } from "../../figure/make/create-line-figures.js";
import { createPlanesFigure } from "../../figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../figure/make/create-training-figure.js";
import { createTrajectoryFigure } from "../../figure/make/create-trajectory-figure.js";
import { runSettings } from "../../figure/make/run-data.js";
import type { LineSlice } from "../../surface/lines/level-set-width.js";
import type { Surface } from "../../surface/surface.js";
import type { PlaneAnalysis } from "../analyze-plane.js";
import { policySentences } from "../batch-norm.js";
import type { NamedFigure } from "../write-report.js";
import type { OpenedRun } from "./compare-evaluators.js";
import type { ResolvedCompareOptions } from "./compare-options.js";
import type { RunPlane } from "./compare-planes.js";

/** What is found out about several runs. */
export interface ComparedResults {
  /** What is compared of each run, with names that differ, in the order of the runs. */
  readonly runs: readonly ComparedFacts[];
  /** Distances and cosines of the final weights, run by run; NaN between runs of different layouts. */
  readonly pairs: SolutionDistances;
  /** All paths on one plane, or null where there is none. */
  readonly joint: PlaneAnalysis | null;
  /** Why there is no joint plane; null where there is one. */
  readonly whyNoJoint: string | null;
  /** Each run's own plane, over windows of one size. */
  readonly planes: readonly RunPlane[];
  /** Random lines around each run's final weights. */
  readonly lines: readonly LineSlice[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Returns the figures of a comparison: "joint", "planes", "lines", "table", "training", those that there are. */
export function compareFigures(
  opened: readonly OpenedRun[],
  results: ComparedResults,
  options: ResolvedCompareOptions,
): NamedFigure[] {
  const { runs, pairs, joint, whyNoJoint, planes, lines, warnings } = results;
  const title = options.title ?? opened.map(({ name }) => name).join(" and ");
  const dataName = options.names?.data;
  const data = dataName === undefined ? {} : { dataName };
  const { accuracyAs } = options;
  const shown = accuracyAs === undefined ? {} : { accuracyAs };
  const texts = { lossName: options.names?.loss ?? "training loss", ...data };
  const named = opened.map(({ name, run }) => ({
    name,
    snapshots: run.snapshots,
    settings: runSettings(run),
  }));
  const paths = (trajectories: readonly (Trajectory | undefined)[]) =>
    named.map((run, index) => ({ ...run, trajectory: trajectories[index] as Trajectory }));
  const figures: NamedFigure[] = [];
  if (joint !== null) {
    const figure = createTrajectoryFigure({
      ...texts,
      title: `${title}: all paths on one plane`,
      surface: joint.surfaces[0]?.surface as Surface,
      axes: joint.directions as Directions,
      paths: paths(joint.trajectories),
      ...(joint.batchNorm === "none" ? {} : { caption: policyCaption(joint, opened) }),
    });
    figures.push({ name: "joint", figure });
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
  const table = createComparisonTable({
    runs,
    pairs,
    title: `${title}: in numbers`,
    caption: `Random lines and planes have ${options.normalize ?? "filter"} normalization.`,
    provenance: linesFigure.provenance,
    notes: warnings.filter(({ code }) => code === "different-losses").map(({ message }) => message),
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

import { refuseRenamed } from "../base/option-names.js";
import { type LandscapeWarning, namedWarnings } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import type { Figure } from "../figure/figure.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { listSurfaces } from "../store/kinds/stored-surfaces.js";
import type { PlaneFacts } from "../store/kinds/surface-key.js";
import type { Run } from "../store/run/run.js";
import { createGrid } from "../surface/grid.js";
import type { SetSurface } from "../surface/lines/evaluate-sets.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import type { Grid } from "../surface/surface.js";
import type { PlaneHessian } from "./analyze-curvature.js";
import { betweenWarnings, choosePolicy, policyWarnings } from "./batch-norm.js";
import type { Subject } from "./model-point.js";
import {
  checkEvaluation,
  type EvaluationOptions,
  type FigureOptions,
  type GridOptions,
  type PathLossesOptions,
  type ProgressOptions,
  type ResultOptions,
  resolveGrid,
  resolvePathLosses,
} from "./options.js";
import { fidelityFile, pathLosses } from "./path-losses.js";
import { planeFigure } from "./plane-figure.js";
import {
  checkPlane,
  isBetween,
  type OpenedPlane,
  type OpenPlaneOptions,
  openPlane,
  type PlaneKind,
  type PlaneSpec,
} from "./plane-spec.js";
import { storedSurface } from "./stored-surface.js";
import { weightWarnings } from "./trained-weights.js";

/** The steps of an analysis that take time. */
export type PlaneStep = "directions" | "surface" | "fidelity";

/** Options of {@link analyzePlane}. */
export interface AnalyzePlaneOptions
  extends EvaluationOptions,
    GridOptions,
    PathLossesOptions,
    ResultOptions,
    ProgressOptions<PlaneStep>,
    Pick<OpenPlaneOptions, "linearAlgebra" | "elsewhere" | "from" | "until"> {
  /** Computes the Hessian within the plane, which is drawn as an ellipse at its centre. Default none. */
  readonly hessian?: PlaneHessian | undefined;
  readonly figure?: FigureOptions | undefined;
}

/** A plane with its paths, surfaces and figure. */
export interface PlaneAnalysis {
  readonly plane: PlaneKind;
  /** The plane as directions; null where it is none (bilinear). */
  readonly directions: Directions | null;
  /** The runs whose paths are on it, or the parts of them that are drawn. */
  readonly runs: readonly Run[];
  /** Their paths, with losses where there is an evaluation set. */
  readonly trajectories: readonly Trajectory[];
  /** One surface for each evaluation set, on identical grids. */
  readonly surfaces: readonly SetSurface[];
  /** What became of batch norm's statistics; "none" where the network has none. */
  readonly batchNorm: BatchNormPolicyName | "none";
  /** null where nothing was evaluated. */
  readonly figure: Figure | null;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Analyses a plane: where it lies, the paths of runs on it, the loss on each evaluation set, and how far plane and
 * networks differ along the paths. Without `sets` only the plane and the paths are computed.
 *
 * Everything is stored under `directory` and read if it is current: results are known by what they are, so that
 * other settings replace nothing, and points that are known are not evaluated again.
 *
 * @param subjects - runs, or models (snapshots of runs), as many as the plane takes.
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is computed;
 * {@link LayoutError} if subjects and evaluators differ in their parameters.
 * @see Li et al. 2018, sections 4 and 7 and appendix B.
 * @example
 * const sets = [{ name: "train", evaluator }];
 * const { figure } = await analyzePlane([await openRun("runs/adam")], { kind: "pca" }, { sets });
 */
export async function analyzePlane(
  subjects: readonly Subject[],
  plane: PlaneSpec,
  options: AnalyzePlaneOptions = {},
): Promise<PlaneAnalysis> {
  checkPlane(plane);
  checkPlaneOptions(options);
  const opened = await openPlane(subjects, plane, { ...options, onProgress: options.onProgress });
  return evaluatePlane(opened, gridOf(opened, options), options);
}

/** Checks options before the first expensive step; also those that have another name now. */
export function checkPlaneOptions(options: AnalyzePlaneOptions): void {
  refuseRenamed(options, "plane");
  resolveGrid(options);
  resolvePathLosses(options);
  checkEvaluation({ ...options, ...options.figure });
}

/** The grid that was asked for, or one around the paths; around the center where there is none. */
function gridOf(plane: OpenedPlane, options: GridOptions): Grid {
  const { size, margin, grid } = resolveGrid(options);
  if (grid !== null) return createGrid({ grid });
  if (plane.paths.length > 0) {
    const coordinates = plane.paths.flatMap((path) => Array.from(path.coordinates));
    return createGrid({ coordinates: Float64Array.from(coordinates), size, margin });
  }
  const [from, to] = isBetween(plane.kind) ? [-0.5, 1.5] : [-1, 1];
  const axis = (points: number) => ({ from, to, size: points });
  return createGrid({ grid: { alpha: axis(size[0]), beta: axis(size[1]) } });
}

/** Options of {@link evaluatePlane}. */
export interface EvaluatePlaneOptions extends AnalyzePlaneOptions {
  /** Whether the losses along the paths are evaluated as well. Default true. */
  readonly withPaths?: boolean;
}

/**
 * Evaluates, or reads if they are stored, the surfaces of a plane and the losses along its paths.
 *
 * @example const { figure } = await evaluatePlane("random", [model], [{ name: "train", evaluator }]);
 */
export async function evaluatePlane(
  plane: OpenedPlane,
  grid: Grid,
  options: EvaluatePlaneOptions,
): Promise<PlaneAnalysis> {
  const { sets = [], figure = {}, signal, withPaths = options.shard === undefined } = options;
  const [first] = sets;
  const warnings = [...plane.warnings, ...(plane.directions?.warnings ?? [])];
  const common = { plane: plane.kind, directions: plane.directions, runs: plane.runs };
  if (first === undefined) {
    return { ...common, trajectories: plane.paths, surfaces: [], batchNorm: "none", figure: null, warnings };
  }
  const chosen = choosePolicy(
    {
      layout: plane.run.layout,
      isBetween: isBetween(plane.kind),
      movesStatistics: plane.kind === "pca" && plane.weights === "all",
      paths: plane.runs.length,
      starts: await Promise.all(plane.runs.map((run) => run.readTheta(0))),
    },
    options.batchNorm,
    first.evaluator,
  );
  const { policy } = chosen;
  const places = placesOf(plane, options);
  const notes = leftOut(plane);
  warnings.push(
    ...weightWarnings(plane.runs.length > 0 ? plane.runs : [plane.run], first.evaluator.facts),
    ...chosen.warnings,
    ...(await otherPolicy(plane, policy, places.directory)),
  );
  const { surfaces, isChanged } = await surfacesOf(
    plane,
    grid,
    sets,
    policy,
    notes,
    { ...options, ...places },
    warnings,
  );
  const force = options.force === true || isChanged;
  const found = withPaths
    ? await pathLosses(plane, first, policy, { ...options, ...places, force })
    : { trajectories: [...plane.paths], warnings: [] };
  warnings.push(
    ...found.warnings,
    ...(await policyWarnings(plane, found.trajectories, policy, first.evaluator, signal)),
    ...(isBetween(plane.kind) && surfaces[0] !== undefined
      ? await betweenWarnings(
          plane.points,
          surfaces[0].surface,
          plane.run.layout,
          policy,
          first.evaluator,
          signal,
        )
      : []),
  );
  const { directions, slice } = plane;
  const hessian =
    options.hessian === undefined || directions === null
      ? null
      : await options.hessian({ directions, slice });
  const evaluated = sets.flatMap(({ evaluator }) => evaluator.facts.warnings ?? []);
  return {
    ...common,
    trajectories: found.trajectories,
    surfaces,
    batchNorm: policy,
    figure: planeFigure(plane, surfaces, withPaths ? found.trajectories : [], {
      ...figure,
      batchNorm: policy,
      calibrationSamples: samplesOf(policy, first),
      notes,
      hessian,
    }),
    warnings: [
      ...evaluated,
      ...warnings,
      ...surfaces.flatMap(({ surface }) => surface.warnings),
      ...found.trajectories.flatMap(({ warnings: own }, i) =>
        plane.runs.length === 1 ? own : namedWarnings(plane.runs[i]?.manifest.name ?? "", own),
      ),
    ],
  };
}

function placesOf(plane: OpenedPlane, { directory, elsewhere = [] }: AnalyzePlaneOptions) {
  return { directory: directory ?? plane.run.directory, elsewhere };
}

/** What a diverged run leaves out, for the caption. */
function leftOut({ warnings }: OpenedPlane): string[] {
  return warnings.filter(({ code }) => code === "diverged-snapshots").map(({ message }) => `${message}.`);
}

/** Says so where a surface of version 1 is not reused because the policy is another one now. */
async function otherPolicy(
  plane: OpenedPlane,
  policy: string,
  directory: string,
): Promise<LandscapeWarning[]> {
  const others = (await listSurfaces(directory)).filter(
    ({ key, version }) =>
      version === 1 &&
      key?.points.slice === plane.slice &&
      ![policy, "none"].includes(key.points.batchNorm.policy) &&
      policy !== "none",
  );
  return others.map(({ name, facts }) => ({
    code: "other-policy",
    message: `surfaces/${name}.arrow has batch norm "${facts.batchNorm}", now it is "${policy}": it stays, and is used with batchNorm "${facts.batchNorm}" (--batch-norm ${facts.batchNorm})`,
  }));
}

async function surfacesOf(
  plane: OpenedPlane,
  grid: Grid,
  sets: readonly EvaluationSet[],
  policy: BatchNormPolicyName | "none",
  notes: readonly string[],
  options: EvaluatePlaneOptions & { readonly directory: string; readonly elsewhere: readonly string[] },
  warnings: LandscapeWarning[],
): Promise<{ readonly surfaces: SetSurface[]; readonly isChanged: boolean }> {
  const surfaces: SetSurface[] = [];
  let isChanged = false;
  for (const [i, set] of sets.entries()) {
    const found = await storedSurface({
      ...options,
      evaluator: set.evaluator,
      points: plane.points,
      slice: plane.slice,
      grid,
      policy,
      facts: await factsOf(plane, set, sets[0] as EvaluationSet, policy, notes, options),
      onProgress: (done, total, eta) =>
        options.onProgress?.(
          "surface",
          i * total + done,
          sets.length * total,
          sets.length === 1 ? eta : undefined,
        ),
    });
    surfaces.push({ set: set.name, surface: found.surface });
    warnings.push(...found.warnings);
    isChanged ||= found.isChanged && i === 0;
  }
  return { surfaces, isChanged };
}

function samplesOf(policy: string, { evaluator }: EvaluationSet): number | null {
  return policy === "recalibrate" ? (evaluator.facts.calibration?.samples ?? null) : null;
}

async function factsOf(
  plane: OpenedPlane,
  set: EvaluationSet,
  first: EvaluationSet,
  policy: string,
  notes: readonly string[],
  options: EvaluatePlaneOptions,
): Promise<PlaneFacts> {
  const { figure = {} } = options;
  const paths: PlaneFacts["paths"] = [];
  for (const [index, run] of plane.runs.entries()) {
    const steps = run.snapshots.map(({ step }) => step);
    paths.push({
      name: run.manifest.name,
      run: await run.digest(),
      steps: run.isPart === true ? steps : null,
      fidelity: (await fidelityFile(plane, index, first, policy, resolvePathLosses(options))).file,
    });
  }
  return {
    plane: plane.kind,
    set: set.name,
    labels: [...plane.labels],
    marks: plane.marks.map((mark) => ({ ...mark })),
    batchNorm: policy,
    calibrationSamples: samplesOf(policy, set),
    dataName: figure.names?.data ?? null,
    lossName: figure.names?.loss ?? null,
    models: [...plane.models],
    directions: plane.file,
    paths,
    notes: [...notes],
  };
}

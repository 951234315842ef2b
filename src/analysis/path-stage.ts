import { join } from "node:path";
import pick from "lodash/pick.js";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import {
  evaluatePathProfile,
  type PathProfile,
  pathAverages,
  segmentPoints,
} from "../between/path-profile.js";
import { readPathProfile, writePathProfile } from "../between/path-profile-file.js";
import { layerColumns, type PathStatistics, pathStatistics } from "../directions/path-statistics.js";
import { pcaEmbedding } from "../embedding/principal-scores.js";
import {
  createPathFigure,
  createPathLossFigure,
  type PathFigureInput,
} from "../figure/make/create-path-figures.js";
import { lossChanges } from "../figure/make/run-data.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { readPathStatistics, writePathStatistics } from "../store/kinds/path-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { keyedName, pointsKey, pointsProvenance } from "../store/kinds/surface-key.js";
import { memo, memoResumably } from "../store/results/memo.js";
import { finitePart, partOfRun, type Run, type StepOptions } from "../store/run/run.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import {
  checkEvaluation,
  type EvaluationOptions,
  type ProgressOptions,
  type ResultOptions,
} from "./options.js";
import { rowSourceOfRuns } from "./row-source.js";
import type { NamedFigure } from "./write-report.js";

/** Options of {@link analyzePath}. */
export interface AnalyzePathOptions
  extends Pick<EvaluationOptions, "sets">,
    ResultOptions,
    StepOptions,
    ProgressOptions<"path" | "losses"> {
  /** Step (ordinal) of the snapshot θ_τ from which the map is seen. Default the first. */
  readonly origin?: number | undefined;
  /** Weights that count. Default "trainable". */
  readonly weights?: "trainable" | "all" | undefined;
  /** Points of each segment between snapshots, both ends included. Default 5. */
  readonly points?: number | undefined;
  /** Averages of the last so many snapshots. Default 2, 4, 8, … up to half of them. */
  readonly averages?: readonly number[] | undefined;
  /** Products and eigenvectors. Default those of the active backend. */
  readonly linearAlgebra?: LinearAlgebra | undefined;
  /** Heading of the figures. Default the run's name. */
  readonly title?: string | undefined;
}

/** What {@link analyzePath} found. */
export interface PathAnalysis {
  readonly statistics: PathStatistics;
  /** Losses on and between the snapshots, one for each evaluation set. */
  readonly profiles: readonly PathProfile[];
  /** "path", and "path-losses" where there are evaluation sets. */
  readonly figures: readonly NamedFigure[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Computes what the path of a run says by itself: its trajectory map, the cosines of its updates, their autocorrelation
 * and the length of the path by layer; and, where there are evaluation sets, barriers between neighbouring snapshots and
 * the losses of averages of the last ones, with batch norm recalibrated. Draws both.
 *
 * Statistics are stored as `path/statistics.arrow`, losses as `path/profile-SET-….arrow`; an interrupted evaluation goes
 * on. Snapshots with weights that are not finite are left out, with a warning.
 * Cost: one reading of the run, O(N²·D); then an evaluation for each point: see `evaluatePathProfile`.
 *
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is read;
 * {@link InvalidDataError} for a run of fewer than two snapshots.
 * @example const { statistics } = await analyzePath(await openRun("runs/adam"));
 */
export async function analyzePath(opened: Run, options: AnalyzePathOptions = {}): Promise<PathAnalysis> {
  const { sets = [], weights = "trainable", force, signal, onProgress } = options;
  checkEvaluation(pick(options, ["sets"]));
  segmentPoints(options.points);
  const run = await finitePart(partOfRun(opened, options));
  const n = run.snapshots.length;
  const origin = positionOf(run, options.origin);
  const averages = n < 2 ? [] : pathAverages(n, options.averages);
  const linearAlgebra = options.linearAlgebra ?? createLinearAlgebra();
  const directory = options.directory ?? run.directory;
  const source = rowSourceOfRuns([run], weights);
  const provenance = await statisticsProvenance(run, origin, weights, linearAlgebra);
  const isPlain = run.isPart !== true && origin === 0 && weights === "trainable";
  const statistics = await memo(
    {
      file: join(directory, "path", isPlain ? "statistics.arrow" : keyedName(["statistics"], provenance)),
      provenance,
      read: readPathStatistics,
      write: (file: string, found: PathStatistics, from: Provenance) =>
        writePathStatistics(file, found, run.snapshots, from),
      force,
    },
    () =>
      pathStatistics(source, {
        linearAlgebra,
        origin,
        layers: layerColumns(run.layout, source.ranges),
        signal,
        onProgress: (done, total) => onProgress?.("path", done, total),
      }),
  );
  const profiles: PathProfile[] = [];
  for (const [s, set] of sets.entries()) {
    profiles.push(
      await profileStage(run, set, averages, directory, {
        ...options,
        onProgress: (step, done, total) => onProgress?.(step, s * total + done, sets.length * total),
      }),
    );
  }
  const input: PathFigureInput = {
    name: run.manifest.name,
    snapshots: run.snapshots,
    lossChanges: lossChanges(run),
    statistics,
    title: options.title,
  };
  const components = profiles.length === 0 || n < 3 ? null : await componentsOf(statistics, linearAlgebra);
  const warnings = [
    ...run.warnings,
    ...statistics.warnings,
    ...profiles.flatMap((profile) => profile.warnings),
    ...profileWarnings(run, sets),
  ];
  return {
    statistics,
    profiles,
    figures: [
      { name: "path", figure: createPathFigure(input) },
      ...(profiles.length === 0
        ? []
        : [
            {
              name: "path-losses",
              figure: createPathLossFigure({ ...input, profiles, averages, components }),
            },
          ]),
    ],
    warnings,
  };
}

/** Coordinates of the snapshots on the two leading principal components. */
async function componentsOf({ gram, stepLength }: PathStatistics, linearAlgebra: LinearAlgebra) {
  const found = await pcaEmbedding(gram, stepLength.length, 2, linearAlgebra);
  return { coordinates: found.embedding, shares: Array.from(found.explainedVarianceRatio) };
}

function positionOf(run: Run, step: number | undefined): number {
  if (step === undefined) return 0;
  const position = run.snapshots.findIndex((snapshot) => snapshot.step === step);
  if (position >= 0) return position;
  const [first, last] = [run.snapshots[0]?.step, run.snapshots.at(-1)?.step];
  throw new InvalidOptionError("origin", `a step of the run (${first} to ${last})`, String(step));
}

async function statisticsProvenance(
  run: Run,
  origin: number,
  weights: string,
  linearAlgebra: LinearAlgebra,
): Promise<Provenance> {
  const positions = run.snapshots.map(({ step, epoch, iteration }) => [step, epoch, iteration]);
  return {
    kind: "path-statistics",
    version: 1,
    options: { origin, weights, snapshots: positions, linearAlgebra: linearAlgebra.name },
    seed: null,
    inputs: { run: await run.digest() },
  };
}

/** Recalibrated where the network has statistics and the evaluator can: an average has none of its own. */
function policyOf(run: Run, { evaluator }: EvaluationSet): PathProfile["policy"] {
  if (!hasStatistics(run.layout)) return "none";
  return evaluator.facts.calibration == null ? "as-trained" : "recalibrate";
}

async function profileStage(
  run: Run,
  set: EvaluationSet,
  averages: ReturnType<typeof pathAverages>,
  directory: string,
  { points, force, resume, signal, onProgress }: AnalyzePathOptions,
): Promise<PathProfile> {
  const { name, evaluator } = set;
  const policy = policyOf(run, set);
  const { options, inputs } = pointsProvenance(pointsKey(await run.digest(), evaluator.facts, policy));
  const provenance: Provenance = {
    kind: "path-profile",
    version: 1,
    options: {
      ...options,
      points: segmentPoints(points).length,
      averages: averages.map(({ kind, count }) => [kind, count]),
    },
    seed: null,
    inputs,
    chosen: { engine: { ...evaluator.facts.engine } },
  };
  return memoResumably(
    {
      what: "path",
      file: join(directory, "path", keyedName(["profile", name], provenance)),
      provenance,
      read: readPathProfile,
      write: writePathProfile,
      engines: [evaluator.facts.engine],
      metrics: evaluator.facts.metricNames,
      tiles: curvePointTiles,
      isPartial: () => false,
      force,
      resume,
    },
    ({ known, onPoint }) =>
      evaluatePathProfile(
        name,
        { count: run.snapshots.length, readTheta: (i) => run.readTheta(i) },
        evaluator,
        {
          points,
          averages,
          policy,
          known,
          onPoint: (index, value) => onPoint({ index, curve: 0, value, undefinedWeights: [] }),
          signal,
          onProgress: (done, total) => onProgress?.("losses", done, total),
        },
      ),
  );
}

function profileWarnings(run: Run, sets: readonly EvaluationSet[]): LandscapeWarning[] {
  if (!sets.some((set) => policyOf(run, set) === "as-trained")) return [];
  const message =
    "averages have the mean of the snapshots' batch-norm statistics, since the evaluator has no calibration set: their loss may be far too high";
  return [{ code: "no-calibration", message }];
}

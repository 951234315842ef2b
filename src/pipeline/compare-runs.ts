import { join } from "node:path";
import pick from "lodash/pick.js";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { condenseWarnings } from "../condense-warnings.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { cleanText } from "../report/clean-text.js";
import type { Run } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import { resolveAnalyzeOptions } from "./analyze-options.js";
import { analyzeRuns, type RunsAnalysis } from "./analyze-runs.js";
import { type OpenedRun, openRunEvaluators, type RunSets } from "./compare-evaluators.js";
import { comparedFacts, comparedPairs, linesAround } from "./compare-facts.js";
import { type ComparedResults, compareFigures } from "./compare-figures.js";
import {
  type CompareRunsOptions,
  type ResolvedCompareOptions,
  resolveCompareOptions,
} from "./compare-options.js";
import { comparedPlanes, sharedOptions } from "./compare-planes.js";
import { distinctNames } from "./distinct-names.js";
import { whyNoJointPlane } from "./joint-plane.js";
import { modelPoint } from "./model-point.js";
import type { NamedFigure } from "./write-report.js";

/** Several runs against each other. */
export interface RunsComparison extends ComparedResults {
  /** "joint" (where there is one), "planes", "lines", "table", "training" (where anything was logged). */
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
  runs: readonly Run[],
  options: CompareRunsOptions,
): Promise<RunsComparison> {
  const resolved = resolveCompareOptions(runs, options);
  resolveAnalyzeOptions(sharedOptions(resolved));
  const names = distinctNames(runs.map(({ manifest }) => cleanText(manifest.name) || "run"));
  const evaluators = await openRunEvaluators(runs, resolved);
  try {
    const opened: OpenedRun[] = [];
    for (const [index, run] of runs.entries()) {
      const [name, sets] = [names[index] as string, evaluators.sets[index] as RunSets];
      opened.push({ run, name, point: await modelPoint(run), sets });
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
  const planes = await comparedPlanes(opened, linearAlgebra, options);
  const lines = await linesAround(opened, options);
  const runs = await comparedFacts(opened, planes, lines, options);
  const warnings = condenseWarnings([
    ...opened.flatMap(({ run, sets }) => [
      ...run.warnings,
      ...sets.flatMap(({ evaluator }) => evaluator.warnings ?? []),
    ]),
    ...(joint?.warnings ?? []),
    ...planes.flatMap(({ directions, surface }) => [...directions.warnings, ...surface.warnings]),
    ...lines.flatMap((slice) => slice.warnings),
    ...differentLosses(opened),
  ]);
  const results = { runs, pairs: comparedPairs(opened), joint, whyNoJoint, planes, lines, warnings };
  return { ...results, figures: compareFigures(opened, results, options) };
}

function jointPlane(
  opened: readonly [OpenedRun, ...OpenedRun[]],
  linearAlgebra: LinearAlgebra,
  options: ResolvedCompareOptions,
): Promise<RunsAnalysis> {
  const [{ evaluator }] = opened[0].sets;
  const runs = opened.map(({ run }) => run);
  return analyzeRuns(
    runs,
    { evaluator, linearAlgebra },
    {
      ...sharedOptions(options),
      ...pick(options, ["onProgress"]),
      directory: join(options.directory, "joint"),
    },
  );
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

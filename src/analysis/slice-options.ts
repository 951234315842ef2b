import { join } from "node:path";
import { InvalidOptionError } from "../base/errors.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import type { BatchNormPolicyName } from "../loss/batch-norm-policy.js";
import type { Run } from "../store/run/run.js";
import type { SurfaceBudget } from "../surface/evaluate-points.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import type { ModelPoint } from "./model-point.js";
import { engineFact } from "./resumable.js";

/** What every slice is computed with beside its models. */
export interface SliceOptions {
  /** What becomes of batch norm's moving statistics; the default depends on the slice. */
  readonly batchNorm?: BatchNormPolicyName;
  /** Folder for results. Default the first model's run directory. */
  readonly directory?: string;
  /** Computes everything again, also where stored results are up to date. Default false. */
  readonly force?: boolean;
  /** Whether a slice interrupted earlier is to go on; as `AnalyzeOptions` has it. */
  readonly resume?: boolean;
  /** Ends a surface, or the lines of a slice together, early. Default no limit. */
  readonly budget?: SurfaceBudget;
  readonly signal?: AbortSignal;
  /** Called after each point with the points done, all to do, and the seconds left where they are known. */
  readonly onProgress?: (done: number, total: number, etaSeconds?: number) => void;
}

/** Everything that a slice's values depend on. */
export function sliceProvenance(
  kind: string,
  options: { readonly [key: string]: JsonValue },
  seed: number | null,
  points: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  batchNorm?: BatchNormPolicyName,
): Provenance {
  const calibration = (batchNorm === "recalibrate" ? sets[0]?.evaluator.facts.calibration : null) ?? null;
  return {
    kind,
    version: 1,
    options: {
      ...options,
      sets: sets.map(({ name, evaluator }) => ({
        name,
        loss: evaluator.facts.lossMode,
        metrics: evaluator.facts.metricNames,
        samples: evaluator.facts.samples,
        engine: engineFact(evaluator),
      })),
      calibrationSamples: calibration?.samples ?? null,
    },
    seed,
    inputs: {
      ...Object.fromEntries(points.map(({ digest }, i) => [`model${i}`, digest])),
      ...Object.fromEntries(sets.map(({ name, evaluator }) => [`data:${name}`, evaluator.facts.dataDigest])),
      ...Object.fromEntries(
        sets.map(({ name, evaluator }) => [`network:${name}`, evaluator.facts.modelDigest]),
      ),
      ...(calibration === null ? {} : { calibration: calibration.dataDigest }),
    },
    chosen: { engines: sets.map(({ evaluator }) => ({ ...evaluator.facts.engine })) },
  };
}

/** A file name out of any text. */
export function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, "-").slice(0, 80);
}

/** Where the results of an analysis of a plane lie. */
export interface ResultFiles {
  readonly directions: string;
  /** Coordinates of each run's path, in the order of the runs. */
  readonly trajectories: readonly string[];
  /** The same with true and plane losses. */
  readonly fidelity: readonly string[];
  readonly surface: string;
  /** A second place to read from, where the first has nothing up to date; nothing is written there. */
  readonly elsewhere?: ResultFiles;
}

/**
 * Returns the files of the PCA plane of one run (in its own directory) or several (in `directory`).
 *
 * @throws {InvalidOptionError} if several runs have no directory for what they share.
 */
export function resultFiles(runs: readonly Run[], directory?: string): ResultFiles {
  const folder = directory ?? onlyDirectory(runs);
  const names = runs.length === 1 ? ["pca"] : runs.map((_, index) => `pca-${index}`);
  return {
    directions: join(folder, "directions", "pca.arrow"),
    trajectories: names.map((name) => join(folder, "trajectories", `${name}.arrow`)),
    fidelity: names.map((name) => join(folder, "fidelity", `${name}.arrow`)),
    surface: join(folder, "surfaces", "pca.arrow"),
  };
}

function onlyDirectory(runs: readonly Run[]): string {
  const [first, second] = runs;
  if (first === undefined || second !== undefined) {
    throw new InvalidOptionError("directory", "a folder for results of several runs", "none");
  }
  return first.directory;
}

/** Returns the file of a plane's surface on one evaluation set. */
export function surfaceFile(directory: string, plane: string, set: string): string {
  return join(directory, "surfaces", `${plane}-${fileName(set)}.arrow`);
}

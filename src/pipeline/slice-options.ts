import type { EvaluationSet } from "../slices/line-slice.js";
import type { JsonValue, Provenance } from "../store/provenance.js";
import type { BatchNormPolicyName, Recalibrator } from "../surface/batch-norm-policy.js";
import type { SurfaceBudget } from "../surface/budget.js";
import { engineFact } from "./engine-fact.js";
import type { ModelPoint } from "./model-point.js";

/** What every slice is computed with beside its models. */
export interface SliceOptions {
  /** What becomes of batch norm's moving statistics; the default depends on the slice. */
  readonly batchNorm?: BatchNormPolicyName;
  /** Needed by "recalibrate"; see `createRecalibrator`. */
  readonly recalibrator?: Recalibrator;
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
  recalibrator?: Recalibrator,
): Provenance {
  return {
    kind,
    version: 1,
    options: {
      ...options,
      sets: sets.map(({ name, evaluator }) => ({
        name,
        loss: evaluator.lossMode,
        metrics: evaluator.metricNames,
        samples: evaluator.samples,
        engine: engineFact(evaluator),
      })),
      calibrationSamples: recalibrator?.samples ?? null,
    },
    seed,
    inputs: {
      ...Object.fromEntries(points.map(({ digest }, i) => [`model${i}`, digest])),
      ...Object.fromEntries(sets.map(({ name, evaluator }) => [`data:${name}`, evaluator.dataDigest])),
      ...Object.fromEntries(sets.map(({ name, evaluator }) => [`network:${name}`, evaluator.modelDigest])),
      ...(recalibrator === undefined ? {} : { calibration: recalibrator.dataDigest }),
    },
    chosen: { engines: sets.map(({ evaluator }) => ({ ...evaluator.engine })) },
  };
}

/** A file name out of any text. */
export function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, "-").slice(0, 80);
}

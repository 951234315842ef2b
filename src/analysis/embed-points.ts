import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { InvalidOptionError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import { checkAlignOptions } from "../between/align-models.js";
import { openProbe } from "../between/model-probe.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { modelDigest } from "../loss/loss-plan.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { modelToJson } from "../model/model-from-manifest.js";
import { alignAlike } from "../store/run/align-runs.js";
import { partOfRun, type Run } from "../store/run/run.js";
import { type AlignedRunsOptions, alignedRuns, assertOneArchitecture } from "./aligned-runs.js";
import type { EmbedOptions } from "./embed-options.js";
import { assertOneLayout, type RunPoints, readRunPoints } from "./run-points.js";

/** How runs are brought into the first one's order of units before they are embedded: see `alignedRuns`. */
export interface EmbedAlignment extends Pick<AlignedRunsOptions, "method" | "tries" | "seed"> {
  /** The architecture of all runs. */
  readonly model: tf.LayersModel;
  /** Inputs that units are matched and checked on. */
  readonly data: EvaluationData;
}

/**
 * Checks that runs can be aligned, before anything is read.
 *
 * @throws {@link InvalidOptionError} for a single run, models that differ, or a method, tries or seed that cannot be;
 * {@link LayoutError} naming both layouts if the runs differ in their parameters.
 */
export function checkAlignment(
  runs: readonly Run[],
  given: Pick<EmbedAlignment, "method" | "tries" | "seed">,
): void {
  if (runs.length < 2) throw new InvalidOptionError("align", "at least 2 runs", String(runs.length));
  checkAlignOptions(given, "align.method");
  assertOneLayout(alignAlike(runs));
  assertOneArchitecture(runs);
}

/** What the provenance of an embedding of aligned runs holds beside that of the runs as they are. */
export async function alignmentProvenance([first]: readonly Run[], given: EmbedAlignment) {
  const { layout } = first as Run;
  const { method = "weights", tries = 5, seed = 0, model, data } = given;
  const probe = await openProbe(model, data, { layout });
  const { dataDigest } = probe;
  probe.dispose();
  const options: Readonly<Record<string, JsonValue>> =
    method === "weights" ? { method, tries, seed } : { method };
  return { options, inputs: { alignData: dataDigest, alignModel: modelDigest(layout, modelToJson(model)) } };
}

/**
 * Returns the points that runs are embedded as: their snapshots, or, with `align`, those of the runs in the first one's
 * order of units, which several methods may share.
 *
 * @throws as `readRunPoints` and `alignedRuns`; {@link InvalidOptionError} if such runs cannot be aligned.
 */
export async function readEmbedPoints(
  opened: readonly Run[],
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<RunPoints> {
  const { align, evaluator, weights = "trainable", nonFinite = "error", signal, onProgress } = options;
  const runs = alignAlike(opened.map((run) => partOfRun(run, options)));
  const read = (these: readonly Run[]): Promise<RunPoints> =>
    readRunPoints(these, linearAlgebra, {
      weights,
      nonFinite,
      signal,
      onProgress: (done, all) => onProgress?.("rows", done, all),
    });
  if (align === undefined) return read(runs);
  checkAlignment(runs, align);
  const found = await alignedRuns(runs, align.model, align.data, {
    ...pick(align, ["method", "tries", "seed"]),
    set: evaluator === undefined ? undefined : { name: "train", evaluator },
    signal,
  });
  const points = await read(found.runs);
  return { ...points, alignment: found.sentences, warnings: [...found.warnings, ...points.warnings] };
}

/**
 * Returns points as they were given, or reads them.
 *
 * @throws {@link InvalidOptionError} if those given are of aligned runs and should not be, or the other way round.
 */
export async function embedPoints(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<RunPoints> {
  const { points: given, align } = options;
  if (given === undefined) return readEmbedPoints(runs, linearAlgebra, options);
  const points = await given();
  const [is, should] = [points.alignment !== undefined, align !== undefined];
  const words = (aligned: boolean): string => (aligned ? "aligned runs" : "runs as they are");
  if (is === should) return points;
  throw new InvalidOptionError("points", `those of ${words(should)}`, `those of ${words(is)}`, {
    hint: "leave out `points` where `align` is given",
  });
}

import { canonicalJson, type JsonValue } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { ClassWeights } from "../loss/evaluation-data.js";
import type { EvaluatorFacts } from "../loss/loss-evaluator.js";
import { describeClassWeights } from "../loss/sample-weights.js";
import type { RunManifest } from "../model/manifest.js";

/** What is read of a run: its manifest. */
interface Trained {
  readonly manifest: Pick<RunManifest, "name" | "fit" | "resumes">;
}

/**
 * Warns of runs that say they were trained with weights (the option `fit` of the callback writes them down) where
 * the evaluation has others, or none: its loss is then not the one that training minimised.
 *
 * @param evaluated - what the evaluator says of its weights.
 */
export function weightWarnings(
  runs: readonly Trained[],
  { weights }: Pick<EvaluatorFacts, "weights">,
): LandscapeWarning[] {
  const found = new Map<string, LandscapeWarning>();
  for (const { manifest } of runs) {
    const { classWeight: first, sampleWeight } = manifest.fit;
    const classWeight = manifest.resumes?.at(-1)?.fit.classWeight ?? first;
    const trained = [
      ...(classWeight === undefined ? [] : [`class weights ${textOf(classWeight)}`]),
      ...(sampleWeight === undefined ? [] : ["weights of samples"]),
    ].join(", ");
    if (trained === "" || trained === weights) continue;
    const now = weights === undefined ? "none" : weights;
    const message = `${manifest.name} was trained with ${trained}, the evaluation has ${now}: its loss is not the one that training minimised. The evaluation takes classWeight (an export of the data module) and sampleWeight (beside xs and ys).`;
    found.set(manifest.name, { code: "weighted-training", message });
  }
  return [...found.values()];
}

/** Class weights as written down in run.json: as the evaluation names its own, if they have that form. */
function textOf(classWeight: JsonValue): string {
  try {
    const names = typeof classWeight === "object" && classWeight !== null ? Object.keys(classWeight) : [];
    const isOfOne = !Array.isArray(classWeight) && names.every((name) => /^\d+$/.test(name));
    const outputs = isOfOne
      ? ["output"]
      : Array.isArray(classWeight)
        ? classWeight.map((_, i) => `${i}`)
        : names;
    return describeClassWeights(outputs, classWeight as unknown as ClassWeights);
  } catch {
    return canonicalJson(classWeight);
  }
}

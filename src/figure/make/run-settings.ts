import { cleanText } from "../../base/clean-text.js";
import type { JsonValue } from "../../base/provenance.js";
import type { Run } from "../../store/run/run.js";
import { formatCount } from "../draw/format-number.js";
import type { Setting } from "../figure.js";

/** Words for what `fit` was called with. */
const FIT_NAMES: Readonly<Record<string, string>> = {
  epochs: "epochs",
  batchSize: "batch size",
  samples: "training samples",
  steps: "steps per epoch",
  initialEpoch: "first epoch",
  doValidation: "validation",
};

/**
 * Returns how a run was trained, as names and values in plain words: optimizer with its settings, loss, what
 * `fit` was called with, parameters, backend, versions, seed, and how often it was continued.
 *
 * Every text is cleaned of control characters, but not escaped.
 *
 * @example const settings = runSettings(await openRun("runs/adam"));
 */
export function runSettings({ manifest, snapshots }: Pick<Run, "manifest" | "snapshots">): Setting[] {
  const { optimizer, layout, backend, packages, fit } = manifest;
  const batch =
    optimizer === null
      ? "unknown"
      : [optimizer.className, inWords(optimizer.config)].filter((text) => text !== "");
  const frozen = layout.parameterCount - layout.trainableCount;
  const resumes = manifest.resumes?.length ?? 0;
  const rows: (readonly [string, string])[] = [
    ["optimizer", typeof batch === "string" ? batch : batch.join(": ")],
    ["loss", manifest.loss === null ? "unknown" : inWords(manifest.loss)],
    ["metrics", manifest.metrics === null ? "" : inWords(manifest.metrics)],
    ...Object.entries(fit).map(
      ([key, value]) =>
        [Object.hasOwn(FIT_NAMES, key) ? (FIT_NAMES[key] as string) : key, inWords(value)] as const,
    ),
    ["snapshots", formatCount(snapshots.length)],
    [
      "parameters",
      `${formatCount(layout.parameterCount)}${frozen === 0 ? "" : `, ${formatCount(frozen)} of them not trained`}`,
    ],
    ["weights stored as", manifest.dtype],
    ["trained on", `${backend.name} (${backend.package})`],
    ["seed", manifest.seed === null ? "not declared" : String(manifest.seed)],
    ["begun", manifest.createdAt],
    ["continued", resumes === 0 ? "" : `${resumes} ${resumes === 1 ? "time" : "times"}`],
    ["versions", inWords(packages)],
  ];
  return rows
    .map(([name, value]) => [cleanText(name), cleanText(value)] as const)
    .filter(([, value]) => value !== "");
}

/** A value of the manifest for a reader: "learningRate 0.1, momentum 0.9". */
function inWords(value: JsonValue): string {
  if (value === null) return "none";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(
      ([key, inner]) =>
        `${key} ${typeof inner === "object" && inner !== null ? `(${inWords(inner as JsonValue)})` : inWords(inner as JsonValue)}`,
    )
    .join(", ");
}

import isEqual from "lodash/isEqual.js";
import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber, type JsonNumber } from "../../base/json.js";
import type { JsonValue } from "../../base/provenance.js";
import type { Trajectory } from "../../directions/project.js";
import type { RunManifest } from "../../model/manifest.js";
import type { Run, SnapshotInfo } from "../../store/run/run.js";
import { counted, formatCount, joinSentences } from "../draw/format-number.js";
import { thinnedSentences } from "../draw/thinning.js";
import {
  AS_TRAINED_LOSS,
  DISPLAYED,
  type Figure,
  HELD_SHARE,
  LEARNING_RATE,
  type Path,
  PLANE_LOSS,
  type Progress,
  RECALIBRATED_LOSS,
  type RunData,
  type Setting,
  type SnapshotColumn,
  TRUE_LOSS,
} from "../figure.js";

/** What a figure consists of, before its texts are cleaned. */
interface FigureParts extends Pick<Figure, "title" | "panels" | "layout" | "description"> {
  readonly runs?: readonly RunData[];
  readonly verdict?: string | undefined;
  readonly fidelity?: readonly string[];
  /** Sentences; empty ones are left out. */
  readonly caption: readonly string[];
  readonly provenance?: string | undefined;
  readonly notes?: readonly string[];
}

/**
 * Returns a figure with clean texts: each note once, the title before the description, and in the caption what the
 * picture leaves out of long paths and curves.
 */
export function figureOf(parts: FigureParts): Figure {
  const { runs = [], panels, layout, fidelity = [], caption, provenance = "", notes = [] } = parts;
  const title = cleanText(parts.title);
  const verdict = cleanText(parts.verdict ?? "");
  return Object.assign(Object.create(DISPLAYED) as object, {
    version: 2 as const,
    title,
    ...(verdict === "" ? {} : { verdict }),
    progress: progressOf(runs),
    runs,
    panels,
    layout,
    fidelity,
    caption: cleanText(joinSentences([...caption, ...thinnedSentences(panels)])),
    provenance: cleanText(provenance),
    notes: [...new Set(notes.map(cleanText))],
    description: [title, verdict.replace(/\.$/, ""), parts.description].filter(Boolean).join(". "),
  });
}

/** Most names that a title lists. */
const NAMES_IN_TITLE = 3;

/** Returns what a title calls several runs: "SGD and Adam", or "12 runs", whose names the legend has. */
export function titleOfRuns(names: readonly string[]): string {
  return names.length <= NAMES_IN_TITLE ? names.join(" and ") : `${names.length} runs`;
}

/** Rates closer than this share are the same rate written with different rounding. */
const RATE_TOLERANCE = 1e-6;

/** Whether the learning rate is lower than at the snapshot before. */
export function isRateLowered(
  { learningRate }: Pick<SnapshotInfo, "learningRate">,
  before: Pick<SnapshotInfo, "learningRate"> | undefined,
): boolean {
  return before !== undefined && learningRate < before.learningRate * (1 - RATE_TOLERANCE);
}

/** One run's path: its snapshots and where they are on the plane, in the same order. */
export interface FigurePathInput {
  /** Name of the run. */
  readonly name: string;
  readonly snapshots: readonly SnapshotInfo[];
  readonly trajectory: Trajectory;
  /** How the run was trained: see `runSettings`; default unknown. */
  readonly settings?: readonly Setting[] | undefined;
  /** Steps from which on another loss was logged: see `lossChanges`; default none. */
  readonly lossChanges?: readonly number[] | undefined;
}

/**
 * Checks that coordinates belong to the snapshots of a run.
 *
 * @throws {@link InvalidDataError} if there is no snapshot, the trajectory has another number of points, or
 *   it is not two-dimensional.
 */
export function checkPath({ name, snapshots, trajectory }: FigurePathInput): void {
  const where = `path "${cleanText(name)}"`;
  if (snapshots.length === 0) throw new InvalidDataError(where, "at least one snapshot", "none");
  if (trajectory.dimensions !== 2) {
    throw new InvalidDataError(where, "coordinates on a plane (2 dimensions)", String(trajectory.dimensions));
  }
  if (trajectory.coordinates.length !== 2 * snapshots.length) {
    const got = `${trajectory.coordinates.length / 2}`;
    throw new InvalidDataError(where, `coordinates of ${snapshots.length} snapshots`, got);
  }
}

/** Returns the facts of a run's snapshots: rates and logs, and how faithful the plane is to each. */
export function createRunData(
  input: Omit<FigurePathInput, "trajectory"> & { readonly trajectory?: Trajectory },
  color: number,
): RunData {
  const { snapshots, settings, trajectory } = input;
  const rates = snapshots.map(({ learningRate }) => learningRate);
  return {
    name: cleanText(input.name),
    color,
    settings: settings?.map(([key, value]) => [cleanText(key), cleanText(value)] as const),
    step: snapshots.map(({ step }) => step),
    epoch: snapshots.map(({ epoch }) => epoch),
    iteration: snapshots.map(({ iteration }) => iteration),
    drops: snapshots.flatMap((snapshot, i) => (isRateLowered(snapshot, snapshots[i - 1]) ? [i] : [])),
    ...(input.lossChanges === undefined || input.lossChanges.length === 0
      ? {}
      : { lossChanges: placesOf(snapshots, input.lossChanges) }),
    columns: [
      columnFrom(LEARNING_RATE, "known", rates),
      ...(trajectory === undefined ? [] : fidelityColumns(trajectory)),
      ...logColumns(snapshots),
    ],
  };
}

/** Positions of the first snapshots from some steps on. */
export function placesOf(
  snapshots: readonly Pick<SnapshotInfo, "step">[],
  steps: readonly number[],
): number[] {
  const found = steps.map((step) => snapshots.findIndex((snapshot) => snapshot.step >= step));
  return [...new Set(found)].filter((place) => place > 0);
}

function fidelityColumns(trajectory: Trajectory): SnapshotColumn[] {
  const { trueLoss, recalibratedLoss = null, planeLoss, inPlaneShare, distance, evaluated } = trajectory;
  const isKnown = evaluated === undefined ? null : new Set(evaluated);
  const losses = (name: string, values: Float64Array | null): SnapshotColumn[] => {
    if (values === null) return [];
    const column = columnFrom(name, "number", values);
    if (isKnown === null) return [column];
    return [{ ...column, values: column.values.map((value, i) => (isKnown.has(i) ? value : null)) }];
  };
  return [
    ...losses(RECALIBRATED_LOSS, recalibratedLoss),
    ...losses(recalibratedLoss === null ? TRUE_LOSS : AS_TRAINED_LOSS, trueLoss),
    ...losses(PLANE_LOSS, planeLoss),
    columnFrom(HELD_SHARE, "share", inPlaneShare),
    columnFrom("distance to the plane", "number", distance),
  ];
}

/** What training logged, one column for each name. */
function logColumns(snapshots: readonly SnapshotInfo[]): SnapshotColumn[] {
  const names = new Set(snapshots.flatMap(({ logs }) => Object.keys(logs)));
  return [...names].map((name) => ({
    name: loggedName(name),
    form: "number",
    values: snapshots.map(({ logs }) =>
      Object.hasOwn(logs, name) ? encodeNumber(logs[name] as number) : null,
    ),
  }));
}

/** Name of the column of a logged value. */
export function loggedName(name: string): string {
  return `logged ${cleanText(name)}`;
}

/** Returns a column of numbers. */
export function columnFrom(
  name: string,
  form: SnapshotColumn["form"],
  values: ArrayLike<number>,
): SnapshotColumn {
  return { name, form, values: Array.from(values, encodeNumber) };
}

/** Returns where a run's snapshots are on a plane. */
export function createPath(run: number, { coordinates }: Pick<Trajectory, "coordinates">): Path {
  const at = Array.from({ length: coordinates.length / 2 }, (_, i): JsonNumber[] => [
    encodeNumber(coordinates[2 * i] as number),
    encodeNumber(coordinates[2 * i + 1] as number),
  ]);
  return { run, at };
}

/** Returns the count that increases from snapshot to snapshot in every run: epochs if they do. */
export function progressOf(runs: readonly Pick<RunData, Progress>[]): Progress {
  const increases = (key: Progress): boolean =>
    runs.every((run) => run[key].every((value, i) => i === 0 || value > (run[key][i - 1] as number)));
  return increases("epoch") ? "epoch" : increases("iteration") ? "iteration" : "step";
}

/** Words for what `fit` was called with. */
const FIT_NAMES: ReadonlyMap<string, string> = new Map([
  ["batchSize", "batch size"],
  ["samples", "training samples"],
  ["steps", "steps per epoch"],
  ["initialEpoch", "first epoch"],
  ["doValidation", "validation"],
]);

/** Returns the steps from which on another loss was compiled than before: what was logged is then another quantity. */
export function lossChanges({
  manifest,
}: {
  readonly manifest: Pick<RunManifest, "resumes" | "loss">;
}): number[] {
  const resumes = manifest.resumes ?? [];
  return resumes.flatMap(({ step, replaced }, i) => {
    if (replaced === undefined) return [];
    const next = resumes.slice(i + 1).find((later) => later.replaced !== undefined)?.replaced?.loss;
    return isEqual(replaced.loss, next ?? manifest.loss) ? [] : [step];
  });
}

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
  const method =
    optimizer === null ? ["unknown"] : [optimizer.className, inWords(optimizer.config)].filter(Boolean);
  const frozen = layout.parameterCount - layout.trainableCount;
  const resumes = manifest.resumes?.length ?? 0;
  const rows: (readonly [string, string])[] = [
    ["optimizer", method.join(": ")],
    ["loss", manifest.loss === null ? "unknown" : inWords(manifest.loss)],
    ["metrics", manifest.metrics === null ? "" : inWords(manifest.metrics)],
    ...Object.entries(fit).map(([key, value]) => [FIT_NAMES.get(key) ?? key, inWords(value)] as const),
    ["snapshots", formatCount(snapshots.length)],
    [
      "parameters",
      `${formatCount(layout.parameterCount)}${frozen === 0 ? "" : `, ${formatCount(frozen)} of them not trained`}`,
    ],
    ["weights stored as", manifest.dtype],
    ["trained on", `${backend.name} (${backend.package})`],
    ["seed", manifest.seed === null ? "not declared" : String(manifest.seed)],
    ["begun", manifest.createdAt],
    ["continued", resumes === 0 ? "" : counted(resumes, "time")],
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
  const parts = Object.entries(value).map(([key, inner = null]) => {
    const words = inWords(inner as JsonValue);
    return `${key} ${typeof inner === "object" && inner !== null ? `(${words})` : words}`;
  });
  return parts.join(", ");
}

import { existsSync } from "node:fs";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import { assertSameLayout } from "../model/layout.js";
import { alignRuns } from "../store/run/align-runs.js";
import { openRun } from "../store/run/open-run.js";
import { isFinitePoint, partOfRun, type Run, type StepOptions } from "../store/run/run.js";

/**
 * Returns the runs as a list that has a first one.
 *
 * @throws {@link InvalidDataError} if there is none.
 */
export function atLeastOneRun(runs: readonly Run[]): readonly [Run, ...Run[]] {
  const [first, ...rest] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  return [first, ...rest];
}

/**
 * Returns names in which equal ones are told apart by a number: "SGD", "SGD" become "SGD (1)", "SGD (2)".
 *
 * A number that would give a name that is there already is passed over.
 */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const counts = new Map<string, number>();
  return names.map((name) => {
    if (names.indexOf(name) === names.lastIndexOf(name)) return name;
    let count = counts.get(name) ?? 0;
    let numbered: string;
    do {
      count++;
      numbered = `${name} (${count})`;
    } while (taken.has(numbered));
    taken.add(numbered);
    counts.set(name, count);
    return numbered;
  });
}

/** One model of a slice: a snapshot of a run. */
export interface ModelPoint {
  readonly run: Run;
  /** Position of the snapshot in the run. */
  readonly index: number;
  /** θ (parameterCount). */
  readonly theta: Float32Array;
  /** The run's name, with the step where it is not the last snapshot. */
  readonly name: string;
  /** sha-256 (hex) of θ's bytes. */
  readonly digest: string;
}

/** A run, or the part of one, whose path is analysed; or one of its snapshots as a model. */
export type Subject = Run | ModelPoint;

/** Whether a subject is a single model. */
export function isModelPoint(subject: Subject): subject is ModelPoint {
  return "theta" in subject;
}

/**
 * Opens what a reference names: "RUN" is a run directory, "RUN@A..B" the part from step A to step B (both included;
 * either may be left out), "RUN@STEP" the model of that step.
 *
 * @throws {@link InvalidOptionError} if the run has no such step; as `openRun` if there is no such run.
 * @example const last = await openModelPoint("runs/adam"); // or "runs/adam@3" for one snapshot
 */
export async function openSubject(reference: string): Promise<Subject> {
  const match = existsSync(reference) ? null : /^(.+)@(\d*)(\.\.)?(\d*)$/.exec(reference);
  const [, directory = "", first = "", isRange, second = ""] = match ?? [];
  if (match === null || (isRange === undefined && first === "")) return openRun(reference);
  const run = await openRun(directory);
  if (isRange === undefined) return modelPoint(run, Number(first + second));
  const stepOf = (text: string) => (text === "" ? undefined : Number(text));
  return partOfRun(run, { from: stepOf(first), until: stepOf(second) });
}

/**
 * Opens a run, or a part of one (RUN@A..B), by reference.
 *
 * @param options - the part of each run that counts.
 * @throws as `openSubject`; {@link InvalidOptionError} for a single snapshot.
 */
export async function openRunPart(reference: string, options: StepOptions = {}): Promise<Run> {
  const subject = await openSubject(reference);
  if (!isModelPoint(subject)) return partOfRun(subject, options);
  throw new InvalidOptionError("runs", "run directories, or RUN@A..B", `the snapshot ${reference}`);
}

/**
 * Opens a model by reference: as `openSubject`; of a run, or a part of one, the last snapshot.
 *
 * @throws as `openSubject`.
 * @example const last = await openModelPoint("runs/adam"); // or "runs/adam@3" for one snapshot
 */
export async function openModelPoint(reference: string): Promise<ModelPoint> {
  return modelOf(await openSubject(reference));
}

/** Returns a subject as a model: of a run the last snapshot whose weights are finite. */
export async function modelOf(subject: Subject): Promise<ModelPoint> {
  if (isModelPoint(subject)) return subject;
  for (let index = subject.snapshots.length - 1; index > 0; index--) {
    const point = await modelPoint(subject, subject.snapshots[index]?.step);
    if (isFinitePoint(point.theta)) return point;
  }
  return modelPoint(subject, subject.snapshots[0]?.step);
}

/**
 * Takes a snapshot of an open run as a model.
 *
 * @param step - ordinal of the snapshot; default the last one.
 * @throws {@link InvalidOptionError} if the run has no such step.
 */
export async function modelPoint(run: Run, step?: number): Promise<ModelPoint> {
  const last = run.snapshots.length - 1;
  const index = step === undefined ? last : run.snapshots.findIndex((snapshot) => snapshot.step === step);
  if (index < 0) {
    const expected = `a step from ${run.snapshots[0]?.step ?? 0} to ${run.snapshots[last]?.step ?? 0}`;
    throw new InvalidOptionError(run.directory, expected, step === undefined ? "no snapshots" : String(step));
  }
  const theta = await run.readTheta(index);
  return {
    run,
    index,
    theta,
    name: index === last ? run.manifest.name : `${run.manifest.name} at step ${run.snapshots[index]?.step}`,
    digest: sha256(theta),
  };
}

/**
 * Reads the models of subjects, of runs the last one of the part that counts, in the layout of the first.
 *
 * @throws as {@link modelOf} and {@link alignLayouts}.
 */
export async function alignedModels(
  subjects: readonly Subject[],
  options: StepOptions,
): Promise<readonly ModelPoint[]> {
  const points: ModelPoint[] = [];
  for (const subject of subjects) {
    points.push(await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, options)));
  }
  return alignLayouts(points);
}

/**
 * Returns models whose weights lie in the order of the first one's: layouts that differ in `trainable` alone, as those
 * of transfer learning do, match by name. Models of equal layouts come back as they are.
 *
 * @throws `LayoutError` naming the first weight that differs in more than `trainable`.
 */
export async function alignLayouts(points: readonly ModelPoint[]): Promise<readonly ModelPoint[]> {
  const runs = alignRuns(points.map(({ run }) => run));
  return Promise.all(
    points.map(async (point, i) => {
      const run = runs[i] as Run;
      if (run === point.run) return point;
      const theta = await run.readTheta(point.index);
      return { ...point, run, theta, digest: sha256(theta) };
    }),
  );
}

/**
 * Checks that models are of one layout and makes their names differ.
 *
 * @throws `LayoutError` naming the first weight that differs.
 */
export function namesOfModels(points: readonly ModelPoint[]): string[] {
  for (const { run } of points.slice(1)) {
    assertSameLayout((points[0] as ModelPoint).run.layout, run.layout, run.directory);
  }
  return distinctNames(points.map(({ name }) => name));
}

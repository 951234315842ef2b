import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { type Provenance, provenanceDigest } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { openLosses, type SnapshotLosses } from "../store/kinds/losses-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { engineRequestOf, keyedName, pointsKey, pointsProvenance } from "../store/kinds/surface-key.js";
import { readTrajectory, writeTrajectory } from "../store/kinds/trajectory-file.js";
import { readArtifact } from "../store/results/artifact.js";
import { memoResumably } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import { chooseSnapshots, evaluateFidelity } from "../surface/fidelity.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import type { EvaluatedPoint } from "../surface/surface.js";
import {
  type PathLossesOptions,
  type ProgressOptions,
  type ResultOptions,
  resolvePathLosses,
} from "./options.js";
import type { OpenedPlane } from "./plane-spec.js";
import { changedLoss, isStillLoss } from "./stored-values.js";

/**
 * Where the losses of a path are stored, beside `surfaces/`.
 *
 * @param most - of how many snapshots they are evaluated at most.
 */
export async function fidelityFile(
  plane: OpenedPlane,
  index: number,
  set: EvaluationSet,
  policy: string,
  most: number,
): Promise<{ readonly file: string; readonly provenance: Provenance }> {
  const run = plane.runs[index] as Run;
  const { options, inputs } = pointsProvenance(pointsKey(plane.slice, set.evaluator.facts, policy));
  const provenance: Provenance = {
    kind: "path-losses",
    version: 2,
    options: {
      ...options,
      weights: plane.weights,
      ...(run.snapshots.length > most ? { snapshots: most } : {}),
    },
    seed: null,
    inputs: { ...inputs, run: await run.digest() },
    chosen: { engine: { ...set.evaluator.facts.engine } },
  };
  const name = plane.runs.length === 1 ? plane.kind : `${plane.kind}-${index}`;
  return { file: join("fidelity", keyedName([name, set.name], provenance)), provenance };
}

/** Options of {@link pathLosses}. */
export interface PathLossOptions extends ResultOptions, PathLossesOptions, ProgressOptions<"fidelity"> {
  readonly directory: string;
  readonly elsewhere?: readonly string[] | undefined;
}

/**
 * Evaluates, or reads if they are current, the losses along each path and of the plane below it. Losses of snapshots
 * are also stored as `losses/SET-<8 digits>.arrow`, which other planes and embeddings share.
 */
export async function pathLosses(
  plane: OpenedPlane,
  set: EvaluationSet,
  policy: BatchNormPolicyName | "none",
  options: PathLossOptions,
): Promise<{ readonly trajectories: Trajectory[]; readonly warnings: readonly LandscapeWarning[] }> {
  const { directory, elsewhere = [], signal } = options;
  const { evaluator } = set;
  const batchNorm = policy === "none" ? undefined : policy;
  const rounds = policy === "recalibrate" ? 3 : 2;
  const most = resolvePathLosses(options);
  const chosen = plane.runs.map(({ snapshots }) => chooseSnapshots(snapshots.length, most));
  const total = chosen.reduce((sum, { positions }) => sum + rounds * positions.length, 0);
  const trajectories: Trajectory[] = [];
  const warnings: LandscapeWarning[] = [];
  let before = 0;
  for (const [index, run] of plane.runs.entries()) {
    const snapshots = chosen[index] as (typeof chosen)[number];
    const { file, provenance } = await fidelityFile(plane, index, set, policy, most);
    const place = join(directory, file);
    const places = [directory, ...elsewhere, run.directory];
    const own = await openLosses(places, set, "as-trained");
    const recalibrated = policy === "recalibrate" ? await openLosses(places, set, "recalibrate") : null;
    const check = createLossCheck(run, evaluator, signal, warnings);
    const known =
      options.force === true
        ? []
        : await knownLosses(plane, index, set, policy, directory, own, recalibrated, check);
    const start = before;
    const trajectory = await memoResumably(
      {
        what: "path",
        file: place,
        elsewhere: elsewhere.map((folder) => join(folder, file)),
        provenance,
        read: async (from: string, expected: Provenance) => {
          const stored = await readTrajectory(from, expected);
          const last = stored?.trueLoss?.at(-1);
          return stored === null || (last !== undefined && !(await check(from, last))) ? null : stored;
        },
        write: writeTrajectory,
        engines: [evaluator.facts.engine],
        metrics: evaluator.facts.metricNames,
        tiles: curvePointTiles,
        isPartial: () => false,
        force: options.force,
        resume: warnings.length > 0 ? false : options.resume === true ? undefined : options.resume,
      },
      ({ known: left, onPoint }) =>
        evaluateFidelity(
          plane.paths[index] as Trajectory,
          plane.directions as Directions,
          evaluator,
          (i) => run.readTheta(i),
          {
            batchNorm,
            signal,
            snapshots,
            known: [...known, ...left],
            onPoint: (point) => onPoint({ ...point, curve: 0 }),
            onProgress: (done) => options.onProgress?.("fidelity", start + done, total),
          },
        ),
    );
    await keep(run, trajectory, directory, own, recalibrated);
    trajectories.push(trajectory);
    before += rounds * snapshots.positions.length;
  }
  return { trajectories, warnings };
}

/** Compares a stored loss of a run's last snapshot with what it is now. */
function createLossCheck(
  run: Run,
  evaluator: LossEvaluator,
  signal: AbortSignal | undefined,
  warnings: LandscapeWarning[],
) {
  return async (file: string, stored: number, batchNorm?: BatchNormPolicyName): Promise<boolean> => {
    const theta = await run.readTheta(run.snapshots.length - 1);
    const isTrue = await isStillLoss(evaluator, theta, batchNorm, stored, signal);
    if (!isTrue) warnings.push(changedLoss(file));
    return isTrue;
  };
}

async function knownLosses(
  plane: OpenedPlane,
  index: number,
  set: EvaluationSet,
  policy: BatchNormPolicyName | "none",
  directory: string,
  own: SnapshotLosses,
  recalibrated: SnapshotLosses | null,
  check: ReturnType<typeof createLossCheck>,
): Promise<EvaluatedPoint[]> {
  const run = plane.runs[index] as Run;
  const n = run.snapshots.length;
  const point = (at: number, loss: number): EvaluatedPoint => ({
    index: at,
    value: { loss, metrics: {}, clippedShare: null },
    undefinedWeights: [],
  });
  const known: EvaluatedPoint[] = [];
  for (const [losses, place, batchNorm] of [
    [own, (i: number) => 2 * i, undefined],
    [recalibrated, (i: number) => 2 * n + i, "recalibrate"],
  ] as const) {
    if (losses === null) continue;
    const found = run.snapshots.flatMap((_, i) => {
      const loss = losses.get(run.thetaDigest(i));
      return loss === undefined ? [] : [point(place(i), loss)];
    });
    const last = losses.get(run.thetaDigest(n - 1));
    if (found.length === 0 || (last !== undefined && !(await check(losses.file, last, batchNorm)))) continue;
    // Without the last snapshot nothing of this run can be compared.
    if (last !== undefined) known.push(...found);
  }
  const old = await version1(plane, run, set, policy, directory);
  const last = old?.trueLoss?.at(-1);
  if (old === null || last === undefined || !(await check("fidelity/pca.arrow", last))) return known;
  const both = (losses: Float64Array | null, side: 0 | 1) =>
    Array.from(losses ?? [], (loss, i) => point(2 * i + side, loss));
  return [...both(old.trueLoss, 0), ...both(old.planeLoss, 1), ...known];
}

/** The losses of a path as version 1 stored them, if they are of the same plane, loss and engine. */
async function version1(
  plane: OpenedPlane,
  run: Run,
  { evaluator: { facts } }: EvaluationSet,
  policy: string,
  directory: string,
): Promise<Trajectory | null> {
  const isKept = policy === "none" || policy === (plane.weights === "all" ? "interpolate" : "keep");
  if (!isKept || plane.kind !== "pca" || plane.runs.length !== 1) return null;
  const file = join(directory, "fidelity", "pca.arrow");
  const artifact = await readArtifact(file);
  const directions = await readArtifact(join(directory, "directions", "pca.arrow"));
  if (artifact === null || directions === null || plane.file === null) return null;
  const own = await readArtifact(join(directory, plane.file)).catch(() => null);
  const { options, inputs, chosen } = artifact.provenance;
  const digest = provenanceDigest(directions.provenance);
  const isSamePlane = own === null ? true : provenanceDigest(own.provenance) === digest;
  const isSame =
    isSamePlane &&
    isEqual(inputs, {
      run: await run.digest(),
      directions: digest,
      data: facts.dataDigest,
      model: facts.modelDigest,
    }) &&
    isEqual(options, {
      weights: plane.weights,
      loss: facts.lossMode,
      samples: facts.samples,
      engine: { ...engineRequestOf(facts) },
    }) &&
    isEqual(chosen?.engine, { ...facts.engine });
  return isSame ? readTrajectory(file) : null;
}

async function keep(
  run: Run,
  { trueLoss, recalibratedLoss, evaluated }: Trajectory,
  directory: string,
  own: SnapshotLosses,
  recalibrated: SnapshotLosses | null,
): Promise<void> {
  for (const i of evaluated ?? run.snapshots.keys()) {
    if (trueLoss !== null) own.put(run.thetaDigest(i), trueLoss[i] as number);
    if (recalibratedLoss !== undefined) recalibrated?.put(run.thetaDigest(i), recalibratedLoss[i] as number);
  }
  await own.save(directory);
  await recalibrated?.save(directory);
}

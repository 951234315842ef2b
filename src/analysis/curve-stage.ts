import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { defined } from "../base/json.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import { autoNeb, type NebOptions, resolveNebOptions } from "../between/auto-neb.js";
import type { Curve, CurveKind } from "../between/curve.js";
import { type CurveFacts, readCurve, type StoredCurve, writeCurve } from "../between/curve-file.js";
import { type ModelObjective, openCurveObjective } from "../between/curve-objective.js";
import type { CurveOptimizer } from "../between/descent.js";
import {
  type CurveState,
  resolveCurveOptions,
  type TrainCurveOptions,
  trainCurve,
} from "../between/train-curve.js";
import { createTrajectoryRecorder } from "../capture/create-recorder.js";
import type { TrajectoryRecorder } from "../capture/recorder.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { checkedCount } from "../training/jump-options.js";
import { sliceProvenance } from "./analyze-line.js";
import type { ModelPoint } from "./model-point.js";

/** Which curve is trained between two models, and how. */
export type CurveRequest = {
  /** Samples per gradient. Default 128. */
  readonly batchSize?: number | undefined;
} & (
  | ({ readonly kind: "bezier" | "polychain" } & Pick<
      TrainCurveOptions,
      "bends" | "epochs" | "optimizer" | "learningRate"
    >)
  | ({ readonly kind: "neb" } & Omit<NebOptions, "signal" | "from" | "onEpoch">)
);

/** A request with its defaults filled in, as plain data. */
export interface ResolvedCurve {
  readonly kind: CurveKind;
  readonly batchSize: number;
  readonly settings: { readonly [key: string]: JsonValue };
  /** Epochs, or cycles. */
  readonly epochs: number;
  readonly optimizer: { readonly optimizer: CurveOptimizer; readonly learningRate: number };
}

/** Checks a request and fills in the defaults. */
export function resolveCurve(request: CurveRequest, seed: number): ResolvedCurve {
  const batchSize = checkedCount("batchSize", request.batchSize ?? 128);
  if (request.kind !== "neb") {
    const settings = resolveCurveOptions({ ...request, seed });
    const { kind, epochs, optimizer, learningRate } = settings;
    return { kind, batchSize, settings: { ...settings }, epochs, optimizer: { optimizer, learningRate } };
  }
  const { cycles, ...settings } = resolveNebOptions(request);
  const plain = cycles.map((cycle) => ({ ...cycle }));
  return {
    kind: "neb",
    batchSize,
    settings: { kind: "neb", ...settings, cycles: plain },
    epochs: cycles.length,
    optimizer: { optimizer: settings.optimizer, learningRate: cycles[0].learningRate },
  };
}

/** What a curve is trained with. */
export interface CurveWork extends Followed {
  readonly ends: readonly [ModelPoint, ModelPoint];
  readonly request: CurveRequest;
  readonly seed: number;
  readonly model: tf.LayersModel;
  readonly data: EvaluationData;
  /** sha-256 (hex) of the whole training set. */
  readonly dataDigest: string;
  /** Evaluation sets; a band looks at the loss on the first one. */
  readonly sets: readonly EvaluationSet[];
  /** Folder of the curve: `curve.arrow` and its runs. */
  readonly folder: string;
  readonly force?: boolean | undefined;
}

/** Everything that a curve depends on. */
export function curveProvenance({
  ends,
  request,
  seed,
  dataDigest,
  sets,
}: Omit<CurveWork, "folder">): Provenance {
  const { settings, batchSize, kind } = resolveCurve(request, seed);
  // Only a band is told where to go on by the loss on a set.
  const looked = kind === "neb" ? sets.slice(0, 1) : [];
  const known = sliceProvenance("curve", { ...settings, batchSize }, seed, ends, looked, "recalibrate");
  const network = sets[0]?.evaluator.facts.modelDigest;
  return {
    ...known,
    inputs: { ...known.inputs, samples: dataDigest, ...defined({ network }) },
  };
}

/** A trained curve, and where the runs of its training are. */
export interface TrainedCurve {
  readonly curve: Curve;
  readonly facts: CurveFacts;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Trains a curve between two models, reads it if it is stored, or goes on with it where it was interrupted. Its training
 * is recorded: each bend is a run of its own ("bend", or "bend-1", …); the pivots of a band are one run, "pivots",
 * one snapshot each.
 *
 * @throws as `trainCurve`, `autoNeb` and `openCurveObjective`.
 */
export async function curveStage(work: CurveWork): Promise<TrainedCurve> {
  const { folder, seed, request } = work;
  const provenance = curveProvenance(work);
  const file = join(folder, "curve.arrow");
  const stored = work.force === true ? null : await readCurve(file, provenance);
  if (stored !== null && stored.left === null) return { ...stored, warnings: [] };
  const resolved = resolveCurve(request, seed);
  const layout = work.ends[0].run.layout;
  const objective = await openCurveObjective(work.model, work.data, {
    layout,
    seed,
    batchSize: resolved.batchSize,
    optimizer: resolved.optimizer,
  });
  const keeper = createKeeper(work, resolved, objective, file, provenance, stored);
  try {
    const { curve, warnings } = await trained(work, objective, keeper);
    const facts = keeper.facts();
    if (curve.kind === "neb") await recordPivots(work, objective, curve, provenance);
    await writeCurve(file, { curve, facts, left: null }, provenance);
    return { curve, facts, warnings: [...objective.warnings, ...warnings] };
  } finally {
    objective.dispose();
  }
}

async function trained(
  { ends, request, seed, sets, signal, model }: CurveWork,
  objective: ModelObjective,
  keeper: Keeper,
): Promise<{ readonly curve: Curve; readonly warnings: readonly LandscapeWarning[] }> {
  const [a, b] = ends.map(({ theta }) => theta) as [Float32Array, Float32Array];
  const how = { signal, from: keeper.from, onEpoch: keeper.onEpoch };
  try {
    if (request.kind !== "neb") {
      const curve = await trainCurve(objective, a, b, { ...request, seed, ...how });
      return { curve, warnings: await keeper.close() };
    }
    const [{ evaluator }] = sets;
    const batchNorm = hasStatistics(ends[0].run.layout) ? "recalibrate" : undefined;
    const lossAt = async (theta: Float32Array) =>
      (await evaluator.evaluate(theta, { batchNorm, signal, name: `pivot of ${model.name}` })).loss;
    const curve = await autoNeb(objective, a, b, lossAt, { ...request, ...how });
    return { curve, warnings: await keeper.close() };
  } catch (error) {
    // What was trained is kept, whatever ended it; the first error is the one to tell.
    await keeper.keep().catch(() => undefined);
    await keeper.close().catch(() => undefined);
    throw error;
  }
}

/** Records bends and stores what training goes on from, epoch after epoch. */
interface Keeper {
  readonly from: CurveState | undefined;
  onEpoch(state: CurveState): Promise<void>;
  /** Stores the last epoch, if that has not been done. */
  keep(): Promise<void>;
  close(): Promise<readonly LandscapeWarning[]>;
  facts(): CurveFacts;
}

function createKeeper(
  work: CurveWork,
  { kind, epochs }: ResolvedCurve,
  objective: ModelObjective,
  file: string,
  provenance: Provenance,
  stored: StoredCurve | null,
): Keeper {
  const losses = [...(stored?.facts.losses ?? [])];
  const before = stored?.facts.seconds ?? 0;
  const begun = performance.now();
  let last: StoredCurve | null = null;
  let [storedAt, cost] = [performance.now(), 0];
  let recorders: readonly TrajectoryRecorder[] | null = null;
  const factsOf = (state: CurveState): CurveFacts => ({
    kind,
    bends: state.points.length - 2,
    epochs: state.epoch,
    iterations: state.iteration,
    seconds: before + (performance.now() - begun) / 1000,
    losses: [...losses],
  });
  let facts = stored?.facts;
  const keep = async (): Promise<void> => {
    if (last === null) return;
    const start = performance.now();
    await writeCurve(file, last, provenance);
    last = null;
    storedAt = performance.now();
    cost = storedAt - start;
  };
  return {
    from: stored?.left ?? undefined,
    async onEpoch(state) {
      if (state.epoch > 0) losses.push(state.loss);
      facts = factsOf(state);
      work.onProgress?.(state.epoch, epochs);
      if (kind !== "neb") {
        recorders ??= await openRecorders(work, objective, state.points.length - 2, provenance, stored);
        await recordBends(recorders, objective, state);
      }
      if (state.epoch === 0 || state.epoch === epochs) return;
      last = {
        curve: { kind, points: state.points.map((point) => Float32Array.from(point)) },
        facts,
        left: {
          ...state,
          moments: state.moments.map((all) => all.map((one) => Float32Array.from(one))),
        },
      };
      // Storing takes a tenth of the time at most.
      if (performance.now() - storedAt >= 9 * cost) await keep();
    },
    keep,
    async close() {
      const warnings: LandscapeWarning[] = [];
      for (const recorder of recorders ?? []) {
        await recorder.close();
        warnings.push(...recorder.warnings);
      }
      recorders = [];
      return warnings;
    },
    facts: () => facts as CurveFacts,
  };
}

async function openRecorders(
  { folder, ends, seed, request }: CurveWork,
  objective: ModelObjective,
  bends: number,
  provenance: Provenance,
  stored: StoredCurve | null,
): Promise<TrajectoryRecorder[]> {
  const [a, b] = ends.map(({ name }) => name);
  const recorders: TrajectoryRecorder[] = [];
  for (let k = 1; k <= bends; k++) {
    const one = bends === 1 ? "bend" : `bend-${k}`;
    const resolved = resolveCurve(request, seed);
    recorders.push(
      await createTrajectoryRecorder({
        directory: join(folder, one),
        name: `${one} between ${a} and ${b}`,
        model: objective.model,
        seed,
        fit: {
          epochs: resolved.epochs,
          batchSize: resolved.batchSize,
          samples: objective.samples,
          curve: { ...resolved.settings },
        },
        provenance,
        ...(stored === null ? { overwrite: true } : { resume: true }),
      }),
    );
  }
  return recorders;
}

/** Writes a snapshot of each bend, unless a training that was interrupted has written it. */
async function recordBends(
  recorders: readonly TrajectoryRecorder[],
  objective: ModelObjective,
  { epoch, iteration, loss, learningRate, points }: CurveState,
): Promise<void> {
  for (const [k, recorder] of recorders.entries()) {
    if (recorder.resumedFrom !== null && recorder.resumedFrom.iteration >= iteration) continue;
    objective.assign(points[k + 1]);
    const logs: Record<string, number> = epoch === 0 ? {} : { loss };
    await recorder.write(await recorder.capture(), { epoch, iteration, learningRate, logs });
  }
}

/** Writes the pivots of a band as one run, in their order. */
async function recordPivots(
  { folder, ends, seed }: CurveWork,
  objective: ModelObjective,
  { points }: Curve,
  provenance: Provenance,
): Promise<void> {
  const [a, b] = ends.map(({ name }) => name);
  const recorder = await createTrajectoryRecorder({
    directory: join(folder, "pivots"),
    name: `pivots from ${a} to ${b}`,
    model: objective.model,
    seed,
    provenance,
    overwrite: true,
  });
  try {
    for (const [k, point] of points.entries()) {
      objective.assign(point);
      await recorder.write(await recorder.capture(), { epoch: k, iteration: k, learningRate: Number.NaN });
    }
  } finally {
    await recorder.close();
  }
}

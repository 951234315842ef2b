import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { defined } from "../base/json.js";
import type { Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import { isSliceMap, type SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import {
  interruptedSurfaces,
  isBeside,
  listSurfaces,
  type StoredSurface,
} from "../store/kinds/stored-surfaces.js";
import { readSurface, writeSurface } from "../store/kinds/surface-file.js";
import { approximatedPointTiles, curvePointTiles } from "../store/kinds/surface-journal.js";
import {
  isSamePoints,
  isSameSurface,
  keyedName,
  type PlaneFacts,
  pointsKey,
  type SurfaceChoice,
  type SurfaceKey,
  surfaceKeyOf,
  surfaceProvenance,
} from "../store/kinds/surface-key.js";
import { memoResumably } from "../store/results/memo.js";
import { asNewest, compareOrder } from "../store/results/result-order.js";
import { readInterrupted, readInterruptedFacts, removeInterrupted } from "../store/results/tile-journal.js";
import {
  type ApproximateOptions,
  approximateSurface,
  resolveApproximateOptions,
} from "../surface/approximate/approximate-surface.js";
import type { SurfaceBudget, SurfaceShard } from "../surface/evaluate-points.js";
import { evaluateSurface } from "../surface/evaluate-surface.js";
import { CENTER_INDEX, type EvaluatedPoint, type Grid, type Surface } from "../surface/surface.js";
import { changedLoss, isStillTrue, type StoredValue } from "./stored-values.js";

/** A surface that is asked for. */
export interface SurfaceRequest extends Stoppable {
  readonly evaluator: LossEvaluator;
  readonly points: SlicePoints;
  /** sha-256 (hex) of where the points lie. */
  readonly slice: string;
  readonly grid: Grid;
  /** Batch norm's policy; "none" where the network has no statistics. */
  readonly policy: BatchNormPolicyName | "none";
  /** What is stored beside it, to draw it again. */
  readonly facts: PlaneFacts;
  /** Folder that holds `surfaces/`, and others to read from. */
  readonly directory: string;
  readonly elsewhere: readonly string[];
  readonly approximate?: ApproximateOptions | undefined;
  readonly budget?: SurfaceBudget | undefined;
  readonly shard?: SurfaceShard | undefined;
  readonly force?: boolean | undefined;
  readonly resume?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number, etaSeconds?: number) => void) | undefined;
}

/** A surface, and what the caller should know of how it came about. */
export interface FoundSurface {
  readonly surface: Surface;
  readonly file: string;
  /** Whether stored values were found to be of another loss. */
  readonly isChanged: boolean;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Reads a surface if it is stored, otherwise evaluates it, or what is missing of it, and writes it as
 * `surfaces/PLANE-SET-<8 digits>.arrow`. Results of other settings stay.
 *
 * Points that other surfaces of the same slice, data, model, loss and engine have are taken from them: complete and
 * partial ones, interrupted ones, and the exact points of approximate ones. Before anything stored is used, two of
 * its points are evaluated again.
 *
 * @throws {@link RunStateError} if an interrupted surface is to be resumed and there is none of what is asked.
 */
export async function storedSurface(request: SurfaceRequest): Promise<FoundSurface> {
  const { evaluator, facts, directory, elsewhere, force = false } = request;
  const key = keyOf(request);
  const choice: SurfaceChoice = {
    engine: evaluator.facts.engine,
    isShared: key.approximate === null && sharesWork(request),
  };
  const provenance = surfaceProvenance(key, choice);
  const file = join(directory, "surfaces", keyedName([facts.plane, facts.set], provenance));
  const check = createCheck(request);
  const listed: StoredSurface[] = [];
  if (!force) for (const folder of [directory, ...elsewhere]) listed.push(...(await listSurfaces(folder)));

  const complete = listed.filter(({ key: stored, partial }) => {
    const isExactOf = stored !== null && isSameSurface(stored, { ...key, approximate: null });
    return stored !== null && partial === null && (isExactOf || isSameSurface(stored, key));
  });
  // An exact surface goes before an approximate one, one of this folder before another's.
  complete.sort((a, b) => rank(a, file) - rank(b, file));
  for (const stored of complete) {
    const surface = await readSurface(stored.file);
    if (surface === null || !(await check.isTrue(stored.file, valuesOf(surface)))) continue;
    await refresh(stored, surface, request, listed);
    return { surface, file: stored.file, isChanged: false, warnings: check.warnings };
  }

  const known = force ? [] : await knownPoints(request, key, choice, listed, check);
  if (!force && (check.isChanged() || !(await isOwnTrue(file, request, check))))
    await removeInterrupted(file);
  const surface = await compute(request, key, choice, file, known);
  return { surface, file, isChanged: check.isChanged(), warnings: check.warnings };
}

function keyOf({ evaluator, slice, policy, grid, approximate }: SurfaceRequest): SurfaceKey {
  const { facts, openSamples } = evaluator;
  return {
    points: pointsKey(slice, facts, policy),
    metrics: facts.metricNames,
    alpha: Array.from(grid.alpha),
    beta: Array.from(grid.beta),
    approximate:
      approximate === undefined ? null : settingsOf(approximate, facts.samples, openSamples !== undefined),
  };
}

/** Of the way in which surfaces are approximated: raised wherever the same settings give another surface. */
const APPROXIMATION_VERSION = 3;

/** How a surface is approximated, as it is known by. */
function settingsOf(approximate: ApproximateOptions, samples: number, isDivisible: boolean) {
  const { share, ...settings } = resolveApproximateOptions(approximate, samples, isDivisible);
  // A stored result calls the share by its earlier name.
  return { ...settings, budget: share, version: APPROXIMATION_VERSION };
}

/** From so many points on evaluators may do work once that the points of a plane share. */
const SHARED_POINTS = 16;

function sharesWork({ evaluator, points, grid, policy }: SurfaceRequest): boolean {
  const isPlane = evaluator.openSlice !== undefined && !isSliceMap(points) && policy !== "recalibrate";
  return isPlane && grid.alpha.length * grid.beta.length + 1 >= SHARED_POINTS;
}

function rank({ key, file }: StoredSurface, own: string): number {
  return (key?.approximate === null ? 0 : 2) + (file === own ? 0 : 1);
}

/** Evaluates two stored points of each file again; those that several files share, once. */
function createCheck({ evaluator, points, policy, signal }: SurfaceRequest) {
  const warnings: LandscapeWarning[] = [];
  const known = new Map<string, boolean>();
  const now = new Map<string, LossValue>();
  return {
    warnings,
    isChanged: () => warnings.length > 0,
    async isTrue(file: string, stored: readonly StoredValue[]): Promise<boolean> {
      const before = known.get(file);
      if (before !== undefined || stored.length === 0) return before ?? true;
      const isTrue = await isStillTrue(evaluator, points, policyOf(policy), stored, signal, now);
      known.set(file, isTrue);
      if (!isTrue) warnings.push(changedLoss(file));
      return isTrue;
    },
  };
}

type Check = ReturnType<typeof createCheck>;

function policyOf(policy: BatchNormPolicyName | "none"): BatchNormPolicyName | undefined {
  return policy === "none" ? undefined : policy;
}

/** Makes a stored surface the newest, with the texts of now. Files of version 1 and of other folders stay. */
async function refresh(
  stored: StoredSurface,
  surface: Surface,
  { directory, facts }: SurfaceRequest,
  listed: readonly StoredSurface[],
): Promise<void> {
  if (stored.directory !== directory || stored.version === 1) return;
  const isNewer = (other: StoredSurface) =>
    other.directory === directory &&
    other.facts.plane === facts.plane &&
    // Other sets are drawn beside it, whichever is the newest.
    (other.facts.set === facts.set || !isBeside(other, stored)) &&
    compareOrder(other.order, stored.order) > 0;
  if (isEqual(stored.facts, facts) && !listed.some(isNewer)) return;
  await writeSurface(stored.file, surface, await asNewest(stored.file, stored.provenance), facts);
}

/** The points of a surface whose values are exact. */
function valuesOf(surface: Surface): StoredValue[] {
  const { alpha, beta, loss, metrics, center, partial, approximation, clippedShare } = surface;
  const cappedShare = defined({ cappedShare: center.cappedShare });
  const values: (StoredValue & { readonly value: LossValue })[] = [{ alpha: 0, beta: 0, value: center }];
  for (let index = 0; index < loss.length; index++) {
    if (partial?.evaluated[index] === 0 || (approximation !== undefined && approximation.method[index] !== 2))
      continue;
    const at = {
      alpha: alpha[index % alpha.length] as number,
      beta: beta[Math.floor(index / alpha.length)] as number,
    };
    if (at.alpha === 0 && at.beta === 0) continue;
    const measured = Object.entries(metrics).map(
      ([name, column]) => [name, column[index] as number] as const,
    );
    // The share of a single point is not stored; the largest of the surface bounds it.
    const value = {
      loss: loss[index] as number,
      metrics: Object.fromEntries(measured),
      clippedShare,
      ...cappedShare,
    };
    values.push({ ...at, value });
  }
  return values;
}

/** Points of the grid that other results have. */
async function knownPoints(
  request: SurfaceRequest,
  key: SurfaceKey,
  choice: SurfaceChoice,
  listed: readonly StoredSurface[],
  check: Check,
): Promise<EvaluatedPoint[]> {
  // An approximation decides by what it has evaluated where to look next.
  if (key.approximate !== null) return [];
  const found = new Map<string, LossValue>();
  const take = (values: readonly StoredValue[]): void => {
    for (const { alpha, beta, value } of values) found.set(`${alpha} ${beta}`, value as LossValue);
  };
  for (const stored of listed) {
    if (stored.key === null || !isSamePoints(stored.key.points, key.points)) continue;
    const isShared =
      stored.provenance.chosen?.isShared ?? stored.size[0] * stored.size[1] + 1 >= SHARED_POINTS;
    const isExact = stored.key.approximate === null;
    const chosen = {
      engine: stored.provenance.chosen?.engine,
      isShared: isExact && choice.isShared && isShared,
    };
    if (!isEqual(chosen, { engine: { ...choice.engine }, isShared: choice.isShared })) continue;
    if (!isSubset(key.metrics, stored.key.metrics)) continue;
    const surface = await readSurface(stored.file);
    if (surface === null) continue;
    const values = valuesOf(surface);
    if (await check.isTrue(stored.file, values)) take(values);
  }
  if (request.resume === false) return pointsOn(request.grid, found);
  const own = keyedName([request.facts.plane, request.facts.set], surfaceProvenance(key, choice));
  for (const file of await interruptedSurfaces(request.directory)) {
    // What the surface itself has left is read where it goes on.
    if (file.endsWith(`/${own}`)) continue;
    const values = await interruptedValues(file, key, choice);
    if (values.length > 0 && (await check.isTrue(file, values))) take(values);
  }
  return pointsOn(request.grid, found);
}

function isSubset(some: readonly string[], all: readonly string[]): boolean {
  return some.every((name) => all.includes(name));
}

/** What an interrupted surface has left, if it is of the same points and engine. */
async function interruptedValues(
  file: string,
  key: SurfaceKey,
  choice: SurfaceChoice,
): Promise<StoredValue[]> {
  const left = await readInterruptedFacts(file);
  const stored = left === null ? null : surfaceKeyOf(left.provenance);
  if (left === null || stored === null || !isSamePoints(stored.points, key.points)) return [];
  const isSameEngine = isEqual(left.engines[0], { ...choice.engine });
  const isShared = left.provenance.chosen?.isShared ?? choice.isShared;
  if (!isSameEngine || isShared !== choice.isShared || !isSubset(key.metrics, stored.metrics)) return [];
  const points =
    stored.approximate === null
      ? (await readInterrupted(file, curvePointTiles))?.points
      : (await readInterrupted(file, approximatedPointTiles))?.points;
  return (points ?? []).flatMap(({ index, value }) => {
    if (value === null) return [];
    const width = stored.alpha.length;
    const [alpha = 0, beta = 0] =
      index === CENTER_INDEX ? [] : [stored.alpha[index % width], stored.beta[Math.floor(index / width)]];
    return [{ alpha, beta, value }];
  });
}

function pointsOn({ alpha, beta }: Grid, found: ReadonlyMap<string, LossValue>): EvaluatedPoint[] {
  const points: EvaluatedPoint[] = [];
  const add = (index: number, a: number, b: number): void => {
    const value = found.get(`${a} ${b}`);
    // Why a value is not a number is not stored: such points are evaluated again.
    if (value !== undefined && !Number.isNaN(value.loss)) points.push({ index, value, undefinedWeights: [] });
  };
  add(CENTER_INDEX, 0, 0);
  beta.forEach((b, j) => {
    alpha.forEach((a, i) => {
      if (a !== 0 || b !== 0) add(j * alpha.length + i, a, b);
    });
  });
  return points;
}

/** Whether what an interrupted computation of the surface itself has left is still true. */
async function isOwnTrue(file: string, request: SurfaceRequest, check: Check): Promise<boolean> {
  if (request.resume === false) return true;
  const left = await readInterruptedFacts(file);
  const key = left === null ? null : surfaceKeyOf(left.provenance);
  if (left === null || key === null) return true;
  const choice = {
    engine: request.evaluator.facts.engine,
    isShared: left.provenance.chosen?.isShared === true,
  };
  return check.isTrue(file, await interruptedValues(file, key, choice));
}

async function compute(
  request: SurfaceRequest,
  key: SurfaceKey,
  choice: SurfaceChoice,
  file: string,
  found: readonly EvaluatedPoint[],
): Promise<Surface> {
  const {
    evaluator,
    points,
    grid,
    policy,
    facts,
    approximate,
    budget,
    shard,
    force,
    resume,
    signal,
    onProgress,
  } = request;
  const { engine, metricNames, samples } = evaluator.facts;
  const stored = {
    what: "surface",
    file,
    provenance: surfaceProvenance(key, choice),
    read: async () => null,
    write: async (place: string, surface: Surface, made: Provenance) =>
      writeSurface(place, surface, await asNewest(place, made), facts),
    engines: [engine],
    metrics: metricNames,
    isPartial: ({ partial }: Surface) => partial !== undefined,
    force,
    resume,
  };
  const common = { batchNorm: policyOf(policy), signal };
  if (approximate !== undefined) {
    return memoResumably({ ...stored, tiles: approximatedPointTiles }, ({ known, onPoint }) =>
      approximateSurface(evaluator, points, grid, {
        ...approximate,
        ...common,
        known,
        onPoint,
        onProgress: (spent, most) => onProgress?.(Math.ceil(spent / samples), Math.ceil(most / samples)),
      }),
    );
  }
  return memoResumably({ ...stored, tiles: curvePointTiles }, ({ known, onPoint }) =>
    evaluateSurface(evaluator, points, grid, {
      ...common,
      ...defined({ budget }),
      shard,
      known: [...found, ...known],
      onPoint: (point) => onPoint({ ...point, curve: 0 }),
      onProgress: (done, total, eta) => onProgress?.(done, total, eta),
    }),
  );
}

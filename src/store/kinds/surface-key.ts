import { basename } from "node:path";
import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import { defined } from "../../base/json.js";
import { jsonValueSchema } from "../../base/json-schema.js";
import { type JsonValue, type Provenance, provenanceDigest, sha256 } from "../../base/provenance.js";
import type { EngineRequest, EvaluatorFacts } from "../../loss/loss-evaluator.js";
import type { EngineFacts } from "../results/tile-journal.js";

/** What becomes of batch norm's statistics, as results are known by it. */
export interface BatchNormKey {
  /** "keep", "interpolate" or "recalibrate"; "none" where the network has no statistics. */
  readonly policy: string;
  /** The calibration set of "recalibrate": its digest and its number of samples. */
  readonly calibration: string | null;
}

/** What the value at a point (α, β) depends on: equal keys and coordinates mean equal values. */
export interface PointsKey {
  /** sha-256 (hex) of θ* and all vectors, or of the form and the models of a mixture. */
  readonly slice: string;
  readonly data: string;
  readonly model: string;
  readonly loss: string;
  readonly samples: number;
  /** How samples are weighted in the loss; absent where they all count the same. */
  readonly weights?: string | undefined;
  readonly batchNorm: BatchNormKey;
  readonly engine: EngineRequest;
}

/** What a stored surface is known by. Labels, names of data and the metric that is drawn are no part of it. */
export interface SurfaceKey {
  readonly points: PointsKey;
  readonly metrics: readonly string[];
  readonly alpha: readonly number[];
  readonly beta: readonly number[];
  /** How it was approximated; null where every point was evaluated. */
  readonly approximate: JsonValue;
}

/** What the program chose itself for a surface: equal choices give equal bits. */
export interface SurfaceChoice {
  readonly engine: EngineFacts;
  /** Whether work that the points of a plane share may have been done once, which changes the rounding. */
  readonly isShared: boolean;
}

const requestSchema = z.object({
  engine: z.string(),
  batchSize: z.number().nullable(),
  threads: z.number().nullable(),
  device: z.string().exactOptional(),
});

const keySchema = z.object({
  kind: z.literal("plane-surface"),
  version: z.literal(2),
  options: z.object({
    loss: z.string(),
    samples: z.number(),
    weights: z.string().optional(),
    batchNorm: z.string(),
    engine: requestSchema,
    metrics: z.array(z.string()),
    alpha: z.array(z.number()),
    beta: z.array(z.number()),
    approximate: jsonValueSchema,
  }),
  inputs: z.object({
    slice: z.string(),
    data: z.string(),
    model: z.string(),
    calibration: z.string().optional(),
  }),
});

/** What was asked of the engine: "auto" is found again whatever was chosen; a named engine only as such. */
export function engineRequestOf({
  request,
  engine,
}: Pick<EvaluatorFacts, "request" | "engine">): EngineRequest {
  const { name, batchSize, threads, device } = engine;
  return request ?? { engine: name, batchSize, threads, ...defined({ device }) };
}

/** The digest of a slice between models: of its form and the digests of their weights. */
export function mixtureDigest(form: string, models: readonly string[]): string {
  return sha256([form, ...models].join("\n"));
}

/** Returns what the values of an evaluator on a slice are known by. */
export function pointsKey(slice: string, facts: EvaluatorFacts, policy: string): PointsKey {
  const { dataDigest, modelDigest, lossMode, samples, weights, calibration } = facts;
  const set = policy === "recalibrate" && calibration ? calibration : null;
  return {
    slice,
    data: dataDigest,
    model: modelDigest,
    loss: lossMode,
    samples,
    ...defined({ weights }),
    batchNorm: { policy, calibration: set === null ? null : `${set.dataDigest}/${set.samples}` },
    engine: engineRequestOf(facts),
  };
}

/** The inputs and options of results that are made of points. */
export function pointsProvenance(key: PointsKey) {
  const { slice, data, model, loss, samples, weights, batchNorm, engine } = key;
  const { policy, calibration } = batchNorm;
  return {
    options: {
      loss,
      samples,
      ...defined({ weights }),
      batchNorm: policy,
      engine: { ...engine },
    },
    inputs: { slice, data, model, ...(calibration === null ? {} : { calibration }) },
  };
}

/** Returns the provenance of a surface: its digest is the digest of the key. */
export function surfaceProvenance(key: SurfaceKey, chosen: SurfaceChoice): Provenance {
  const { points, metrics, alpha, beta, approximate } = key;
  const { options, inputs } = pointsProvenance(points);
  return {
    kind: "plane-surface",
    version: 2,
    options: { ...options, metrics, alpha, beta, approximate },
    seed: null,
    inputs,
    chosen: { engine: { ...chosen.engine }, isShared: chosen.isShared },
  };
}

/** Returns the key in the provenance of a surface; null for a surface of version 1, or none. */
export function surfaceKeyOf(provenance: Provenance): SurfaceKey | null {
  const parsed = keySchema.safeParse(provenance);
  if (!parsed.success) return null;
  const { options, inputs } = parsed.data;
  const { metrics, alpha, beta, approximate, batchNorm: policy, ...rest } = options;
  const { slice, data, model, calibration = null } = inputs;
  return {
    points: { ...rest, slice, data, model, batchNorm: { policy, calibration } },
    metrics,
    alpha,
    beta,
    approximate,
  };
}

/** Whether two keys mean the same values at the same coordinates. */
export function isSamePoints(a: PointsKey, b: PointsKey): boolean {
  const { batchNorm: first, ...restOfA } = a;
  const { batchNorm: second, ...restOfB } = b;
  // A network without statistics has no policy, though older files name one.
  const isSamePolicy = [first.policy, second.policy].includes("none") || isEqual(first, second);
  return isSamePolicy && isEqual(restOfA, restOfB);
}

/** Whether two keys mean the same surface. */
export function isSameSurface(a: SurfaceKey, b: SurfaceKey): boolean {
  const { points: first, ...restOfA } = a;
  const { points: second, ...restOfB } = b;
  return isSamePoints(first, second) && isEqual(restOfA, restOfB);
}

/** A file name out of any text. */
export function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, "-").slice(0, 80);
}

/** A file name that says what a result is, and eight digits that tell it from others: "pca-train-1a2b3c4d.arrow". */
export function keyedName(parts: readonly string[], provenance: Provenance): string {
  return `${parts.map(fileName).join("-")}-${provenanceDigest(provenance).slice(0, 8)}.arrow`;
}

/** Name of a stored result, as commands take it: its file's without folder and extension. */
export function resultName(file: string): string {
  return basename(file).replace(/\.arrow$/, "");
}

/** What is needed to draw a stored surface again and is no part of its identity. */
export const planeFactsSchema = z.object({
  /** Kind of the plane: "pca", "random", … */
  plane: z.string(),
  /** Name of the evaluation set. */
  set: z.string(),
  labels: z.array(z.string()),
  marks: z.array(z.object({ alpha: z.number(), beta: z.number(), label: z.string() })),
  /** The policy of batch norm; "none" where the network has no statistics. */
  batchNorm: z.string(),
  /** Samples that "recalibrate" used; null under another policy. */
  calibrationSamples: z.number().nullable(),
  dataName: z.string().nullable(),
  lossName: z.string().nullable(),
  /** sha-256 of the weights of the models that it goes through. */
  models: z.array(z.string()),
  /** File of the directions beside `surfaces/`; null where they are none (bilinear). */
  directions: z.string().nullable(),
  /** The paths on it. */
  paths: z.array(
    z.object({
      name: z.string(),
      /** Digest of the run, or of the part of it. */
      run: z.string(),
      /** Steps of the snapshots where they are not all of the run. */
      steps: z.array(z.int()).nullable(),
      /** File of coordinates and losses of the training set, beside `surfaces/`. */
      fidelity: z.string(),
    }),
  ),
  /** Sentences for the caption. */
  notes: z.array(z.string()),
});

/** What is needed to draw a stored surface again and is no part of its identity. */
export type PlaneFacts = Readonly<z.infer<typeof planeFactsSchema>>;

import { canonicalJson, type JsonValue, sha256 } from "../../base/provenance.js";
import { createPlanePoint } from "../../directions/slice-map.js";
import type { LossValue, PlaneVectors } from "../loss-evaluator.js";

/** What the model's own ops gave at one θ on the first samples. */
export interface OwnValue {
  /** sha-256 (hex) of θ. */
  readonly theta: string;
  /** sha-256 (hex) of the plane on which θ lies, and where; null of a θ by itself. */
  readonly place: { readonly plane: string; readonly alpha: number; readonly beta: number } | null;
  /** null where there is no loss. */
  readonly value: Pick<LossValue, "loss" | "metrics"> | null;
}

/** Where values of own ops are kept for later evaluators of the same model, loss and data. */
export interface OwnValueStore {
  /** What is kept under a key; empty where nothing is, or nothing that can be used. */
  read(key: string): Promise<readonly OwnValue[]>;
  /** Replaces what is kept under a key. */
  write(key: string, values: readonly OwnValue[]): Promise<void>;
}

/** A point of a plane. */
export interface PlanePlace {
  readonly vectors: PlaneVectors;
  /** sha-256 (hex) of the vectors; takes as long as reading them, the first time. */
  readonly digest: () => string;
  readonly alpha: number;
  readonly beta: number;
}

/** Values of own ops, those of an earlier evaluator among them. */
export interface OwnValues {
  /** Whether an earlier evaluator has left values. */
  readonly hasEarlier: boolean;
  /** What is known at θ. */
  at(theta: Float32Array): OwnValue | undefined;
  add(theta: Float32Array, place: PlanePlace | null, value: LossValue | null): Promise<void>;
  /**
   * A point with an earlier value that can stand in for another one of the same plane: the next that has not been compared;
   * "compared" where all have been; null where the point does not lie in the rectangle that the earlier ones span.
   */
  standIn(
    place: PlanePlace,
  ): { readonly theta: Float32Array; readonly value: NonNullable<OwnValue["value"]> } | "compared" | null;
  /** Forgets what an earlier evaluator has left. */
  forget(): void;
}

/** Fewest earlier points of a plane that stand in for others: as many as a surface has center and corners. */
const LEAST_POINTS = 5;

/** Returns the key of all that values of own ops depend on. */
export function ownValuesKey(of: { readonly [name: string]: JsonValue }): string {
  return sha256(canonicalJson(of));
}

/** Opens what is kept under a key; without a store, values are known as long as this evaluator lives. */
export async function openOwnValues(store: OwnValueStore | undefined, key: () => string): Promise<OwnValues> {
  const name = store === undefined ? "" : key();
  let earlier = (await store?.read(name)) ?? [];
  const known = new Map(earlier.map((value) => [value.theta, value]));
  const compared = new Set<string>();
  return {
    get hasEarlier() {
      return earlier.length > 0;
    },
    at(theta) {
      const found = known.get(sha256(theta));
      if (found !== undefined) compared.add(found.theta);
      return found;
    },
    async add(theta, place, value) {
      const own = ownValue(theta, place, value);
      compared.add(own.theta);
      known.set(own.theta, own);
      if (isKept(own)) await store?.write(name, [...known.values()].filter(isKept));
    },
    standIn(place) {
      const onPlane = earlier.filter((one) => one.value !== null && one.place?.plane === place.digest());
      if (onPlane.length < LEAST_POINTS || !isWithin(place, onPlane)) return null;
      const next = onPlane.find((one) => !compared.has(one.theta));
      if (next === undefined) return "compared";
      compared.add(next.theta);
      const theta = thetaAt(place.vectors, next.place as NonNullable<OwnValue["place"]>);
      if (sha256(theta) !== next.theta) return null;
      return { theta, value: next.value as NonNullable<OwnValue["value"]> };
    },
    forget() {
      for (const { theta } of earlier) known.delete(theta);
      earlier = [];
    },
  };
}

function ownValue(theta: Float32Array, place: PlanePlace | null, value: LossValue | null): OwnValue {
  return {
    theta: sha256(theta),
    place: place === null ? null : { plane: place.digest(), alpha: place.alpha, beta: place.beta },
    value: value === null ? null : { loss: value.loss, metrics: value.metrics },
  };
}

/** Only finite numbers can be written down. */
function isKept({ value }: OwnValue): boolean {
  return value === null || [value.loss, ...Object.values(value.metrics)].every(Number.isFinite);
}

/** Whether a point lies in the rectangle that others span. */
function isWithin({ alpha, beta }: PlanePlace, others: readonly OwnValue[]): boolean {
  const spans = (of: "alpha" | "beta", at: number): boolean => {
    const all = others.map(({ place }) => place?.[of] as number);
    return Math.min(...all) <= at && at <= Math.max(...all);
  };
  return spans("alpha", alpha) && spans("beta", beta);
}

function thetaAt(vectors: PlaneVectors, { alpha, beta }: { alpha: number; beta: number }): Float32Array {
  const point = createPlanePoint({ center: vectors.center, vectors: [...vectors.vectors] });
  point.moveTo(alpha, beta);
  return point.theta;
}

import type { LandscapeWarning } from "../warning.js";
import type { ConnectedComponents } from "./connected-components.js";
import type { DuplicatePairs } from "./duplicate-points.js";
import type { ResolvedPhateOptions } from "./phate-options.js";
import type { PointMap } from "./point-map.js";

/** What the checks of an embedding look at. */
export interface PhateFacts {
  readonly map: PointMap;
  readonly options: ResolvedPhateOptions;
  readonly components: ConnectedComponents;
  readonly duplicates: DuplicatePairs;
  readonly t: number;
  readonly entropy: Float64Array | null;
}

/** Returns what a reader of a PHATE embedding should know: few points, duplicates, a graph in pieces. */
export function phateWarnings(facts: PhateFacts): LandscapeWarning[] {
  return [fewPoints(facts), duplicatePoints(facts), pieces(facts), steepGamma(facts), lateKnee(facts)].filter(
    (warning) => warning !== undefined,
  );
}

function fewPoints({ map, options }: PhateFacts): LandscapeWarning | undefined {
  const { count } = map.input;
  if (count < 30) {
    return {
      code: "too-few-points",
      message: `${count} points: below 30 the kernel spans much of the data and positions say little; record more snapshots.`,
    };
  }
  if (count > 100 || map.principal !== null || options.knnDist !== "cosine" || "distances" in map.input) {
    return undefined;
  }
  return {
    code: "few-points",
    message: `${count} points: up to 100 there is no principal component stage, so cosine distances are between ${map.center ? "centred" : "raw"} rows; with more points they would be between centred ones unless \`center\` says otherwise.`,
  };
}

function duplicatePoints({
  duplicates: { count, examples },
  options,
}: PhateFacts): LandscapeWarning | undefined {
  if (count === 0) return undefined;
  const named = examples.map(([i, j]) => `${i} and ${j}`).join(", ");
  return {
    code: "duplicate-points",
    message: `${count} pairs of points at distance 0 (${named}${count > examples.length ? ", …" : ""}): they take up neighbours, and more than knn = ${options.knn} copies of a point are cut off from the rest; leave duplicates out.`,
  };
}

function pieces({ components }: PhateFacts): LandscapeWarning | undefined {
  if (components.count === 1) return undefined;
  const sizes = [...components.sizes].sort((a, b) => b - a).slice(0, 5);
  return {
    code: "disconnected",
    message: `The neighbour graph falls into ${components.count} pieces (of ${sizes.join(", ")}${components.count > 5 ? ", …" : ""} points): their places relative to each other mean nothing; raise knn or lower decay.`,
  };
}

function steepGamma({ options: { gamma } }: PhateFacts): LandscapeWarning | undefined {
  if (!(gamma > 0.99 && gamma < 1)) return undefined;
  return {
    code: "steep-gamma",
    message: `gamma = ${gamma}: between 0.99 and 1 the potential loses precision; use 1 or at most 0.99.`,
  };
}

function lateKnee({ t, entropy }: PhateFacts): LandscapeWarning | undefined {
  if (entropy === null || t < entropy.length - 2) return undefined;
  return {
    code: "late-knee",
    message: `The entropy has its knee at the last power tried (t = ${t}); raise tMax or give t.`,
  };
}

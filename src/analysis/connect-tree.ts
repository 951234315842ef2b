import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { InvalidOptionError } from "../base/errors.js";
import {
  condenseWarnings,
  type LandscapeWarning,
  type NamedWarning,
  namedWarnings,
} from "../base/warning.js";
import type { Connection } from "../between/connection.js";
import type { PathLosses } from "../between/path-losses.js";
import { lowestPath, nextPair, pairCount, spanningTree } from "../between/solution-tree.js";
import type { Figure } from "../figure/figure.js";
import { createTreeFigure } from "../figure/make/create-tree-figure.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { type AnalyzeConnectionOptions, checkConnection, connectPoints } from "./connect.js";
import { alignedModels, namesOfModels, type Subject } from "./model-point.js";
import type { FigureOptions } from "./options.js";

/** Options of {@link analyzeSolutionTree}. */
export interface AnalyzeTreeOptions
  extends Omit<AnalyzeConnectionOptions, "onProgress" | "mapSize" | "figure"> {
  /** Pairs that are looked at. Default twice as many as the tree has, or all. */
  readonly pairs?: number | undefined;
  readonly figure?: Pick<FigureOptions, "title" | "names"> | undefined;
  /** Called after each pair with those done and all to do. */
  readonly onProgress?: ((step: "pairs", done: number, total: number) => void) | undefined;
}

/** A pair of solutions that was looked at. */
export interface SolutionPair {
  /** Numbers of the two solutions. */
  readonly pair: readonly [number, number];
  readonly connection: Connection;
  /** The path whose largest loss on the first set is lowest, and that loss. */
  readonly path: PathLosses;
  readonly height: number;
  readonly isInTree: boolean;
}

/** A minimum spanning tree over solutions. */
export interface SolutionTree {
  readonly names: readonly string[];
  readonly pairs: readonly SolutionPair[];
  readonly figure: Figure;
  /** One of each kind, with the pairs that it concerns. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Connects several solutions pair by pair, and returns the minimum spanning tree of the largest losses along their best
 * paths: first each one with the first, then pairs across the highest edge of the tree. Connections are stored one by
 * one, so that an interrupted tree goes on where it was.
 *
 * @param subjects - at least two runs, or snapshots of runs, of one layout.
 * @throws as `analyzeConnection`; {@link InvalidOptionError} for a number of pairs that cannot be.
 * @see Draxler et al. 2018, section 3.3.
 * @example const { pairs, figure } = await analyzeSolutionTree([run, first, second], model, { xs, ys }, { sets, curve: "bezier" });
 */
export async function analyzeSolutionTree(
  subjects: readonly Subject[],
  model: tf.LayersModel,
  data: EvaluationData,
  options: AnalyzeTreeOptions = {},
): Promise<SolutionTree> {
  checkConnection(options);
  const count = subjects.length;
  if (count < 2) throw new InvalidOptionError("models", "at least 2 models", String(count));
  const total = pairCount(count, options.pairs);
  const points = await alignedModels(subjects, options);
  const names = namesOfModels(points);
  const named = points.map((point, i) => ({ ...point, name: names[i] }));
  const { onProgress, figure, directory = points[0].run.directory } = options;
  const found: Omit<SolutionPair, "isInTree">[] = [];
  const warnings: NamedWarning[] = [];
  while (found.length < total) {
    const pair = nextPair(count, found);
    if (pair === null) break;
    const ends = [named[pair[0]], named[pair[1]]] as const;
    const one = await connectPoints(ends, model, data, {
      ...pick(options, ["sets", "align", "tries", "seed", "points", "curvePoints", "sampleLimit"]),
      ...pick(options, ["curve", "force", "signal"]),
      directory,
      mapSize: 0,
    });
    found.push({ pair, connection: one.connection, ...lowestPath(one.connection) });
    warnings.push(...namedWarnings(one.connection.names.join(" to "), one.warnings));
    onProgress?.("pairs", found.length, total);
  }
  const tree = new Set(spanningTree(count, found).map((edge) => found.indexOf(edge as (typeof found)[0])));
  const pairs = found.map((one, i) => ({ ...one, isInTree: tree.has(i) }));
  const shown = { title: figure?.title, dataName: figure?.names?.data };
  const figureOfTree = createTreeFigure(names, pairs, shown);
  return { names, pairs, figure: figureOfTree, warnings: condenseWarnings(warnings) };
}

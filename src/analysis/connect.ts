import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type AlignOptions, alignModels } from "../between/align-models.js";
import {
  type Connection,
  type ConnectOptions,
  connectModels,
  DEFAULT_CURVE_POINTS,
  resolveConnectOptions,
} from "../between/connection.js";
import { readConnection, writeConnection } from "../between/connection-file.js";
import type { CurveKind } from "../between/curve.js";
import { openProbe } from "../between/model-probe.js";
import { pathPoints } from "../between/path-losses.js";
import type { Figure } from "../figure/figure.js";
import { createConnectionFigure } from "../figure/make/create-connection-figure.js";
import { createCurveFigure } from "../figure/make/create-curve-figure.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo } from "../store/results/memo.js";
import { asNewest } from "../store/results/result-order.js";
import type { StepOptions } from "../store/run/run.js";
import { DEFAULT_SIZE } from "../surface/grid.js";
import { sliceProvenance } from "./analyze-line.js";
import { curveMap } from "./curve-map.js";
import { type CurveRequest, curveProvenance, curveStage, resolveCurve } from "./curve-stage.js";
import { alignedModels, alignLayouts, type ModelPoint, namesOfModels, type Subject } from "./model-point.js";
import type { ChartFigureOptions } from "./options.js";
import {
  checkEvaluation,
  type EvaluationOptions,
  type ProgressOptions,
  type ResultOptions,
} from "./options.js";

/** Options of {@link analyzeConnection}. */
export interface AnalyzeConnectionOptions
  extends Pick<EvaluationOptions, "sets">,
    Pick<ResultOptions, "directory" | "force">,
    Pick<ConnectOptions, "align" | "tries" | "seed" | "points" | "curvePoints" | "sampleLimit">,
    ProgressOptions<"connection" | "curve" | "map">,
    StepOptions {
  /** A curve of low loss that is trained between the models. Default none. */
  readonly curve?: CurveKind | CurveRequest | null | undefined;
  /** Points along each axis of the map that holds the curve; 0: no map. Default 21. */
  readonly mapSize?: number | undefined;
  readonly figure?: ChartFigureOptions | undefined;
}

/** What lies between two models, and its figure. */
export interface ConnectionAnalysis {
  readonly connection: Connection;
  readonly figure: Figure;
  /** The plane that holds the curve, with curve and line on it; null without a curve. */
  readonly map: Figure | null;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Evaluates what lies between the models of two runs, or reads it if it is stored, and draws it: the straight line and
 * the line after the second model's units are matched to the first one's, with their barriers; see `connectModels`.
 * With `curve`, one is trained between them as well, and drawn on the plane that holds it.
 * Results are stored as `connections/….arrow` and `curves/…/`; other settings replace nothing, and what was interrupted goes
 * on where it was.
 *
 * @param subjects - two runs, or snapshots of runs, of one layout.
 * @param model - the architecture of both, compiled.
 * @param data - inputs that units are matched, checked and repaired on: those of the training set.
 * @throws {@link InvalidOptionError} for another number of subjects, or an option that cannot be used;
 * {@link LayoutError} if the models differ in their parameters.
 * @example
 * const { connection, figure } = await analyzeConnection([first, second], model, { xs, ys }, { sets });
 */
export async function analyzeConnection(
  subjects: readonly Subject[],
  model: tf.LayersModel,
  data: EvaluationData,
  options: AnalyzeConnectionOptions = {},
): Promise<ConnectionAnalysis> {
  checkConnection(options);
  if (subjects.length !== 2) throw new InvalidOptionError("models", "2 models", String(subjects.length));
  const points = await alignedModels(subjects, options);
  return connectPoints(points as [ModelPoint, ModelPoint], model, data, options);
}

/** Checks options before the first expensive step. */
export function checkConnection(
  options: Pick<
    AnalyzeConnectionOptions,
    "sets" | "curve" | "seed" | "mapSize" | "curvePoints" | "points" | "align" | "tries" | "sampleLimit"
  >,
): void {
  const { sets, curve, seed = 0, mapSize, curvePoints } = options;
  checkEvaluation({ sets });
  resolveConnectOptions(pick(options, ["align", "tries", "seed", "points", "sampleLimit"]));
  if (curve != null) resolveCurve(typeof curve === "string" ? { kind: curve } : curve, seed);
  checkMapSize(mapSize);
  if (curvePoints !== undefined) pathPoints(curvePoints);
}

/** {@link analyzeConnection}, for two models of one layout. */
export async function connectPoints(
  points: readonly [ModelPoint, ModelPoint],
  model: tf.LayersModel,
  data: EvaluationData,
  options: AnalyzeConnectionOptions,
): Promise<ConnectionAnalysis> {
  const { sets = [], signal, onProgress, force } = options;
  const [a, b] = points;
  const names = namesOfModels(points) as [string, string];
  const settings = resolveConnectOptions(pick(options, ["align", "tries", "seed", "points", "sampleLimit"]));
  const request = typeof options.curve === "string" ? { kind: options.curve } : (options.curve ?? null);
  const curvePoints =
    request === null ? null : pathPoints(options.curvePoints ?? DEFAULT_CURVE_POINTS).length;
  const mapSize = checkMapSize(options.mapSize);
  const { directory = a.run.directory } = options;
  const name = connectionName(points);
  const trained =
    request === null ? null : await curveOf({ ...options, directory, models: points, model, data, request });
  const known = sliceProvenance(
    "connection",
    { ...settings, names, ...(curvePoints === null ? {} : { curvePoints }) },
    settings.seed,
    points,
    sets,
    "recalibrate",
  );
  const inputs = {
    ...known.inputs,
    samples: await digestOf(model, data, settings.sampleLimit),
    ...(trained === null ? {} : { curve: sha256(...trained.curve.points) }),
  };
  const provenance = { ...known, inputs };
  const file = join(directory, "connections", keyedName([name], provenance));
  // Its name begins with a dot: what looks for connections passes over it.
  const part = join(dirname(file), `.${basename(file)}`);
  const connection = await memo(
    {
      file,
      provenance,
      read: readConnection,
      write: async (place, value, made) => writeConnection(place, value, await asNewest(place, made)),
      force,
    },
    async () => {
      const left = force === true ? null : await readConnection(part, provenance);
      const found = await connectModels(model, data, [a.theta, b.theta], sets, {
        ...settings,
        layout: a.run.layout,
        names,
        signal,
        curve: trained,
        curvePoints: curvePoints ?? undefined,
        known: left?.paths,
        onPath: (sofar) => writeConnection(part, sofar, provenance),
        onProgress: (done, total) => onProgress?.("connection", done, total),
      });
      return found;
    },
  );
  await rm(part, { force: true });
  const { title, metric, accuracyAs, names: shown } = options.figure ?? {};
  const drawn = { title, metric, accuracyAs, dataName: shown?.data };
  const mapped =
    trained === null || mapSize === 0
      ? null
      : await curveMap(points, trained.curve, {
          sets,
          size: mapSize,
          folder: trained.folder,
          force,
          signal,
          onProgress: (done, total) => onProgress?.("map", done, total),
        });
  const figure = createConnectionFigure(connection, drawn);
  return {
    connection,
    figure,
    map: mapped === null ? null : createCurveFigure({ connection, ...mapped }, drawn),
    warnings: [...connection.warnings, ...(trained?.warnings ?? [])],
  };
}

/** Trains, reads or goes on with the curve of a connection. */
async function curveOf(
  work: Omit<AnalyzeConnectionOptions, "points"> & {
    readonly directory: string;
    readonly models: readonly [ModelPoint, ModelPoint];
    readonly model: tf.LayersModel;
    readonly data: EvaluationData;
    readonly request: CurveRequest;
  },
) {
  const { models, model, data, request, sets = [], seed = 0, signal, force, onProgress } = work;
  const dataDigest = await digestOf(model, data, Number.MAX_SAFE_INTEGER);
  const parts = { ends: models, request, seed, model, data, dataDigest, sets, signal, force };
  const provenance = curveProvenance(parts);
  const key = keyedName([request.kind, ...models.map(({ digest }) => digest.slice(0, 8))], provenance);
  const folder = join(work.directory, "curves", key.replace(/\.arrow$/, ""));
  const found = await curveStage({
    ...parts,
    folder,
    onProgress: (done, total) => onProgress?.("curve", done, total),
  });
  return { ...found, folder };
}

function checkMapSize(size = DEFAULT_SIZE): number {
  if (size === 0 || (Number.isInteger(size) && size >= 3)) return size;
  throw new InvalidOptionError("mapSize", "0, or a whole number of at least 3", String(size));
}

/** A model with its units in the order of another one's, and what the matching came to. */
export interface AlignedPoint {
  /** The second model, aligned: the same function, other weights. */
  readonly point: ModelPoint;
  /** What was done, in a sentence. */
  readonly sentence: string;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns a model with its units matched to those of another one, as a point of its own name and digest; see
 * `alignModels`.
 *
 * @param model - the architecture of both, compiled.
 * @param data - inputs that units are matched and checked on.
 * @throws as `alignModels`; {@link LayoutError} if the models differ in their parameters.
 */
export async function alignPoint(
  to: ModelPoint,
  point: ModelPoint,
  model: tf.LayersModel,
  data: EvaluationData,
  { method = "weights", tries, signal }: Pick<AlignOptions, "method" | "tries" | "signal">,
): Promise<AlignedPoint> {
  const [a, b] = (await alignLayouts([to, point])) as [ModelPoint, ModelPoint];
  const [first, second] = namesOfModels([a, b]);
  const { layout } = a.run;
  const { theta, moved, units, distance, warnings } = await alignModels(model, data, a.theta, b.theta, {
    method,
    layout,
    tries,
    signal,
  });
  const apart = `${distance.before.toPrecision(4)} to ${distance.after.toPrecision(4)}`;
  return {
    point: { ...b, theta, digest: sha256(theta), name: `${b.name}, aligned` },
    sentence: `units of ${second} matched to those of ${first} by ${method}: ${moved} of ${units} moved, distance ${apart}`,
    warnings,
  };
}

/** sha-256 of the samples that units are matched on. */
async function digestOf(model: tf.LayersModel, data: EvaluationData, sampleLimit: number): Promise<string> {
  const probe = await openProbe(model, data, { sampleLimit });
  probe.dispose();
  return probe.dataDigest;
}

/** What the file of a connection is called, before the digits that tell its settings. */
export function connectionName(models: readonly ModelPoint[]): string {
  return ["connect", ...models.map(({ digest }) => digest.slice(0, 8))].join("-");
}

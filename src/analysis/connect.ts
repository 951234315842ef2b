import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import { InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type AlignMethod, alignModels } from "../between/align-models.js";
import {
  type Connection,
  type ConnectOptions,
  connectModels,
  resolveConnectOptions,
} from "../between/connection.js";
import { readConnection, writeConnection } from "../between/connection-file.js";
import { openProbe } from "../between/model-probe.js";
import type { Figure } from "../figure/figure.js";
import { createConnectionFigure } from "../figure/make/create-connection-figure.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo } from "../store/results/memo.js";
import { asNewest } from "../store/results/result-order.js";
import { partOfRun, type StepOptions } from "../store/run/run.js";
import { sliceProvenance } from "./analyze-line.js";
import {
  alignLayouts,
  isModelPoint,
  type ModelPoint,
  modelOf,
  namesOfModels,
  type Subject,
} from "./model-point.js";
import {
  checkEvaluation,
  type EvaluationOptions,
  type FigureOptions,
  type ProgressOptions,
  type ResultOptions,
} from "./options.js";

/** Options of {@link analyzeConnection}. */
export interface AnalyzeConnectionOptions
  extends Pick<EvaluationOptions, "sets">,
    Pick<ResultOptions, "directory" | "force">,
    Pick<ConnectOptions, "align" | "tries" | "seed" | "points" | "sampleLimit">,
    ProgressOptions<"connection">,
    StepOptions {
  readonly figure?:
    | (Omit<FigureOptions, "metric"> & { readonly metric?: string | null | undefined })
    | undefined;
}

/** What lies between two models, and its figure. */
export interface ConnectionAnalysis {
  readonly connection: Connection;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Evaluates what lies between the models of two runs, or reads it if it is stored, and draws it: the straight line and
 * the line after the second model's units are matched to the first one's, with their barriers; see `connectModels`.
 * Results are stored as `connections/….arrow`; other settings replace nothing.
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
  const { sets = [], signal, onProgress } = options;
  checkEvaluation(pick(options, ["sets"]));
  if (subjects.length !== 2) throw new InvalidOptionError("models", "2 models", String(subjects.length));
  const given: ModelPoint[] = [];
  for (const subject of subjects) {
    given.push(await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, options)));
  }
  const points = await alignLayouts(given);
  const [a, b] = points as [ModelPoint, ModelPoint];
  const names = namesOfModels(points) as [string, string];
  const settings = resolveConnectOptions(pick(options, ["align", "tries", "seed", "points", "sampleLimit"]));
  const { directory = a.run.directory } = options;
  const known = sliceProvenance(
    "connection",
    { ...settings, names },
    settings.seed,
    points,
    sets,
    "recalibrate",
  );
  const inputs = { ...known.inputs, samples: await digestOf(model, data, settings.sampleLimit) };
  const provenance = { ...known, inputs };
  const connection = await memo(
    {
      file: join(directory, "connections", keyedName([connectionName(points)], provenance)),
      provenance,
      read: readConnection,
      write: async (place, value, made) => writeConnection(place, value, await asNewest(place, made)),
      force: options.force,
    },
    () =>
      connectModels(model, data, [a.theta, b.theta], sets, {
        ...settings,
        layout: a.run.layout,
        names,
        signal,
        onProgress: (done, total) => onProgress?.("connection", done, total),
      }),
  );
  const { title, metric, accuracyAs, names: shown } = options.figure ?? {};
  const figure = createConnectionFigure(connection, { title, metric, accuracyAs, dataName: shown?.data });
  return { connection, figure, warnings: connection.warnings };
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
  method: AlignMethod,
  signal?: AbortSignal,
): Promise<AlignedPoint> {
  const [a, b] = (await alignLayouts([to, point])) as [ModelPoint, ModelPoint];
  const [first, second] = namesOfModels([a, b]);
  const { layout } = a.run;
  const { theta, moved, units, distance, warnings } = await alignModels(model, data, a.theta, b.theta, {
    method,
    layout,
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

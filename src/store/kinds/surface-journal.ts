import { z } from "zod";
import { FormatError } from "../../base/errors.js";
import { parseJsonText } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { EngineInfo, SampleValues } from "../../loss/loss-evaluator.js";
import type { ApproximatedPoint } from "../../surface/approximate/point-evaluator.js";
import type { EvaluatedPoint } from "../../surface/surface.js";
import {
  type Artifact,
  type ArtifactColumn,
  column,
  float64Column,
  int32Column,
  textColumn,
} from "../results/artifact.js";
import { readInterrupted, type TileCodec } from "../results/tile-journal.js";
import { metricColumn } from "./surface-file.js";

/** An evaluated point of one of several curves (or surfaces) that are stored together. */
export interface CurvePoint extends EvaluatedPoint {
  /** Number of the curve; 0 where there is but one. */
  readonly curve: number;
}

/** Evaluated points in tiles: columns curve, index (−1 is θ*), loss, one for each metric, and facts of the loss. */
export const curvePointTiles: TileCodec<CurvePoint> = { columnsOf, pointsOf };

/** What an interrupted evaluation has left: points, and what they were computed with. */
export interface InterruptedSurface {
  readonly provenance: Provenance;
  readonly engine: EngineInfo;
  readonly points: readonly EvaluatedPoint[];
}

/**
 * Reads what an interrupted evaluation of a surface has left.
 *
 * @param file - where the surface itself would be.
 * @returns null if there is nothing.
 * @throws `FormatError` if a tile is damaged.
 * @example const left = await readInterruptedSurface("runs/adam/surfaces/pca.arrow"); // null if none
 */
export async function readInterruptedSurface(file: string): Promise<InterruptedSurface | null> {
  const left = await readInterrupted(file, curvePointTiles);
  if (left === null) return null;
  const { provenance, engines, points } = left;
  return { provenance, engine: engines[0] as EngineInfo, points };
}

function columnsOf(
  points: readonly CurvePoint[],
  metricNames: readonly string[],
): Record<string, ArtifactColumn> {
  const numbers = (of: (point: CurvePoint) => number | null | undefined) => ({
    values: Float64Array.from(points, (point) => of(point) ?? Number.NaN),
  });
  const metrics = metricNames.map((metric) => [
    metricColumn(metric),
    numbers(({ value }) => value.metrics[metric]),
  ]);
  return {
    curve: { values: Int32Array.from(points, ({ curve }) => curve) },
    index: { values: Int32Array.from(points, ({ index }) => index) },
    loss: numbers(({ value }) => value.loss),
    "metric:clippedShare": numbers(({ value }) => value.clippedShare),
    "metric:cappedShare": numbers(({ value }) => value.cappedShare),
    // 0: the evaluator does not give a capped share at all.
    "metric:hasCapped": numbers(({ value }) => (value.cappedShare === undefined ? 0 : 1)),
    "metric:undefined": { values: points.map((point) => JSON.stringify(point.undefinedWeights)) },
    ...Object.fromEntries(metrics),
  };
}

function pointsOf(file: string, tile: Artifact, metrics: readonly string[]): CurvePoint[] {
  const numbers = (name: string) => float64Column(file, tile, name);
  const [curves, indices] = [int32Column(file, tile, "curve"), int32Column(file, tile, "index")];
  const weights = textColumn(file, tile, "metric:undefined");
  const [loss, clipped, capped] = ["loss", "metric:clippedShare", "metric:cappedShare"].map(numbers);
  const hasCapped = numbers("metric:hasCapped");
  const values = metrics.map((name) => [name, numbers(metricColumn(name))] as const);
  const shareAt = (shares: Float64Array | undefined, row: number): number | null => {
    const share = shares?.[row] ?? Number.NaN;
    return Number.isNaN(share) ? null : share;
  };
  return Array.from(indices, (index, row) => ({
    curve: curves[row] ?? 0,
    index,
    value: {
      loss: loss?.[row] ?? Number.NaN,
      metrics: Object.fromEntries(values.map(([name, column]) => [name, column[row] as number])),
      clippedShare: shareAt(clipped, row),
      ...(hasCapped[row] === 1 ? { cappedShare: shareAt(capped, row) } : {}),
    },
    undefinedWeights: readNames(file, weights[row] ?? "[]"),
  }));
}

const namesSchema = z.array(z.string());

/** Names of weights that are not defined at a point, as JSON. */
function readNames(file: string, text: string): string[] {
  const where = `${file}: metric:undefined`;
  const parsed = namesSchema.safeParse(parseJsonText(where, text));
  if (parsed.success) return parsed.data;
  throw new FormatError(where, "a list of names", text.slice(0, 60));
}

const [LOSS, EXACT] = ["metric:samples", "metric:isExact"];
const metricOf = (name: string): string => `${LOSS}:${name}`;
const NOTHING = { loss: Number.NaN, metrics: {}, clippedShare: null };

/**
 * Points of an approximate surface in tiles: those of exact surfaces, with the values on the subsample, sample by
 * sample, as lists beside them. A row without any has a list of NaN: a tile has rows of both kinds, or one.
 */
export const approximatedPointTiles: TileCodec<ApproximatedPoint> = {
  columnsOf(points, metrics) {
    const whole = points.map(({ index, value, undefinedWeights }) => {
      return { curve: 0, index, value: value ?? NOTHING, undefinedWeights };
    });
    const width = Math.max(0, ...points.map(({ samples }) => samples?.loss.length ?? 0));
    const lists = (of: (samples: SampleValues) => Float64Array | undefined): ArtifactColumn => {
      const values = new Float64Array(points.length * width).fill(Number.NaN);
      points.forEach(({ samples }, row) => {
        if (samples !== null) values.set(of(samples) ?? [], row * width);
      });
      return { values, width };
    };
    const named = metrics.map((name) => [metricOf(name), lists((samples) => samples.metrics[name])] as const);
    return {
      ...curvePointTiles.columnsOf(whole, metrics),
      [EXACT]: { values: Int32Array.from(points, ({ value }) => (value === null ? 0 : 1)) },
      "metric:hasSamples": { values: Int32Array.from(points, ({ samples }) => (samples === null ? 0 : 1)) },
      ...(width === 0 ? {} : { [LOSS]: lists(({ loss }) => loss), ...Object.fromEntries(named) }),
    };
  },
  pointsOf(file, tile, metrics) {
    const isExact = int32Column(file, tile, EXACT);
    const hasSamples = int32Column(file, tile, "metric:hasSamples");
    return curvePointTiles.pointsOf(file, tile, metrics).map(({ index, value, undefinedWeights }, row) => ({
      index,
      value: isExact[row] === 1 ? value : null,
      samples: hasSamples[row] === 1 ? samplesAt(file, tile, metrics, row) : null,
      undefinedWeights,
    }));
  },
};

function samplesAt(file: string, tile: Artifact, metrics: readonly string[], row: number): SampleValues {
  const list = (name: string): Float64Array => {
    const { values, width } = column(file, tile, name);
    if (!(values instanceof Float64Array) || width === undefined) {
      throw new FormatError(`${file}: ${name}`, "lists of float64", "another type");
    }
    return values.slice(row * width, (row + 1) * width);
  };
  return {
    loss: list(LOSS),
    metrics: Object.fromEntries(metrics.map((name) => [name, list(metricOf(name))])),
  };
}

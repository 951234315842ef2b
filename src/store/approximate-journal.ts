import type { ApproximatedPoint } from "../approximate/approximated-point.js";
import type { SampleValues } from "../model/sample-evaluator.js";
import type { Artifact, ArtifactColumn } from "./artifact.js";
import { column } from "./artifact-file.js";
import { curvePointTiles } from "./surface-journal.js";
import type { TileCodec } from "./tile-journal.js";

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
    const isExact = column(file, tile, EXACT).values;
    const hasSamples = column(file, tile, "metric:hasSamples").values;
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
    const { values, width = 1 } = column(file, tile, name);
    return (values as Float64Array).slice(row * width, (row + 1) * width);
  };
  return {
    loss: list(LOSS),
    metrics: Object.fromEntries(metrics.map((name) => [name, list(metricOf(name))])),
  };
}

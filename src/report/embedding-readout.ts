import type { EmbeddingFigure, EmbeddingPoint } from "./embedding-figure.js";
import { formatNumber } from "./format-number.js";
import { decodeNumber } from "./json-number.js";
import type { Readout } from "./readout.js";

/** Returns what is known of a snapshot of an embedding, for the tooltip. */
export function embeddingReadout(figure: EmbeddingFigure, pathIndex: number, point: EmbeddingPoint): Readout {
  const number = (value: EmbeddingPoint["loss"]): string => {
    const decoded = decodeNumber(value);
    return Number.isNaN(decoded) ? "unknown" : formatNumber(decoded);
  };
  const { at, stepSize } = point;
  return {
    heading: `${figure.paths[pathIndex]?.name ?? ""}, epoch ${point.epoch}`,
    rows: [
      ["iteration", String(point.iteration)],
      [figure.lossName, number(point.loss)],
      ...(decodeNumber(stepSize) >= 0 ? [["length of the step", number(stepSize)] as const] : []),
      [figure.dimensions === 2 ? "x, y" : "x, y, z", at.map(number).join(", ")],
    ],
  };
}

/** Returns the counts at which something appears when the figure is played, increasing. */
export function embeddingFrames({ paths, progress }: EmbeddingFigure): number[] {
  const counts = paths.flatMap(({ points }) => points.map((point) => point[progress]));
  return [...new Set(counts)].sort((a, b) => a - b);
}

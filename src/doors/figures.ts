/**
 * Figures as plain data, the functions that make them, and the encoders that turn them into files.
 *
 * @module tfjs-landscape/figures
 */

// Making figures

export { withScaleKind } from "../figure/figure.js";
export { type ContourScale, createContourScale } from "../figure/make/contour-scale.js";
export { createComparedLinesFigure } from "../figure/make/create-compared-lines-figure.js";
export { createComparisonTable } from "../figure/make/create-comparison-table.js";
export {
  createEmbeddingFigure,
  type EmbeddingFigureOptions,
} from "../figure/make/create-embedding-figure.js";
export { createLineFigure, type LineFigureOptions } from "../figure/make/create-line-figure.js";
export { createMapsFigure, type MapsFigureInput } from "../figure/make/create-maps-figure.js";
export { createPlanesFigure } from "../figure/make/create-planes-figure.js";
export { createProgressFigure } from "../figure/make/create-progress-figure.js";
export { createTopologyFigure } from "../figure/make/create-topology-figure.js";
export { createTrainingFigure } from "../figure/make/create-training-figure.js";
export {
  createTrajectoryFigure,
  type TrajectoryFigureInput,
} from "../figure/make/create-trajectory-figure.js";
export {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
} from "../figure/make/create-weights-figures.js";
export { runSettings } from "../figure/make/run-settings.js";

// Figures as data

export type { ChartFigure } from "../figure/chart-figure.js";
export type { EmbeddingFigure } from "../figure/embedding-figure.js";
export type { TrajectoryFigure } from "../figure/figure.js";
export type { MapsFigure } from "../figure/make/create-maps-figure.js";
export type { TableFigure } from "../figure/table-figure.js";

// Drawing

export { figureOption, figureSize } from "../figure/any-figure.js";
export { trajectoryOption, trajectorySize } from "../figure/draw/trajectory-option.js";
export type { PictureSize } from "../figure/files/render-svg.js";
export { surfaceOption, surfaceSize } from "../figure/space/surface-option.js";

// Encoding

export { renderGif } from "../figure/files/encode-gif.js";
export { type ReportData, renderHtml } from "../figure/files/render-html.js";
export { type RenderPngOptions, renderPng } from "../figure/files/render-png.js";
export { renderSvg } from "../figure/files/render-svg.js";
export { tableCsv } from "../figure/table-figure.js";

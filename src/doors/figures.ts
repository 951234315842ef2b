/**
 * Figures as plain data, the functions that make them, and the encoders that turn them into files.
 *
 * @module tfjs-landscape/figures
 */

// Making figures

export { type ContourScale, createContourScale } from "../figure/draw/contour-scale.js";
export { createComparedLinesFigure } from "../figure/make/create-compared-lines-figure.js";
export { createComparisonTable } from "../figure/make/create-comparison-table.js";
export {
  createEmbeddingFigure,
  type EmbeddingFigureOptions,
} from "../figure/make/create-embedding-figure.js";
export { createLineFigure, type LineFigureOptions } from "../figure/make/create-line-figure.js";
export { createMapsFigure, type MapsFigureInput } from "../figure/make/create-maps-figure.js";
export { createPlanesFigure } from "../figure/make/create-planes-figure.js";
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

export type {
  CurvesPanel,
  MapPanel,
  Panel,
  Path,
  RunData,
  ScatterPanel,
  TablePanel,
} from "../figure/figure.js";

// Views and drawing

export type { DrawOptions } from "../figure/draw/figure-frame.js";
export { figureOption, figureSize } from "../figure/draw/figure-option.js";
export type { PictureSize } from "../figure/files/render-svg.js";
export { withScale } from "../figure/make/with-scale.js";
export { inSpace } from "../figure/space/surface-panel.js";

// Encoding

export { type RenderGifOptions, renderGif } from "../figure/files/encode-gif.js";
export { type ReportData, renderHtml } from "../figure/files/render-html.js";
export { type RenderPngOptions, renderPng } from "../figure/files/render-png.js";
export { renderSvg } from "../figure/files/render-svg.js";
export { tableCsv } from "../figure/files/table-files.js";

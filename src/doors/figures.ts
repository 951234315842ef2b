/**
 * Figures as plain data, the functions that make them, and the encoders that turn them into files.
 *
 * @module tfjs-landscape/figures
 */

// Making figures

export { type ContourScale, createContourScale } from "../figure/draw/scales.js";
export { createComparisonTable } from "../figure/make/create-comparison-table.js";
export {
  createEmbeddingFigure,
  type EmbeddingFigureOptions,
} from "../figure/make/create-embedding-figure.js";
export {
  createComparedLinesFigure,
  createLineFigure,
  type LineFigureOptions,
} from "../figure/make/create-line-figures.js";
export {
  createMapsFigure,
  createPlanesFigure,
  type MapsFigureInput,
} from "../figure/make/create-maps-figures.js";
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
export { runSettings } from "../figure/make/run-data.js";

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
export { figureOption, figureSize } from "../figure/draw/layout-figure.js";
export { withScale } from "../figure/draw/scales.js";
export type { PictureSize } from "../figure/files/render-picture.js";
export { inSpace } from "../figure/space/surface-panel.js";

// Encoding

export { type RenderGifOptions, renderGif } from "../figure/files/encode-gif.js";
export { tableCsv } from "../figure/files/export-table.js";

import "../figure/files/notebook.js";

export { type ReportData, renderHtml } from "../figure/files/render-html.js";
export { type RenderPngOptions, renderPng, renderSvg } from "../figure/files/render-picture.js";

import { showChart, showMaps } from "./chart-view.js";
import { showEmbedding } from "./embedding-view.js";
import { createPicture } from "./picture.js";
import { startPage } from "./start-page.js";
import { createSurfaceLayer } from "./surface-layer.js";
import { showTrajectory } from "./trajectory-view.js";

startPage({
  trajectory: (place, figure) => showTrajectory(place, figure, createSurfaceLayer),
  chart: showChart,
  maps: showMaps,
  table: createPicture,
  embedding: showEmbedding,
});

import { showChart, showMaps } from "./chart-view.js";
import { showEmbedding } from "./embedding-view.js";
import { createPicture } from "./picture.js";
import { startPage } from "./start-page.js";
import { showTrajectory } from "./trajectory-view.js";

startPage({
  trajectory: showTrajectory,
  chart: showChart,
  maps: showMaps,
  table: createPicture,
  embedding: showEmbedding,
});

import { showPicture } from "./chart-view.js";
import { showEmbedding } from "./embedding-view.js";
import { startPage } from "./start-page.js";
import { showTrajectory } from "./trajectory-view.js";

startPage({
  trajectory: showTrajectory,
  chart: showPicture,
  maps: showPicture,
  table: showPicture,
  embedding: showEmbedding,
});

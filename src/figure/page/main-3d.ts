import { startPage } from "./start-page.js";
import { createSurfaceLayer } from "./surface-layer.js";

startPage({ createSpace: createSurfaceLayer });

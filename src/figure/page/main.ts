import { startPage } from "./start-page.js";
import { createSurfaceLayer, hasSpaceCode } from "./surface-layer.js";

startPage(hasSpaceCode() ? { createSpace: createSurfaceLayer } : {});

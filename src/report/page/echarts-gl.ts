import { VisualMapContinuousComponent } from "echarts/components";
import { use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { install as Line3DChart } from "echarts-gl/lib/chart/line3D/install.js";
import { install as Scatter3DChart } from "echarts-gl/lib/chart/scatter3D/install.js";
import { install as SurfaceChart } from "echarts-gl/lib/chart/surface/install.js";
import { install as Grid3DComponent } from "echarts-gl/lib/component/grid3D/install.js";
import "echarts-gl/lib/echarts-gl.js";

use([
  Line3DChart,
  Scatter3DChart,
  SurfaceChart,
  Grid3DComponent,
  VisualMapContinuousComponent,
  CanvasRenderer,
]);

export { init } from "../echarts.js";

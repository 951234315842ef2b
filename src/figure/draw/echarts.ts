import { CustomChart, LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, setPlatformAPI, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

// Only what the figures use, so that the page stays small.
use([CustomChart, LineChart, GridComponent, SVGRenderer]);

export { init, setPlatformAPI };

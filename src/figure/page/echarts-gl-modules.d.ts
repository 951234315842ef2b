// The parts of echarts-gl that the page uses; the library has no types of its own.
declare module "echarts-gl/lib/*" {
  /** Registers a chart or a component with ECharts. */
  export const install: Extract<
    Parameters<typeof import("echarts/core").use>[0],
    (...args: never) => unknown
  >;
}

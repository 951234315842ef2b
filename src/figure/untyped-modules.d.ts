// The parts of echarts-gl that the page uses; the library has no types of its own.
declare module "echarts-gl/lib/*" {
  /** Registers a chart or a component with ECharts. */
  export const install: Extract<
    Parameters<typeof import("echarts/core").use>[0],
    (...args: never) => unknown
  >;
}

// gifenc brings no types: encode-gif.ts names the part that it uses.
declare module "gifenc" {
  const loaded: unknown;
  export default loaded;
}

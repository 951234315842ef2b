/**
 * Predicts how surfaces scale over the workers of a queue, and draws docs/images/queue-scaling.svg:
 * `node scripts/queue-scaling.mjs [--costs FILE] [--out FILE]`. FILE holds what `npm run bench -- queue --json` prints.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { ensureBuilt, ensureInstalled, root } from "./prepare-checkout.mjs";

ensureInstalled();
ensureBuilt();
const { simulateQueue } = await import("../dist/bench/queue-model.js");

const { values } = parseArgs({ options: { costs: { type: "string" }, out: { type: "string" } } });
const file = values.costs ?? join(root, "bench", "queue-costs.json");
const found = JSON.parse(readFileSync(file, "utf8"));
const costs = found.cases?.find((one) => one.case === "costs") ?? found;

/** 501 × 501 points; 10,000 images of MNIST and a network of 270,000 weights; a store of 1 GB/s. */
const work = { points: 501 * 501, tileSeconds: 5, storeBytesPerSecond: 1e9 };
const content = { contentBytes: 31_400_000 + 3 * 1_080_000 };
const WORKERS = [1, 2, 4, 10, 20, 40, 100, 200, 400, 1000, 2000, 4000, 10_000];
const POINTS = [0.05, 0.5, 5];
/** Okabe and Ito's, which keep apart for all eyes. */
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

const predictions = POINTS.map((pointSeconds) =>
  WORKERS.map((workers) => ({
    workers,
    pointSeconds,
    ...simulateQueue({ ...costs, ...content }, { ...work, workers, pointSeconds }),
  })),
);
const row = (cells) => `| ${cells.join(" | ")} |\n`;
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const duration = (seconds) =>
  seconds >= 7200
    ? `${(seconds / 3600).toFixed(1)} h`
    : `${seconds >= 100 ? Math.round(seconds / 60) : (seconds / 60).toFixed(1)} min`;
process.stdout.write(
  row(["point", "workers", "time", "efficiency", "server", "submitter", "store", "limit"]),
);
process.stdout.write(row(Array(8).fill("---")));
for (const { workers, pointSeconds, seconds, speedup, load, limit } of predictions.flat()) {
  if (![1, 10, 100, 1000, 10_000].includes(workers)) continue;
  const shares = [speedup / workers, load.server, load.submitter, load.store].map(percent);
  process.stdout.write(row([`${pointSeconds} s`, workers, duration(seconds), ...shares, limit]));
}

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
const [width, height] = [720, 760];
const text = { fontFamily: "sans-serif", fontSize: 14, color: "#222" };
const axis = (gridIndex, name, more = {}) => ({
  type: "log",
  gridIndex,
  name,
  nameLocation: "middle",
  nameTextStyle: text,
  axisLabel: { ...text, formatter: (value) => value.toLocaleString("en") },
  axisLine: { show: true, lineStyle: { color: "#222" } },
  splitLine: { lineStyle: { color: "#e4e4e4" } },
  ...more,
});
const line = (name, data, color, index, more = {}) => ({
  type: "line",
  name,
  data,
  color,
  xAxisIndex: index,
  yAxisIndex: index,
  symbolSize: 6,
  lineStyle: { width: 2.5 },
  endLabel: { show: true, formatter: name, ...text, color, distance: 6 },
  ...more,
});
const shown = predictions[1];
const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
chart.setOption({
  animation: false,
  backgroundColor: "#fff",
  textStyle: text,
  title: [
    {
      text: "Speed-up over one process",
      left: 8,
      top: 4,
      textStyle: { ...text, fontWeight: "bold", fontSize: 16 },
    },
    {
      text: "Load at 0.5 s a point (1: no more is possible)",
      left: 8,
      top: 404,
      textStyle: { ...text, fontWeight: "bold", fontSize: 16 },
    },
  ],
  grid: [
    { left: 76, right: 130, top: 36, height: 300 },
    { left: 76, right: 130, top: 436, height: 260 },
  ],
  xAxis: [0, 1].map((index) =>
    axis(index, "workers, of one process each", { min: 1, max: 10_000, nameGap: 28 }),
  ),
  yAxis: [
    axis(0, "times as fast", { min: 1, max: 10_000, nameGap: 56 }),
    axis(1, "share of the time", { min: 0.0001, max: 1, nameGap: 56 }),
  ],
  series: [
    line(
      "perfect",
      WORKERS.map((workers) => [workers, workers]),
      "#999",
      0,
      {
        symbol: "none",
        lineStyle: { type: "dashed", width: 1.5, color: "#999" },
        endLabel: { show: false },
      },
    ),
    ...POINTS.map((seconds, i) =>
      line(
        `${seconds} s a point`,
        // A logarithmic axis has no place for nothing.
        predictions[i]
          .filter(({ speedup }) => speedup >= 1)
          .map(({ workers, speedup }) => [workers, speedup]),
        COLORS[i],
        0,
      ),
    ),
    ...["server", "submitter", "store"].map((name, i) =>
      line(
        name === "server" ? "Redis" : name,
        shown.map(({ workers, load }) => [workers, Math.max(1e-4, load[name])]),
        COLORS[i],
        1,
        { symbol: ["circle", "triangle", "rect"][i] },
      ),
    ),
  ],
});
const out = values.out ?? join(root, "docs", "images", "queue-scaling.svg");
writeFileSync(out, `${chart.renderToSVGString()}\n`);
process.stdout.write(`\n${out}\n`);

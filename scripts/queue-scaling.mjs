/**
 * Draws what the simulation of a queue predicts for 1 to 10,000 workers, from measured costs, and prints the table:
 *
 *     npm run --silent bench -- queue --json > costs.json
 *     node scripts/queue-scaling.mjs --costs costs.json --out docs/images/queue-scaling.svg
 *
 * Both axes are logarithmic, so only what is finite and above 0 is drawn: an overloaded server has no time.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import * as echarts from "echarts";
import { simulateQueue } from "../dist/bench/queue-model.js";

const { values } = parseArgs({
  options: {
    costs: { type: "string" },
    out: { type: "string" },
    // A surface of 251 x 251 points of two seconds: 35 hours of one process.
    points: { type: "string", default: "63001" },
    seconds: { type: "string", default: "2" },
    megabytes: { type: "string", default: "35" },
  },
});
if (values.costs === undefined || values.out === undefined) {
  throw new Error("queue-scaling: expected --costs FILE and --out FILE.svg");
}
const { cases } = JSON.parse(readFileSync(values.costs, "utf8"));
const measured = cases.find((one) => one.case === "costs");
const costs = { ...measured, contentBytes: Number(values.megabytes) * 1e6 };
const counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
const WORK = {
  points: Number(values.points),
  pointSeconds: Number(values.seconds),
  storeBytesPerSecond: 1e9,
};
const predict = (tileSeconds) =>
  counts.map((workers) => ({ workers, ...simulateQueue(costs, { ...WORK, workers, tileSeconds }) }));
const predictions = { "tiles of 5 s": predict(5), "tiles of 30 s": predict(30) };

const COLORS = ["#0072b2", "#d55e00", "#595959"];
const TEXT = { color: "#222", fontFamily: "sans-serif", fontSize: 13 };
const log = (name, index, extra) => ({
  type: "log",
  name,
  nameLocation: "middle",
  nameGap: index === "x" ? 28 : 52,
  nameTextStyle: TEXT,
  axisLabel: { ...TEXT, formatter: (value) => value.toLocaleString("en", { maximumFractionDigits: 3 }) },
  splitLine: { lineStyle: { color: "#e4e4e4" } },
  ...extra,
});
const isDrawable = ([x, y]) => Number.isFinite(y) && x > 0 && y > 0;
const line = (name, panel, color, points, extra = {}) => ({
  type: "line",
  name,
  xAxisIndex: panel,
  yAxisIndex: panel,
  data: points.filter(isDrawable),
  symbolSize: 5,
  lineStyle: { color, width: 2 },
  itemStyle: { color },
  ...extra,
});
const [short, long] = Object.values(predictions);
const shares = (of, name, color) =>
  line(
    name,
    1,
    color,
    short.map(({ workers, load }) => [workers, 100 * load[of]]),
  );
const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 900, height: 400 });
chart.setOption({
  animation: false,
  backgroundColor: "#fff",
  title: [
    { text: "Time of the surface", left: 70, top: 6, textStyle: { ...TEXT, fontWeight: "bold" } },
    { text: "Load, tiles of 5 s", left: 530, top: 6, textStyle: { ...TEXT, fontWeight: "bold" } },
  ],
  legend: [
    { data: ["tiles of 5 s", "tiles of 30 s", "perfect"], left: 70, top: 28, itemGap: 24, textStyle: TEXT },
    { data: ["Redis", "submitter", "store"], left: 530, top: 28, itemGap: 24, textStyle: TEXT },
  ],
  grid: [
    { left: 76, top: 66, width: 350, height: 270 },
    { left: 536, top: 66, width: 330, height: 270 },
  ],
  xAxis: [0, 1].map((gridIndex) => log("workers of one process", "x", { gridIndex, min: 1, max: 10_000 })),
  yAxis: [
    log("minutes", "y", { gridIndex: 0 }),
    log("share of its time, %", "y", { gridIndex: 1, min: 0.01, max: 100 }),
  ],
  series: [
    line(
      "perfect",
      0,
      COLORS[2],
      counts.map((workers) => [workers, (WORK.points * WORK.pointSeconds) / workers / 60]),
      { symbol: "none", lineStyle: { color: COLORS[2], width: 1, type: "dashed" } },
    ),
    ...[short, long].map((one, i) =>
      line(
        Object.keys(predictions)[i],
        0,
        COLORS[i],
        one.map(({ workers, seconds }) => [workers, seconds / 60]),
      ),
    ),
    shares("server", "Redis", COLORS[0]),
    shares("submitter", "submitter", COLORS[1]),
    shares("store", "store", COLORS[2]),
  ],
});
// Without ECharts's styles for a pointer, and with a name for those who do not see it.
const svg = chart.renderToSVGString().replace(/<style[\s\S]*?<\/style>/g, "");
const title = "Predicted time and load of a queue for 1 to 10,000 workers";
writeFileSync(values.out, svg.replace(/^<svg[^>]*>/, `$&<title>${title}</title>`));
chart.dispose();

const minutes = (seconds) => (Number.isFinite(seconds) ? (seconds / 60).toFixed(1) : "overloaded");
const percent = (share) => `${Math.round(100 * share)} %`;
process.stdout.write(
  [
    "| workers | minutes, tiles of 5 s | minutes, tiles of 30 s | Redis | submitter | limit |",
    "|---|---|---|---|---|---|",
    ...short.map(
      ({ workers, seconds, load, limit }, i) =>
        `| ${workers.toLocaleString("en")} | ${minutes(seconds)} | ${minutes(long[i].seconds)} | ${percent(load.server)} | ${percent(load.submitter)} | ${limit} |`,
    ),
    "",
  ].join("\n"),
);

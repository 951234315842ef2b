// The tables that the documentation draws from a report of `npm run bench -- all --json`, by name. Each gives rows of
// cells, the head first, or null where the report lacks what it needs. scripts/bench-table.mjs puts them into the pages.

const NETWORKS = {
  mlp: "MLP 784-128-64-10",
  lenet: "LeNet",
  resnet20: "ResNet-20",
  resnet56: "ResNet-56",
  mlp10m: "MLP, 10 million weights",
};
const ENGINES = {
  onnx: "ONNX Runtime",
  tensorflow: "TensorFlow graph",
  "tfjs-fused": "fused operations on WebAssembly",
  tfjs: "the model's own operations",
};
const GROWTHS = {
  "pca-snapshots": "principal components of 2,000 weights",
  "pca-weights": "principal components of 100 snapshots",
  phate: "PHATE",
  page: "page with a surface of 251 × 251",
  points: "surface, 2,000 samples",
  samples: "surface, 144 points",
  workers: "surface of 1,681 points, 10,000 samples",
};
const BACKENDS = { native: "native", wasm: "WebAssembly" };

/** The tables by the name in a page's mark. */
export const TABLES = {
  growth: (report) =>
    tableOf(
      casesOf(report, "growth"),
      ["what", "grows", "sizes", "seconds", "slope"],
      ({ case: what, of, sizes, seconds, slope }) => [
        GROWTHS[what] ?? what,
        of,
        sizes.map(count).join(", "),
        seconds.map(short).join(", "),
        slope.toFixed(2).replace("-", "−"),
      ],
    ),
  pca: (report) =>
    tableOf(
      casesOf(report, "pca"),
      ["snapshots × weights", "from", "seconds", "scikit-learn", "path on them", "memory"],
      ({ case: name, source, ours, peer, projectSeconds, peakMegabytes }) => [
        name
          .replace("-disk", "")
          .split("x")
          .map((size) => count(Number(size)))
          .join(" × "),
        source,
        short(ours),
        short(peer),
        short(projectSeconds),
        peakMegabytes === undefined ? "" : `${short(peakMegabytes / 1000)} GB`,
      ],
    ),
  start: (report) =>
    tableOf(
      casesOf(report, "start"),
      ["call", "calls", "backend there", "first point", "end"],
      ({ case: name, calls, backendSeconds, seconds, endSeconds }) => [
        name.replace(/^\w+/, (network) => (network === "mlp" ? "MLP 8-16-1" : NETWORKS[network])),
        count(calls),
        ...[backendSeconds, seconds, endSeconds].map((times) =>
          calls === 1
            ? `${times[0].toFixed(2)} s`
            : `${times[0].toFixed(2)} s [${times[1].toFixed(2)}, ${times[2].toFixed(2)}]`,
        ),
      ],
    ),
  capture: (report) =>
    tableOf(
      casesOf(report, "capture"),
      ["network", "pairs", "epoch without", "time in the hooks", "whole epochs"],
      ({ case: name, pairs, peer, hookRatio, hookInterval, ratio, interval }) => [
        NETWORKS[name],
        count(pairs),
        `${short(peer)} s`,
        withInterval(hookRatio, hookInterval, 3),
        withInterval(ratio, interval, 3),
      ],
    ),
  live: (report) =>
    tableOf(
      casesOf(report, "live"),
      ["network", "pairs", "epoch without", "whole epochs", "processor time"],
      ({ case: name, pairs, peer, ratio, interval, cpuRatio, cpuInterval }) => [
        NETWORKS[name],
        count(pairs),
        `${short(peer)} s`,
        withInterval(ratio, interval, 3),
        withInterval(cpuRatio, cpuInterval, 3),
      ],
    ),
  surface: (report) =>
    tableOf(
      casesOf(report, "surface")?.filter(({ engine }) => engine !== undefined),
      [
        "network",
        "images",
        "packages",
        "engine",
        "seconds a point",
        "PyTorch, tuned",
        "ratio",
        "PyTorch as published",
      ],
      ({ case: name, samples, backend, engine, isCached, ours, peer, ratio, reference }) => [
        NETWORKS[name],
        count(samples),
        SURFACE_BACKENDS[backend] ?? backend,
        `${ENGINES[engine] ?? engine}${isCached ? ", first layer kept" : ""}`,
        short(ours),
        short(peer),
        short(ratio),
        short(reference),
      ],
    ),
  approximate: (report) =>
    tableOf(
      casesOf(report, "approximate"),
      [
        "plane",
        "seed",
        "evaluations",
        "stated error",
        "true error",
        "within bounds",
        "seconds",
        "seconds, exact surface",
      ],
      ({ case: name, seed, evaluations, stated, error95, coverage, ours, peer }) => [
        name === "lenet-pca" ? "LeNet, principal components" : "LeNet, random directions",
        count(seed),
        ...[evaluations, stated, error95, coverage].map((share) =>
          share == null ? "not known" : `${short(100 * share)} %`,
        ),
        short(ours),
        short(peer),
      ],
    ),
  "batch-norm": (report) =>
    tableOf(
      casesOf(report, "batch-norm"),
      ["network", "samples", "engine", "keep", "recalibrate", "ratio"],
      ({ case: name, samples, engine, keep, recalibrate, ratio }) => [
        name === "lenet" ? "LeNet with batch norm" : NETWORKS[name],
        count(samples),
        ENGINES[engine],
        `${count(Math.round(keep))} ms`,
        `${count(Math.round(recalibrate))} ms`,
        ratio.toFixed(1),
      ],
    ),
  curvature: (report) =>
    tableOf(
      casesOf(report, "curvature"),
      ["network", "samples", "backend", "product", "gradient", "ratio"],
      ({ case: name, samples, backend, ours, peer, ratio, interval }) => [
        NETWORKS[name],
        count(samples),
        BACKENDS[backend],
        `${short(ours)} s`,
        `${short(peer)} s`,
        withInterval(ratio, interval, 2),
      ],
    ),
  eigenvalues: (report) =>
    tableOf(
      report.benches.find(({ bench }) => bench === "curvature")?.eigenvalues,
      ["network", "images", "difference, of the largest", "one product", "in all", "products"],
      ({ case: name, samples, difference, perProduct, seconds, products }) => [
        NETWORKS[name],
        count(samples),
        difference.toExponential(1),
        `${short(perProduct[0])} s, PyTorch ${short(perProduct[1])} s`,
        `${short(seconds[0])} s, PyTorch ${short(seconds[1])} s`,
        `${products[0]}, PyTorch ${products[1]}`,
      ],
    ),
  phate: (report) =>
    tableOf(
      casesOf(report, "phate"),
      ["points", "dimensions", "backend", "seconds", "Python", "ratio"],
      ({ case: name, backend, ours, peer, ratio }) => {
        const [points, dimensions] = name.slice(1).split("xD").map(Number);
        return [count(points), count(dimensions), BACKENDS[backend], short(ours), short(peer), short(ratio)];
      },
    ),
  page: (report) =>
    tableOf(
      casesOf(report, "page"),
      ["what", "time", "size", "speed"],
      ({ case: what, seconds, bytes, framesPerSecond }) => [
        what,
        seconds === undefined ? "" : `${short(seconds)} s`,
        bytes === undefined ? "" : `${short(bytes / 1e6)} MB`,
        framesPerSecond === undefined ? "" : `${Math.round(framesPerSecond)} frames per second`,
      ],
    ),
  "queue-costs": (report) => {
    const costs = casesOf(report, "queue")?.find((one) => one.case === "costs");
    const recovery = casesOf(report, "queue")?.find((one) => one.case === "recovery");
    if (costs === undefined || recovery === undefined) return null;
    return [
      ["what", "cost"],
      ["Redis, for each tile", milliseconds(costs.serverTile)],
      ["submitter, for each tile", milliseconds(costs.submitterTile)],
      ["submitter, for each point", milliseconds(costs.submitterPoint)],
      ["Redis, for each second of each worker that waits", milliseconds(costs.serverWorkerSecond)],
      ["a worker's time between two tiles", milliseconds(costs.workerTile)],
      [
        "bytes through Redis, in tiles of one point",
        `${short(costs.bytesPerPointInOnes / 1000)} kB per point`,
      ],
      [
        `bytes through Redis, in tiles of some ${Math.round(1000 / costs.tilesOfMany)} points`,
        `${short(costs.bytesPerPointInTiles / 1000)} kB per point`,
      ],
      ["a worker that is killed: until another one has done its tiles", `${short(recovery.seconds)} s`],
    ];
  },
  "queue-paced": (report) =>
    tableOf(
      casesOf(report, "queue")?.filter((one) => one.case === "paced"),
      ["workers", "points", "tiles, simulated", "tiles, real", "seconds, simulated", "seconds, real"],
      ({ workers, points, predictedTiles, tiles, predicted, measured }) => [
        count(workers),
        count(points),
        count(predictedTiles),
        count(tiles),
        short(predicted),
        short(measured),
      ],
    ),
  workers: (report) =>
    tableOf(
      casesOf(report, "workers"),
      ["network", "engine", "one process", "two processes", "times as fast"],
      ({ case: name, engine, one, two, scaling }) => [
        NETWORKS[name],
        ENGINES[engine],
        `${short(one)} s`,
        `${short(two)} s`,
        scaling.toFixed(2),
      ],
    ),
  "approximate-workers": (report) =>
    tableOf(
      casesOf(report, "approximate-workers"),
      ["engine", "what", "one worker", "two workers", "times as fast, each seed"],
      ({ case: what, engine, one, two, scalings }) => [
        ENGINES[engine],
        what,
        `${short(one)} s`,
        `${short(two)} s`,
        scalings.map((scaling) => scaling.toFixed(2)).join(", "),
      ],
    ),
};

/** What a contender of the surface bench is given. */
const SURFACE_BACKENDS = {
  native: "native TensorFlow, ONNX Runtime",
  "native-workers": "native TensorFlow, ONNX Runtime; two worker processes",
  onnx: "ONNX Runtime",
  wasm: "WebAssembly, two worker processes",
};

function casesOf(report, name) {
  const cases = report.benches.find(({ bench }) => bench === name)?.cases;
  return cases?.length > 0 ? cases : undefined;
}

function tableOf(cases, head, row) {
  return cases === undefined || cases.length === 0 ? null : [head, ...cases.map(row)];
}

function count(value) {
  return value.toLocaleString("en");
}

/** Three digits, nothing for what was not measured. */
function short(value) {
  if (value === null || value === undefined) return "";
  const rounded = Number(value.toPrecision(3));
  return rounded < 1000 ? String(rounded) : count(rounded);
}

function milliseconds(seconds) {
  return `${Number((1000 * seconds).toPrecision(2))} ms`;
}

function withInterval(middle, [low, high], digits) {
  return `${middle.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

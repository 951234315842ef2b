import type { StabilityQuantity } from "../../curvature/stability-point.js";
import type { SnapshotStability, StabilityPath } from "../../store/kinds/stability-file.js";
import type { Run } from "../../store/run/run.js";
import { counted, formatNumber, formatPercent } from "../draw/format-number.js";
import type {
  CurvesAxis,
  CurvesPanel,
  Figure,
  Panel,
  Progress,
  RunData,
  Series,
  UprightMark,
} from "../figure.js";
import { autoAxis, bandOf, marksAt, panelOf, seriesOf } from "./chart-parts.js";
import { createRunData, figureOf, progressOf } from "./run-data.js";

/** Options of {@link createStabilityFigure}. */
export interface StabilityFigureOptions {
  /** Heading. Default made of the run's name. */
  readonly title?: string | undefined;
  /** A figure of this run's trajectory on a plane: its map stands beside the curves. Default none. */
  readonly trajectory?: Figure | undefined;
}

/** Optimizers whose threshold is that of the preconditioned Hessian. */
const ADAPTIVE: ReadonlySet<string> = new Set(["Adam", "RMSProp"]);

/** A curve: its name, its place in the palette, its value at a snapshot. */
interface Curve {
  readonly name: string;
  readonly color: number;
  readonly of: (point: SnapshotStability) => number;
  readonly error?: (point: SnapshotStability) => number;
  readonly parts?: Partial<Series>;
}

/**
 * Returns the stability of a run as a figure: how far the optimizer is from its own edge of stability, the sharpnesses
 * beside their thresholds, gradient norm, trace and loss, along the run; with the trajectory on a plane beside them.
 *
 * @param run - the run whose stability it is.
 * @example const figure = createStabilityFigure(stability, run, { trajectory: figures[0]?.figure });
 */
export function createStabilityFigure(
  stability: StabilityPath,
  run: Pick<Run, "snapshots"> & { readonly manifest: Pick<Run["manifest"], "name"> },
  options: StabilityFigureOptions = {},
): Figure {
  const { trajectory } = options;
  const map = trajectory?.panels.find((panel) => panel.kind === "map");
  const isOfRun = map !== undefined && trajectory?.runs.length === 1;
  const runs = isOfRun
    ? (trajectory as Figure).runs
    : [createRunData({ name: run.manifest.name, snapshots: run.snapshots }, 0)];
  const progress = progressOf(runs);
  const [curves, losses] = curvePanels(stability, runs[0] as RunData, progress);
  const panels: Panel[] = [...(isOfRun ? [map as Panel] : []), ...curves];
  // The loss fills the place that is left.
  if (panels.length % 2 === 1) panels.push(...losses);
  const caption = captionOf(stability);
  return figureOf({
    title: options.title ?? `${stability.name}: is the optimizer at its edge of stability?`,
    runs,
    panels,
    layout: { columns: 2 },
    fidelity: verdictOf(stability),
    caption,
    provenance: [
      stability.optimizer ?? "unknown optimizer",
      `${counted(stability.points.length, "snapshot")}, ${stability.samples.toLocaleString("en")} samples`,
      stability.dataName ?? "",
    ]
      .filter((part) => part !== "")
      .join("; "),
    notes: stability.warnings.map(({ message }) => message),
    description: `${isOfRun ? "The trajectory on its plane, and curves" : "Curves"} over the ${progress}: ${panels
      .filter((panel) => panel.kind === "curves")
      .map(({ title }) => title)
      .join("; ")}. ${verdictOf(stability).join(" ")}`,
  });
}

function isAdaptive({ optimizer }: StabilityPath): boolean {
  return ADAPTIVE.has(optimizer ?? "");
}

/** Returns the share of the optimizer's own threshold at which a snapshot is: 1 is the edge; NaN where it is not defined. */
export const shareOfThreshold =
  (stability: StabilityPath) =>
  (point: SnapshotStability): number =>
    (isAdaptive(stability) ? point.preconditioned : point.sharpness) / point.threshold;

const HALF_RATE = ({ learningRate }: SnapshotStability): number => learningRate / 2;

/** The panels of curvature, and that of the loss. */
function curvePanels(
  stability: StabilityPath,
  run: RunData,
  progress: Progress,
): readonly [CurvesPanel[], CurvesPanel[]] {
  const { points } = stability;
  const positions = points.map(({ step }) => run.step.indexOf(step));
  const kept = points.filter((_, i) => (positions[i] as number) >= 0);
  const snapshots = positions.filter((position) => position >= 0);
  const x = snapshots.map((position) => run[progress][position] as number);
  const link = { run: 0, snapshots };
  const marks = rateMarks(kept, x);
  const curve = ({ name, color, of, error, parts = {} }: Curve): Series[] => {
    const values = kept.map(of);
    if (!values.some(Number.isFinite)) return [];
    const errors = error === undefined ? null : kept.map(error);
    const band =
      errors === null || !errors.some((value) => value > 0)
        ? null
        : bandOf(
            values.map((value, i) => value - 2 * (errors[i] as number)),
            values.map((value, i) => value + 2 * (errors[i] as number)),
          );
    if (parts.isDashed !== true) return [seriesOf(name, color, x, values, { link, band, ...parts })];
    // A threshold is a line from corner to corner.
    const corners = values.flatMap((value, k) =>
      value === values[k - 1] && value === values[k + 1] ? [] : [k],
    );
    return [
      seriesOf(
        name,
        color,
        corners.map((k) => x[k] as number),
        corners.map((k) => values[k] as number),
        parts,
      ),
    ];
  };
  const panel = (title: string, curves: readonly Curve[], axis?: CurvesAxis): CurvesPanel[] => {
    const series = curves.flatMap(curve);
    // Thresholds alone say nothing.
    if (series.every((one) => one.isDashed)) return [];
    return [panelOf(title, { title: progress, scale: "count" }, axis ?? autoAxis("", series), series, marks)];
  };
  const adaptive = isAdaptive(stability);
  const lambda = adaptive ? "λ₁ in the optimizer's scale" : "λ₁";
  const isDashed = { isDashed: true };
  const losses = panel("Training loss", [
    { name: "loss", color: 0, of: ({ loss }) => loss, parts: { key: null } },
  ]);
  const curves = [
    ...panel("Share of the threshold (1: the edge)", [
      { name: "the edge", color: EDGE, of: () => 1, parts: { isDashed: true } },
      { name: lambda, color: 0, of: shareOfThreshold(stability) },
      {
        name: "critical sharpness",
        color: 1,
        of: (point) => point.criticalSharpness * HALF_RATE(point),
      },
      {
        name: "batch sharpness",
        color: 2,
        of: (point) => point.batchSharpness * HALF_RATE(point),
        error: (point) => point.batchError * HALF_RATE(point),
      },
    ]),
    ...panel("Sharpness", [
      { name: "λ₁", color: adaptive ? GREEN : 0, of: ({ sharpness }) => sharpness },
      { name: "critical sharpness", color: 1, of: ({ criticalSharpness }) => criticalSharpness },
      {
        name: "batch sharpness",
        color: 2,
        of: ({ batchSharpness }) => batchSharpness,
        error: ({ batchError }) => batchError,
      },
      { name: "2/η", color: 1, of: ({ learningRate }) => 2 / learningRate, parts: isDashed },
      ...(adaptive || stability.optimizer === "SGD"
        ? []
        : [
            {
              name: "threshold of λ₁",
              color: 0,
              of: ({ threshold }: SnapshotStability) => threshold,
              parts: isDashed,
            },
          ]),
    ]),
    ...panel("Trace of the Hessian", [
      {
        name: "trace",
        color: 0,
        of: ({ trace }) => trace,
        error: ({ traceError }) => traceError,
        parts: { key: null },
      },
    ]),
    ...panel("Gradient norm", [
      { name: "gradient norm", color: 0, of: ({ gradientNorm }) => gradientNorm, parts: { key: null } },
    ]),
  ];
  return [curves, losses];
}

/** Places in the palette of runs: black, or white on dark ground; and one that is neither λ₁'s nor a sharpness's. */
const EDGE = 3;
const GREEN = 5;

/** Upright lines where the learning rate is another than before. */
function rateMarks(points: readonly SnapshotStability[], x: readonly number[]): UprightMark[] {
  const places = points.flatMap(({ learningRate }, i) => {
    const before = points[i - 1]?.learningRate ?? learningRate;
    return Math.abs(learningRate - before) > 1e-6 * Math.abs(before) ? [x[i] as number] : [];
  });
  return marksAt(places, "rate changed");
}

/** Where a share of the threshold counts as at the edge. */
const EDGE_BAND = [0.8, 1.25] as const;

/** What the figure says, in a sentence: where the last third of the snapshots is. */
function verdictOf(stability: StabilityPath): string[] {
  const { points, optimizer } = stability;
  const late = points.slice(-Math.max(1, Math.ceil(points.length / 3)));
  const ratios = late.map(shareOfThreshold(stability)).filter(Number.isFinite);
  const who = `${stability.name} (${optimizer ?? "unknown optimizer"})`;
  if (ratios.length === 0) return [`${who}: its distance to the edge of stability is not known.`];
  ratios.sort((a, b) => a - b);
  const middle = ratios[ratios.length >> 1] as number;
  const [low, high] = EDGE_BAND;
  const place =
    middle < low
      ? "below its edge of stability"
      : middle > high
        ? "beyond its edge of stability"
        : "at its edge of stability";
  const matrix = isAdaptive(stability) ? "λ₁ in the optimizer's own scale" : "λ₁";
  return [
    `${who} is ${place}: over its last ${counted(ratios.length, "snapshot")} ${matrix} is ${formatPercent(middle)} of the threshold (median; ${formatPercent(ratios[0] as number)} to ${formatPercent(ratios.at(-1) as number)}).`,
  ];
}

const NAMES: Readonly<Record<StabilityQuantity, string>> = {
  curvature: "Curvature",
  threshold: "The threshold",
  preconditioned: "λ₁ in the optimizer's scale",
  batchSharpness: "Batch sharpness",
  criticalSharpness: "Critical sharpness",
};

function captionOf(stability: StabilityPath): string[] {
  const { points, trainingOnly, minibatch } = stability;
  const adaptive = isAdaptive(stability);
  const has = (of: (point: SnapshotStability) => number) =>
    points.some((point) => Number.isFinite(of(point)));
  return [
    "The loss is the one that the optimizer sees: training data, penalties included.",
    adaptive
      ? "λ₁ in the optimizer's scale is the largest eigenvalue of P^(−1/2)·H·P^(−1/2), P its scale of each weight; it stands against the optimizer's own threshold."
      : "λ₁, the largest eigenvalue of the Hessian, stands against the optimizer's own threshold.",
    has(({ criticalSharpness }) => criticalSharpness)
      ? "Critical sharpness is 2 over the smallest rate along the next update that raises the loss; it stands against 2/η."
      : "",
    has(({ batchSharpness }) => batchSharpness)
      ? `Batch sharpness is the mean of g·Hg/|g|² over mini-batches of ${formatNumber(minibatch ?? 0)} samples, with two standard errors; it stands against 2/η.`
      : "",
    has(({ trace }) => trace) ? "The trace is drawn with two standard errors." : "",
    trainingOnly.length === 0
      ? ""
      : `The network has ${trainingOnly.join(" and ")} layers: in training the optimizer meets another loss than this one, in evaluation mode, and its stability is another question.`,
    ...reasonSentences(points, adaptive),
  ];
}

/** Why quantities are not drawn, or not everywhere; what no one expects of this optimizer is left out. */
function reasonSentences(points: readonly SnapshotStability[], adaptive: boolean): string[] {
  const counts = new Map<string, number>();
  for (const { reasons } of points) {
    for (const [quantity, reason] of Object.entries(reasons) as [StabilityQuantity, string][]) {
      if (quantity === "preconditioned" && !adaptive) continue;
      if (quantity === "batchSharpness" && reason.endsWith("is for plain SGD")) continue;
      const sentence = `${NAMES[quantity]} is not defined: ${reason}`;
      counts.set(sentence, (counts.get(sentence) ?? 0) + 1);
    }
  }
  return [...counts].map(([sentence, count]) =>
    count === points.length ? `${sentence}.` : `${sentence} (${counted(count, "snapshot")}).`,
  );
}

/** The stability of a run, under the name by which it is told apart. */
export interface ComparedStability {
  readonly name: string;
  readonly snapshots: Run["snapshots"];
  readonly stability: StabilityPath;
}

/**
 * Returns several runs against their optimizers' own edges of stability: shares of the threshold, and λ₁, by progress.
 *
 * @example const figure = createComparedStabilityFigure([sgd, adam], "SGD and Adam");
 */
export function createComparedStabilityFigure(compared: readonly ComparedStability[], title: string): Figure {
  const runs = compared.map(({ name, snapshots }, color) => createRunData({ name, snapshots }, color));
  const progress = progressOf(runs);
  const curves = (of: (path: StabilityPath) => (point: SnapshotStability) => number): Series[] =>
    compared.flatMap(({ name, stability }, color) => {
      const run = runs[color] as RunData;
      const kept = stability.points.filter(({ step }) => run.step.includes(step));
      const values = kept.map(of(stability));
      if (!values.some(Number.isFinite)) return [];
      const snapshots = kept.map(({ step }) => run.step.indexOf(step));
      const x = snapshots.map((position) => run[progress][position] as number);
      return [seriesOf(name, color, x, values, { link: { run: color, snapshots } })];
    });
  const shares = curves(shareOfThreshold);
  const places = shares.flatMap(({ x }) => x);
  const edge = seriesOf("the edge", EDGE, [Math.min(...places), Math.max(...places)], [1, 1], {
    isDashed: true,
  });
  const sharpness = curves(() => (point) => point.sharpness);
  const axis: CurvesAxis = { title: progress, scale: "count" };
  const panels = [
    ...(shares.length === 0
      ? []
      : [panelOf("Share of the threshold (1: the edge)", axis, autoAxis("", shares), [edge, ...shares])]),
    ...(sharpness.length === 0
      ? []
      : [panelOf("λ₁ of the Hessian", axis, autoAxis("", sharpness), sharpness)]),
  ];
  const sentences = compared.flatMap(({ name, stability }) => verdictOf({ ...stability, name }));
  return figureOf({
    title,
    runs,
    panels,
    layout: { columns: 2 },
    fidelity: sentences,
    caption: [
      "Each run against its own optimizer's threshold: λ₁ of the Hessian, for adaptive optimizers in their own scale of each weight.",
      "The loss is that of the training data with penalties, in evaluation mode.",
    ],
    description: sentences.join(" "),
  });
}

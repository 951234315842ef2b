import { cleanText } from "../../base/clean-text.js";
import { encodeNumber } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { barrierOf } from "../../between/barrier.js";
import type { Connection } from "../../between/connection.js";
import type { CurveFacts } from "../../between/curve-file.js";
import type { PathLosses, PathValues } from "../../between/path-losses.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import type { SetSurface } from "../../surface/lines/evaluate-sets.js";
import { counted, formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import { createContourScale } from "../draw/scales.js";
import type { CurvesPanel, Figure, MapPanel, Path, RunData, SnapshotColumn } from "../figure.js";
import { type AccuracyForm, isAccuracy, quantityPanel, seriesOf } from "./chart-parts.js";
import type { ConnectionFigureOptions } from "./create-connection-figure.js";
import { gridOf } from "./create-trajectory-figure.js";
import { columnFrom, figureOf } from "./run-data.js";

/** What {@link createCurveFigure} makes a figure of. */
export interface CurveFigureInput {
  readonly connection: Connection;
  /** The loss over the plane; the first one is drawn. */
  readonly surfaces: readonly SetSurface[];
  /** Names of the axes. */
  readonly labels: readonly string[];
  /** Coordinates (W, 2) on the plane at given t of the curve. */
  readonly at: (t: ArrayLike<number>) => Float64Array;
  /** Share of the curve's squared distance from the line that lies in the plane. */
  readonly held: number;
  /** Whether batch norm's statistics were recalibrated at each point of the plane. */
  readonly isRecalibrated: boolean;
}

const KINDS: Readonly<Record<CurveFacts["kind"], string>> = {
  bezier: "quadratic Bezier curve",
  polychain: "polygonal chain",
  neb: "nudged elastic band",
};

/**
 * Returns the plane that holds a trained curve, with the curve and the straight line on it, and loss and a metric along
 * both against their length. On a page both can be played from one end to the other.
 *
 * @see Garipov et al. 2018, figure 1; Draxler et al. 2018, figure 1.
 * @example const figure = createCurveFigure({ connection, ...map });
 */
export function createCurveFigure(input: CurveFigureInput, options: ConnectionFigureOptions = {}): Figure {
  const { connection, at, held, isRecalibrated } = input;
  const { names, paths, curve: facts, warnings } = connection;
  const { accuracyAs = "error", dataName } = options;
  const curve = paths.find(({ name }) => name === "curve") as PathLosses;
  const line = paths.find(({ name, policy }) => name === "line" && policy === curve.policy) as PathLosses;
  const surface = fillPartial((input.surfaces[0] as SetSurface).surface);
  const ends = at([0, 1]);
  const straight = Float64Array.from(
    Array.from(line.t).flatMap((t) => [0, 1].map((axis) => (1 - t) * ends[axis] + t * ends[2 + axis])),
  );
  const drawn = [
    { path: line, at: straight, name: "straight line" },
    { path: curve, at: at(curve.t), name: "curve" },
  ];
  const runs = drawn.map(({ path, name }, color) => runOf(path, name, color));
  const scale = createContourScale([surface.loss]);
  const map: MapPanel = {
    kind: "map",
    title: "",
    axes: [axisOf(input.labels[0] as string, "α"), axisOf(input.labels[1] as string, "β")],
    aspect: "equal",
    ...gridOf(surface, surface.loss),
    quantity: "loss",
    scale,
    palette: "value",
    interpolation: "cubic",
    paths: drawn.map(({ at: places }, run) => pathOf(run, places)),
    marks: names.map((label, i) => ({
      alpha: encodeNumber(ends[2 * i]),
      beta: encodeNumber(ends[2 * i + 1]),
      label: cleanText(label),
      isCenter: false,
    })),
  };
  const metrics = Object.keys(curve.values[0]?.metrics ?? {});
  const metric = options.metric === undefined ? (metrics[0] ?? null) : options.metric;
  const along = ["loss", ...(metric === null ? [] : [metric])].map((quantity) =>
    alongPanel(drawn, quantity, accuracyAs),
  );
  return figureOf({
    title: options.title ?? `A ${KINDS[facts?.kind ?? "bezier"]} between ${names[0]} and ${names[1]}`,
    runs,
    panels: [map, ...along],
    layout: "lead",
    caption: [
      trainedSentence(facts),
      `The plane goes through both models${held > 0.9995 ? " and holds the whole curve" : `; it holds ${formatPercent(held)} of the bends' squared distance from the line, the rest of the curve is drawn as its projection`}. Axes are in units of weights, equal on both.`,
      isRecalibrated ? "Batch norm's statistics are recalibrated at each point." : "",
      ...heightSentences(curve, line),
      `Loss on ${input.surfaces[0]?.set ?? "the first set"} at ${surface.alpha.length} × ${surface.beta.length} points, ${scale.kind === "log" ? "logarithmic" : "linear"} levels, cubic interpolation.`,
    ],
    provenance: dataName ?? "",
    notes: condenseWarnings([...surface.warnings, ...warnings]).map(({ message }) => message),
    description: `A contour map of the loss over a plane, with a curve and a straight line from ${names[0]} to ${names[1]}; beside it loss along both.`,
  });
}

function trainedSentence(facts: CurveFacts | null): string {
  if (facts === null) return "";
  const { kind, bends, epochs, iterations } = facts;
  if (kind === "neb") {
    return `The ${KINDS.neb} has ${counted(bends, "pivot")} after ${counted(epochs, "cycle")}, ${formatCount(iterations)} steps in all.`;
  }
  return `The ${KINDS[kind]} with ${counted(bends, "bend")} was trained for ${counted(epochs, "epoch")} on the loss at random points of it.`;
}

/** How high curve and line rise, on each set. */
function heightSentences(curve: PathLosses, line: PathLosses): string[] {
  return curve.values.map(({ set, loss }) => {
    const other = line.values.find((one) => one.set === set) as PathValues;
    const [bent, straight] = [barrierOf(curve.t, loss), barrierOf(line.t, other.loss)];
    const [low, high] = [Math.min(...bent.ends), Math.max(...bent.ends)];
    return `Largest ${set} loss: ${formatNumber(bent.maximum, 3)} along the curve, ${formatNumber(straight.maximum, 3)} along the line; ends ${formatNumber(low, 3)} and ${formatNumber(high, 3)}.`;
  });
}

/** A path as a run whose snapshots are its points, so that the player goes along it. */
function runOf({ t, arcLength, values }: PathLosses, name: string, color: number): RunData {
  const indices = Array.from(t, (_, i) => i);
  const none = indices.map(() => 0);
  const columns: SnapshotColumn[] = [
    columnFrom("t", "number", t),
    columnFrom("length from the start", "number", arcLength),
    ...values.flatMap(({ set, loss, metrics }) => [
      columnFrom(cleanText(`loss, ${set}`), "number", loss),
      ...Object.entries(metrics).map(([metric, column]) =>
        columnFrom(cleanText(`${metric}, ${set}`), isAccuracy(metric) ? "share" : "number", column),
      ),
    ]),
  ];
  // Epochs are none, so that the player counts points.
  return { name, color, step: indices, epoch: none, iteration: none, drops: [], columns };
}

function pathOf(run: number, coordinates: Float64Array): Path {
  return {
    run,
    at: Array.from({ length: coordinates.length / 2 }, (_, i) => [
      encodeNumber(coordinates[2 * i]),
      encodeNumber(coordinates[2 * i + 1]),
    ]),
  };
}

/** Loss or a metric against the length of each path. */
function alongPanel(
  drawn: readonly { readonly path: PathLosses; readonly name: string }[],
  quantity: string,
  accuracyAs: AccuracyForm,
): CurvesPanel {
  return quantityPanel(quantity, accuracyAs, "length from the start", (of) =>
    drawn.flatMap(({ path, name }, run) =>
      path.values.flatMap(({ set, loss, metrics }, s) => {
        const values = quantity === "loss" ? loss : metrics[quantity];
        if (values === undefined) return [];
        const snapshots = Array.from(path.t, (_, i) => i);
        const label = path.values.length > 1 ? `${name}, ${set}` : name;
        // The legend names line and curve as the runs of the map; here it tells the sets apart.
        const key = path.values.length > 1 ? cleanText(set) : null;
        const parts = { isDashed: s > 0, key, link: { run, snapshots } };
        return [seriesOf(label, run, path.arcLength, values.map(of), parts)];
      }),
    ),
  );
}

function axisOf(label: string, symbol: string) {
  const title = cleanText(label);
  return { label: title, title, explainedVarianceRatio: null, randomWalkBaseline: null, symbol };
}

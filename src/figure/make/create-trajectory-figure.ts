import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber, type JsonNumber } from "../../base/json.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import type { Surface } from "../../surface/surface.js";
import {
  type ContourScale,
  checkContourScale,
  createContourScale,
  finiteRange,
} from "../draw/contour-scale.js";
import { formatNumber, formatPercent } from "../draw/format-number.js";
import {
  AS_TRAINED_LOSS,
  type CurvesAxis,
  type CurvesPanel,
  columnOf,
  comparedLoss,
  type Figure,
  type FigureAxis,
  HELD_SHARE,
  type Interpolation,
  LEARNING_RATE,
  type MapPanel,
  type Path,
  PLANE_LOSS,
  type Progress,
  type RunData,
  type Series,
  type UprightMark,
} from "../figure.js";
import { autoAxis, MOST_DROPS } from "./chart-parts.js";
import { captionSentences, fidelityParagraphs, provenanceLine } from "./figure-caption.js";
import {
  checkPath,
  createPath,
  createRunData,
  type FigurePathInput,
  loggedName,
  progressOf,
} from "./run-data.js";

/**
 * Checks that a surface can be drawn as a map.
 *
 * @throws {@link InvalidDataError} if it is a line, its axes do not increase, or its values do not fit them.
 */
export function checkSurface(surface: Surface): void {
  const [width, height] = [surface.alpha.length, surface.beta.length];
  if (width < 2 || height < 2) {
    throw new InvalidDataError("surface", "a grid of at least 2 × 2 points", `${width} × ${height}`);
  }
  if (surface.loss.length !== width * height) {
    throw new InvalidDataError("surface.loss", `${width * height} values`, String(surface.loss.length));
  }
  for (const name of ["alpha", "beta"] as const) {
    const axis = surface[name];
    if (
      !axis.every(
        (value, index) => Number.isFinite(value) && (index === 0 || value > (axis[index - 1] as number)),
      )
    ) {
      throw new InvalidDataError(
        `surface.${name}`,
        "finite, increasing coordinates",
        Array.from(axis).join(", "),
      );
    }
  }
}

/** The axes of a plane; `Directions` fits. */
export interface FigureAxesInput {
  readonly labels: readonly string[];
  readonly explainedVarianceRatio: ArrayLike<number> | null;
  readonly randomWalkBaseline: ArrayLike<number> | null;
}

/** Returns an axis with its title: "PC 1: 83.2 % of variance (random walk: 61 %)". */
export function createAxis(axes: FigureAxesInput, index: number): FigureAxis {
  const given = axes.labels[index];
  if (given === undefined)
    throw new InvalidDataError("axes.labels", "two labels", String(axes.labels.length));
  const label = cleanText(given);
  const ratio = axes.explainedVarianceRatio?.[index] ?? null;
  const walk = axes.randomWalkBaseline?.[index] ?? null;
  const baseline = walk === null ? "" : ` (random walk: ${formatPercent(walk)})`;
  return {
    label,
    title: ratio === null ? label : `${label}: ${formatPercent(ratio)} of variance${baseline}`,
    explainedVarianceRatio: ratio === null ? null : encodeNumber(ratio),
    randomWalkBaseline: walk === null ? null : encodeNumber(walk),
    symbol: index === 0 ? "α" : "β",
  };
}

/** What {@link createTrajectoryFigure} makes a figure of. */
export interface TrajectoryFigureInput {
  /** Heading, made from the run's name. */
  readonly title: string;
  /** Two-dimensional surface. */
  readonly surface: Surface;
  readonly axes: FigureAxesInput;
  /** One path or several on the same plane; the first two labels are the axes. */
  readonly paths: readonly FigurePathInput[];
  /** Sentences put before the caption that is made; default none. */
  readonly caption?: string;
  /** What the surface is, in words; default "loss". */
  readonly lossName?: string;
  /** Name of the evaluation set, e.g. "MNIST, training"; default none. */
  readonly dataName?: string;
  /** Kind and levels of the contours, to share them between figures; default made from the surface. */
  readonly scale?: ContourScale;
  /** How values between grid points are drawn; default "cubic". */
  readonly interpolation?: Interpolation;
  /** "equal" gives both axes the same units per length; default "fill". */
  readonly aspect?: "equal" | "fill";
  /** What the centre of the plane is; default "the end" if the only path ends there, else "the plane's centre". */
  readonly centerName?: string;
}

/**
 * Returns everything that a picture of trajectories on a loss surface shows, as JSON data.
 *
 * @throws {@link InvalidDataError} if the surface is not two-dimensional or its parts disagree in length,
 *   an axis has no label, there is no path, or a path does not fit its trajectory.
 * @see Li et al. 2018, figure 19: learning-rate drops are red dots, the other snapshots blue.
 * @example createTrajectoryFigure({ title: run.manifest.name, surface, axes: directions, paths: [{ name: "SGD", snapshots: run.snapshots, trajectory }] })
 */
export function createTrajectoryFigure(input: TrajectoryFigureInput): Figure {
  const { interpolation = "cubic", aspect = "fill" } = input;
  checkSurface(input.surface);
  const surface = fillPartial(input.surface);
  if (input.paths.length === 0) throw new InvalidDataError("paths", "at least one path", "none");
  const axes = [createAxis(input.axes, 0), createAxis(input.axes, 1)] as const;
  const scale =
    input.scale === undefined ? createContourScale([surface.loss]) : checkContourScale(input.scale);
  for (const path of input.paths) checkPath(path);
  const runs = input.paths.map(createRunData);
  const paths = input.paths.map(({ trajectory }, run) => createPath(run, trajectory));
  const progress = progressOf(runs);
  const lossName = cleanText(input.lossName ?? "loss");
  const centerName = cleanText(input.centerName ?? defaultCenterName(input.paths));
  const dataName = input.dataName === undefined ? null : cleanText(input.dataName);
  const facts = { surface, scale, interpolation, paths: input.paths, lossName, dataName };
  const caption = [cleanText(input.caption ?? ""), ...captionSentences(facts)]
    .filter((s) => s !== "")
    .join(" ");
  const title = cleanText(input.title);
  const map: MapPanel = {
    kind: "map",
    title: "",
    axes,
    aspect,
    ...gridOf(surface, surface.loss),
    quantity: lossName,
    scale,
    palette: "value",
    interpolation,
    paths,
    marks: [],
  };
  const along = { runs, paths, progress };
  return {
    version: 2,
    title,
    progress,
    runs,
    panels: [map, ...fidelityPanels(along), ...progressPanels(along)],
    layout: "lead",
    fidelity: fidelityParagraphs({ axes, paths: input.paths, progress, centerName }),
    caption,
    provenance: provenanceLine(facts),
    notes: collectNotes(input),
    description: describe(title, lossName, axes, input.paths, surface),
  };
}

/** Returns coordinates and values of a surface as a map holds them. */
export function gridOf(
  { alpha, beta }: Pick<Surface, "alpha" | "beta">,
  values: Float64Array,
): Pick<MapPanel, "alpha" | "beta" | "values"> {
  return { alpha: Array.from(alpha), beta: Array.from(beta), values: Array.from(values, encodeNumber) };
}

function defaultCenterName(paths: readonly FigurePathInput[]): string {
  const only = paths.length === 1 ? paths[0]?.trajectory : undefined;
  const isCenter = only !== undefined && only.inPlaneShare.at(-1) === 1 && only.distance.at(-1) === 0;
  return isCenter ? "the end" : "the plane's centre";
}

function collectNotes(input: TrajectoryFigureInput): string[] {
  const warnings = [...input.surface.warnings, ...input.paths.flatMap((path) => path.trajectory.warnings)];
  return [...new Set(warnings.map(({ message }) => cleanText(message)))];
}

function describe(
  title: string,
  lossName: string,
  axes: readonly [FigureAxis, FigureAxis],
  paths: readonly FigurePathInput[],
  surface: Surface,
): string {
  const range = finiteRange(surface.loss);
  const values =
    range === null
      ? "with no finite value"
      : `between ${formatNumber(range[0])} and ${formatNumber(range[1])}`;
  const runs = paths.map((path, index) => {
    const { name, drops, step } = createRunData(path, index);
    const { coordinates } = path.trajectory;
    const at = (snapshot: number): string =>
      `(${[0, 1].map((k) => formatNumber(coordinates[2 * snapshot + k] as number, 3)).join(", ")})`;
    const count = drops.length;
    const dropped =
      count === 0 ? "" : `, with ${count} ${count === 1 ? "drop" : "drops"} of the learning rate`;
    return `${name}: ${step.length} snapshots from ${at(0)} to ${at(step.length - 1)}${dropped}.`;
  });
  return `${title}. Contour map of the ${lossName}, ${values}. Horizontal axis: ${axes[0].title}. Vertical axis: ${axes[1].title}. ${runs.join(" ")}`;
}

/** Runs with their paths, and what their time axis counts. */
export interface PathFacts {
  readonly runs: readonly RunData[];
  readonly paths: readonly Path[];
  readonly progress: Progress;
}

/**
 * Returns the panels beside a map of paths: losses along the path (those of the snapshots solid, those of the
 * plane dashed, the gap between them filled) where any is known, and the share of the squared distance to the
 * centre that the plane holds. Where the plane has recalibrated batch-norm statistics, the losses of the snapshots
 * are recalibrated too, and those as trained stand beside them, dotted.
 */
export function fidelityPanels(facts: PathFacts): CurvesPanel[] {
  const losses = facts.runs.flatMap((run, index) => {
    const own = comparedLoss(run);
    return [
      ...seriesOf(facts, index, own, own, { band: gapOf(run) }),
      ...seriesOf(facts, index, PLANE_LOSS, PLANE_LOSS, { isDashed: true }),
      ...seriesOf(facts, index, AS_TRAINED_LOSS, AS_TRAINED_LOSS, { isDotted: true }),
    ];
  });
  const shares = facts.runs.flatMap((_, index) =>
    seriesOf(facts, index, HELD_SHARE, HELD_SHARE, { key: null, isHidden: isCenterOf(facts, index) }),
  );
  const share = { title: "", scale: "percent", min: 0, max: 1, ticks: [0, 0.25, 0.5, 0.75, 1] } as const;
  const loss = { title: "", scale: autoAxis("", losses).scale } as const;
  return [
    ...(losses.length === 0 ? [] : [panelOf(facts, "Loss along the path", loss, losses)]),
    panelOf(facts, "Squared distance held by the plane", share, shares),
  ];
}

/**
 * Returns what a page shows besides: the loss that training logged, with validation dashed, and the learning
 * rate, both along the time line; those that are known.
 */
export function progressPanels(facts: PathFacts): CurvesPanel[] {
  const each = (column: string, name: string, parts: SeriesParts = {}): Series[] =>
    facts.runs.flatMap((_, index) => seriesOf(facts, index, column, name, { ...parts, isSparse: true }));
  const logged = (column: string, name: string, parts: SeriesParts = {}): Series[] =>
    facts.runs.flatMap((run, index) =>
      piecesOf(run).flatMap((piece, i) =>
        seriesOf(facts, index, column, i === 0 ? name : `${name}, after the loss was changed`, {
          ...parts,
          ...(i > 0 && { key: null }),
          isSparse: true,
          isWithin: piece,
        }),
      ),
    );
  const losses = [
    ...logged(loggedName("loss"), "training", { key: null }),
    ...logged(loggedName("val_loss"), "validation", { isDashed: true }),
  ];
  const rates = each(LEARNING_RATE, "learning rate", { key: null });
  const panels = [
    ...(losses.length === 0
      ? []
      : [withChanges(facts, panelOf(facts, "Loss while training", autoAxis("logged loss", losses), losses))]),
    ...(rates.length === 0 ? [] : [panelOf(facts, "Learning rate", autoAxis("learning rate", rates), rates)]),
  ];
  return panels.map((panel) => ({ ...panel, only: "page" }));
}

function panelOf(facts: PathFacts, title: string, left: CurvesAxis, series: readonly Series[]): CurvesPanel {
  const { progress } = facts;
  const x = { title: progress, scale: "count" } as const;
  return { kind: "curves", title, x, left, right: null, series, marks: dropsOf(facts) };
}

interface SeriesParts {
  readonly isDashed?: boolean;
  readonly isDotted?: true;
  /** Joins the snapshots that have a value over those that have none: not every one has been logged. */
  readonly isSparse?: boolean;
  readonly key?: null;
  readonly band?: Series["band"];
  /** Snapshots that are left out. */
  readonly isHidden?: (snapshot: number) => boolean;
  /** Which snapshots belong to the curve. Default all. */
  readonly isWithin?: (snapshot: number) => boolean;
}

/** The pieces of a run that were logged by one loss each. */
function piecesOf({ lossChanges = [] }: RunData): ((snapshot: number) => boolean)[] {
  const starts = [0, ...lossChanges];
  return starts.map((start, i) => (at) => at >= start && at < (starts[i + 1] ?? Number.POSITIVE_INFINITY));
}

/** Marks where the loss was changed, in any of the runs. */
function withChanges({ runs, progress }: PathFacts, panel: CurvesPanel): CurvesPanel {
  const places = runs.flatMap((run) => (run.lossChanges ?? []).map((i) => run[progress][i] as number));
  const changes = [...new Set(places)].map((x) => ({ x, label: "another loss", tone: "muted" }) as const);
  return changes.length === 0 ? panel : { ...panel, marks: [...panel.marks, ...changes] };
}

/** A column of a run as a curve over the time line; none where nothing is known. */
function seriesOf(
  { runs, progress }: PathFacts,
  index: number,
  column: string,
  name: string,
  {
    isDashed = false,
    isDotted,
    isSparse = false,
    key,
    band = null,
    isHidden = () => false,
    isWithin = () => true,
  }: SeriesParts,
): Series[] {
  const run = runs[index] as RunData;
  const values = columnOf(run, column);
  if (values === null) return [];
  const snapshots = values.flatMap((value, i) =>
    value === null || value === "NaN" || !isWithin(i) ? [] : [i],
  );
  if (snapshots.length === 0) return [];
  const shown = isSparse ? snapshots : values.map((_, i) => i);
  return [
    {
      name: runs.length === 1 ? name : `${run.name}, ${name}`,
      key: key === null ? null : name,
      color: run.color,
      isDashed,
      ...(isDotted && { isDotted }),
      axis: "left",
      shape: "line",
      x: shown.map((i) => run[progress][i] as number),
      y: shown.map((i): JsonNumber => (isHidden(i) ? "NaN" : (values[i] ?? "NaN"))),
      band,
      link: { run: index, snapshots: shown },
    },
  ];
}

/** The band between the loss of the plane and that of the snapshots which it is compared with. */
function gapOf(run: RunData): Series["band"] {
  const [own, plane] = [columnOf(run, comparedLoss(run)), columnOf(run, PLANE_LOSS)];
  if (own === null || plane === null) return null;
  return { low: own.map((value) => value ?? "NaN"), high: plane.map((value) => value ?? "NaN") };
}

/** The snapshot that is the centre itself: its share is 0/0, and the 1 that stands for it would look like a leap. */
function isCenterOf({ runs, paths }: PathFacts, index: number): (snapshot: number) => boolean {
  const at = paths.find(({ run }) => run === index)?.at ?? [];
  const distance = columnOf(runs[index] as RunData, "distance to the plane");
  if (at.length < 2) return () => false;
  return (i) => at[i]?.[0] === 0 && at[i]?.[1] === 0 && distance?.[i] === 0;
}

/** Upright lines where the learning rate had dropped, in any of the runs; none where it falls all the time. */
function dropsOf({ runs, progress }: PathFacts): UprightMark[] {
  const places = runs.flatMap((run) => run.drops.map((i) => run[progress][i] as number));
  const drops = [...new Set(places)];
  return drops.length > MOST_DROPS ? [] : drops.map((x) => ({ x, label: "", tone: "drop" }));
}

import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { decodeNumber, encodeNumber } from "../../base/json.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import type { Surface } from "../../surface/surface.js";
import { counted, formatNumber, formatPercent } from "../draw/format-number.js";
import { type ContourScale, checkContourScale, createContourScale, finiteRange } from "../draw/scales.js";
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
} from "../figure.js";
import { AFTER_CHANGE, autoAxis, marksAt, panelOf, seriesOf } from "./chart-parts.js";
import { captionSentences, fidelityParagraphs, provenanceLine } from "./figure-caption.js";
import {
  checkPath,
  createPath,
  createRunData,
  type FigurePathInput,
  figureOf,
  loggedName,
  progressOf,
} from "./run-data.js";
import { verdictOf } from "./verdict.js";

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
    const isFine = axis.every((value, i) => Number.isFinite(value) && !(value <= (axis[i - 1] as number)));
    if (isFine) continue;
    throw new InvalidDataError(`surface.${name}`, "finite, increasing coordinates", axis.join(", "));
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
  const map: MapPanel = {
    kind: "map",
    title: "",
    axes,
    aspect,
    sharesUnit: true,
    ...gridOf(surface, surface.loss),
    quantity: lossName,
    scale,
    palette: "value",
    interpolation,
    paths,
    marks: [],
  };
  const warnings = [...input.surface.warnings, ...input.paths.flatMap((path) => path.trajectory.warnings)];
  return figureOf({
    title: input.title,
    runs,
    panels: [map, ...pathPanels({ runs, paths, progress })],
    layout: "lead",
    verdict: verdictOf(runs, paths, scale.kind),
    fidelity: fidelityParagraphs({ axes, paths: input.paths, progress, centerName }),
    caption: [input.caption ?? "", ...captionSentences(facts)],
    provenance: provenanceLine(facts),
    notes: warnings.map(({ message }) => message),
    description: describe(map, runs, surface),
  });
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

/** The picture in words: range of the surface, axes, and where each run begins and ends. */
function describe({ quantity, axes, paths }: MapPanel, runs: readonly RunData[], { loss }: Surface): string {
  const range = finiteRange(loss);
  const [low, high] = (range ?? []).map((value) => formatNumber(value));
  const values = range === null ? "with no finite value" : `between ${low} and ${high}`;
  const sentences = runs.map(({ name, drops, step }, run) => {
    const place = (at: Path["at"][number] = []): string =>
      `(${at.map((value) => formatNumber(decodeNumber(value), 3)).join(", ")})`;
    const at = paths[run]?.at ?? [];
    const dropped = drops.length === 0 ? "" : `, with ${counted(drops.length, "drop")} of the learning rate`;
    return `${name}: ${counted(step.length, "snapshot")} from ${place(at[0])} to ${place(at.at(-1))}${dropped}.`;
  });
  return `Contour map of the ${quantity}, ${values}. Horizontal axis: ${axes[0].title}. Vertical axis: ${axes[1].title}. ${sentences.join(" ")}`;
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
 * are recalibrated too, and those as trained stand beside them, dotted. Pages also show the loss that training
 * logged, with validation dashed, and the learning rate, where they are known.
 */
export function pathPanels(facts: PathFacts): CurvesPanel[] {
  const { runs, progress } = facts;
  const drops = runs.flatMap((run) => run.drops.map((i) => run[progress][i] as number));
  const panel = (title: string, left: CurvesAxis, series: readonly Series[]): CurvesPanel =>
    panelOf(title, { title: progress, scale: "count" }, left, series, marksAt(drops, ""));
  const losses = runs.flatMap((run, index) => {
    const own = comparedLoss(run);
    return [
      ...curveOf(facts, index, own, own, { band: gapOf(run) }),
      ...curveOf(facts, index, PLANE_LOSS, PLANE_LOSS, { isDashed: true }),
      ...curveOf(facts, index, AS_TRAINED_LOSS, AS_TRAINED_LOSS, { isDotted: true }),
    ];
  });
  const shares = runs.flatMap((_, index) =>
    curveOf(facts, index, HELD_SHARE, HELD_SHARE, { key: null }, { isHidden: isCenterOf(facts, index) }),
  );
  const training = [
    ...loggedCurves(facts, "loss", "training", { key: null }),
    ...loggedCurves(facts, "val_loss", "validation", { isDashed: true }),
  ];
  const rates = runs.flatMap((_, index) =>
    curveOf(facts, index, LEARNING_RATE, "learning rate", { key: null, isStepped: true }, { isSparse: true }),
  );
  const changes = runs.flatMap((run) => (run.lossChanges ?? []).map((i) => run[progress][i] as number));
  const changed = [...new Set(changes)].map((x) => ({ x, label: "another loss", tone: "muted" }) as const);
  const logged = panel("Loss while training", autoAxis("logged loss", training), training);
  const share = { title: "", scale: "percent", min: 0, max: 1, ticks: [0, 0.25, 0.5, 0.75, 1] } as const;
  const onPage = [
    { ...logged, marks: [...logged.marks, ...changed] },
    // Steps show where it falls.
    { ...panel("Learning rate", autoAxis("learning rate", rates), rates), marks: [] },
  ];
  return [
    ...(losses.length === 0 ? [] : [panel("Loss along the path", autoAxis("", losses), losses)]),
    panel("Squared distance held by the plane", share, shares),
    ...onPage.filter(({ series }) => series.length > 0).map((one) => ({ ...one, only: "page" as const })),
  ];
}

/** Which snapshots of a column are drawn. */
interface Shown {
  /** Joins the snapshots that have a value over those that have none: not every one has been logged. */
  readonly isSparse?: boolean;
  /** Snapshots that are left out. */
  readonly isHidden?: (snapshot: number) => boolean;
  /** Whether a snapshot belongs to the curve. Default yes. */
  readonly isWithin?: (snapshot: number) => boolean;
}

/** A logged value along the time line: a curve for each loss where the loss was changed. */
function loggedCurves(facts: PathFacts, log: string, name: string, parts: Partial<Series>): Series[] {
  return facts.runs.flatMap(({ lossChanges = [] }, index) => {
    const starts = [0, ...lossChanges];
    return starts.flatMap((start, i) => {
      const end = starts[i + 1] ?? Number.POSITIVE_INFINITY;
      const shown = { isSparse: true, isWithin: (at: number) => at >= start && at < end };
      if (i === 0) return curveOf(facts, index, loggedName(log), name, parts, shown);
      const later = { ...parts, key: null };
      return curveOf(facts, index, loggedName(log), `${name}${AFTER_CHANGE}`, later, shown);
    });
  });
}

/** A column of a run as a curve over the time line; none where nothing is known. */
function curveOf(
  { runs, progress }: PathFacts,
  index: number,
  column: string,
  name: string,
  parts: Partial<Series>,
  { isSparse = false, isHidden = () => false, isWithin = () => true }: Shown = {},
): Series[] {
  const run = runs[index] as RunData;
  const given = columnOf(run, column) ?? [];
  const values = given.map(decodeNumber);
  const known = values.flatMap((value, i) => (Number.isNaN(value) || !isWithin(i) ? [] : [i]));
  if (known.length === 0) return [];
  // A value that is NaN interrupts the curve; one that is not there does not.
  const snapshots = isSparse ? known : given.flatMap((value, i) => (value === null ? [] : [i]));
  const x = snapshots.map((i) => run[progress][i] as number);
  const y = snapshots.map((i) => (isHidden(i) ? Number.NaN : (values[i] as number)));
  const label = runs.length === 1 ? name : `${run.name}, ${name}`;
  return [seriesOf(label, run.color, x, y, { key: name, link: { run: index, snapshots }, ...parts })];
}

/** The band between the loss of the plane and that of the snapshots which it is compared with. */
function gapOf(run: RunData): Series["band"] {
  const [own, plane] = [columnOf(run, comparedLoss(run)), columnOf(run, PLANE_LOSS)];
  if (own === null || plane === null) return null;
  const known = (values: typeof own) => values.filter((value) => value !== null);
  return { low: known(own), high: known(plane) };
}

/** The snapshot that is the centre itself: its share is 0/0, and the 1 that stands for it would look like a leap. */
function isCenterOf({ runs, paths }: PathFacts, index: number): (snapshot: number) => boolean {
  const at = paths.find(({ run }) => run === index)?.at ?? [];
  const distance = columnOf(runs[index] as RunData, "distance to the plane");
  if (at.length < 2) return () => false;
  return (i) => at[i]?.[0] === 0 && at[i]?.[1] === 0 && distance?.[i] === 0;
}

import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import type { Surface } from "../../surface/surface.js";
import {
  type ContourScale,
  checkContourScale,
  createContourScale,
  finiteRange,
} from "../draw/contour-scale.js";
import { formatNumber, formatPercent } from "../draw/format-number.js";
import type { Figure, FigureAxis, Interpolation, MapPanel } from "../figure.js";
import { captionSentences, fidelityParagraphs, provenanceLine } from "./figure-caption.js";
import { fidelityPanels, progressPanels } from "./path-panels.js";
import { checkPath, createPath, createRunData, type FigurePathInput, progressOf } from "./run-data.js";

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

import { InvalidDataError } from "../errors.js";
import { fillPartial } from "../surface/fill-partial.js";
import type { Surface } from "../surface/surface.js";
import { checkSurface } from "./check-figure-surface.js";
import { cleanText } from "./clean-text.js";
import { type ContourScale, checkContourScale, createContourScale } from "./contour-scale.js";
import type { Interpolation } from "./contours.js";
import { fidelityParagraphs } from "./fidelity-paragraphs.js";
import type { FigureAxis, FigurePath, TrajectoryFigure } from "./figure.js";
import { createAxis, type FigureAxesInput } from "./figure-axis.js";
import { captionSentences, provenanceLine } from "./figure-caption.js";
import { createFigurePath, type FigurePathInput, progressOf } from "./figure-path.js";
import { finiteRange } from "./finite-range.js";
import { formatNumber } from "./format-number.js";
import { decodeNumber, encodeNumber } from "./json-number.js";

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
export function createTrajectoryFigure(input: TrajectoryFigureInput): TrajectoryFigure {
  const { interpolation = "cubic", aspect = "fill" } = input;
  checkSurface(input.surface);
  const surface = fillPartial(input.surface);
  if (input.paths.length === 0) throw new InvalidDataError("paths", "at least one path", "none");
  const axes = [createAxis(input.axes, 0), createAxis(input.axes, 1)] as const;
  const scale =
    input.scale === undefined ? createContourScale([surface.loss]) : checkContourScale(input.scale);
  const paths = input.paths.map(createFigurePath);
  const progress = progressOf(paths);
  const lossName = cleanText(input.lossName ?? "loss");
  const centerName = cleanText(input.centerName ?? defaultCenterName(paths));
  const dataName = input.dataName === undefined ? null : cleanText(input.dataName);
  const facts = { surface, scale, interpolation, paths, lossName, dataName };
  const fidelity = fidelityParagraphs({ axes, paths, progress, centerName });
  const caption = [cleanText(input.caption ?? ""), ...captionSentences(facts)]
    .filter((s) => s !== "")
    .join(" ");
  const title = cleanText(input.title);
  return {
    kind: "trajectory",
    version: 1,
    title,
    lossName,
    axes,
    surface: {
      alpha: Array.from(surface.alpha),
      beta: Array.from(surface.beta),
      loss: Array.from(surface.loss, encodeNumber),
      nonFinite: surface.nonFinite,
    },
    scale,
    interpolation,
    aspect,
    progress,
    paths,
    fidelity,
    caption,
    provenance: provenanceLine(facts),
    notes: collectNotes(input),
    description: describe(title, lossName, axes, paths, surface),
  };
}

function defaultCenterName(paths: readonly FigurePath[]): string {
  const last = paths.length === 1 ? paths[0]?.points.at(-1) : undefined;
  const isCenter = last !== undefined && last.inPlaneShare === 1 && Number(last.distance) === 0;
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
  paths: readonly FigurePath[],
  surface: Surface,
): string {
  const range = finiteRange(surface.loss);
  const values =
    range === null
      ? "with no finite value"
      : `between ${formatNumber(range[0])} and ${formatNumber(range[1])}`;
  const runs = paths.map((path) => {
    const drops = path.points.filter((point) => point.rateDropped).length;
    const at = (index: number): string => {
      const point = path.points.at(index);
      return `(${formatNumber(decodeNumber(point?.alpha ?? null), 3)}, ${formatNumber(decodeNumber(point?.beta ?? null), 3)})`;
    };
    const dropped =
      drops === 0 ? "" : `, with ${drops} ${drops === 1 ? "drop" : "drops"} of the learning rate`;
    return `${path.name}: ${path.points.length} snapshots from ${at(0)} to ${at(-1)}${dropped}.`;
  });
  return `${title}. Contour map of the ${lossName}, ${values}. Horizontal axis: ${axes[0].title}. Vertical axis: ${axes[1].title}. ${runs.join(" ")}`;
}

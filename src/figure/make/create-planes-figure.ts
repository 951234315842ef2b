import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { condenseWarnings } from "../../base/warning.js";
import type { Surface } from "../../surface/surface.js";
import { createContourScale, finiteRange } from "../draw/contour-scale.js";
import { formatNumber } from "../draw/format-number.js";
import type { Figure, Interpolation, MapPanel } from "../figure.js";
import { nonFinite } from "./create-maps-figure.js";
import { checkSurface, createAxis, type FigureAxesInput, gridOf } from "./create-trajectory-figure.js";
import { evaluationLine, missingPointSentences } from "./figure-caption.js";
import { checkPath, createPath, createRunData, type FigurePathInput, progressOf } from "./run-data.js";

/** One run on a plane of its own. */
export interface PlaneInput extends FigurePathInput {
  readonly surface: Surface;
  readonly axes: FigureAxesInput;
}

/** What {@link createPlanesFigure} makes a figure of. */
export interface PlanesFigureInput {
  readonly planes: readonly PlaneInput[];
  /** Heading. Default "Each run on its own plane". */
  readonly title?: string;
  /** Sentences put before the caption that is made. */
  readonly caption?: string;
  /** What the surfaces show. Default "loss". */
  readonly lossName?: string;
  readonly dataName?: string;
  readonly interpolation?: Interpolation;
}

/**
 * Returns runs side by side, each on its own plane: common contour levels, and the same units per length on all
 * axes, so that what looks larger or steeper is.
 *
 * @throws {@link InvalidDataError} if there is no plane, or one does not fit together.
 * @example const figure = createPlanesFigure({ title: "Each on its plane", planes });
 */
export function createPlanesFigure(input: PlanesFigureInput): Figure {
  const { planes, title = "Each run on its own plane", interpolation = "cubic" } = input;
  const [first] = planes;
  if (first === undefined) throw new InvalidDataError("planes", "at least one plane", "none");
  const lossName = cleanText(input.lossName ?? "loss");
  for (const { surface } of planes) checkSurface(surface);
  const scale = createContourScale(planes.map(({ surface }) => surface.loss));
  for (const plane of planes) checkPath(plane);
  const runs = planes.map(createRunData);
  const maps = planes.map(
    (plane, run): MapPanel => ({
      kind: "map",
      title: cleanText(plane.name),
      axes: [createAxis(plane.axes, 0), createAxis(plane.axes, 1)],
      aspect: "equal",
      ...gridOf(plane.surface, plane.surface.loss),
      quantity: lossName,
      scale,
      palette: "value",
      interpolation,
      paths: [createPath(run, plane.trajectory)],
      marks: [],
    }),
  );
  const heading = cleanText(title);
  return {
    version: 2,
    title: heading,
    progress: progressOf(runs),
    runs,
    panels: maps,
    layout: { columns: maps.length === 4 ? 2 : Math.min(maps.length, 3) },
    fidelity: [],
    caption: captionOf(input, maps),
    provenance: evaluationLine([{ surface: first.surface }], input.dataName),
    notes: condenseWarnings(
      planes.flatMap(({ surface, trajectory }) => [...surface.warnings, ...trajectory.warnings]),
    ).map(({ message }) => cleanText(message)),
    description: `${heading}. ${maps.length} contour maps of the ${lossName}: ${maps.map(describeMap).join(" ")}`,
  };
}

function describeMap({ title, axes, paths }: MapPanel): string {
  const points = paths[0]?.at.length ?? 0;
  return `${title}: ${points} snapshots over ${axes.map((axis) => axis.title).join(" and ")}.`;
}

function captionOf({ planes, caption, interpolation }: PlanesFigureInput, maps: readonly MapPanel[]): string {
  const range = finiteRange(maps.flatMap(({ values }) => (values ?? []).map(Number)));
  const isLog = maps[0]?.scale?.kind === "log";
  const drops = planes.some((plane, run) => createRunData(plane, run).drops.length > 0);
  const gaps = maps.filter((panel) => nonFinite(panel) > 0);
  const missing = planes.flatMap((plane) =>
    missingPointSentences([plane], plane.surface).map((sentence) => `${cleanText(plane.name)}: ${sentence}`),
  );
  return [
    cleanText(caption ?? ""),
    `Each map is the plane of one run's own principal components, through its final weights. Levels are common to all maps${isLog ? " (logarithmic)" : ""}, and a unit is equally long on every axis of every map.`,
    `Ring: start; star: end; dots: snapshots${drops ? "; red: learning rate lowered" : ""}.`,
    range === null ? "" : `Values from ${formatNumber(range[0])} to ${formatNumber(range[1])}.`,
    `${maps.map(({ alpha, beta }) => `${alpha.length} × ${beta.length}`)[0]} evaluated points a map, ${interpolation ?? "cubic"} interpolation.`,
    gaps.length === 0
      ? ""
      : `Not finite at ${gaps.map((panel) => `${nonFinite(panel)} points (${panel.title})`).join(", ")}: cells that touch them are hatched.`,
    ...missing,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

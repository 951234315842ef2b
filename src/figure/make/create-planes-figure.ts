import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import type { Surface } from "../../surface/surface.js";
import type { Interpolation } from "../draw/contours.js";
import { formatNumber } from "../draw/format-number.js";
import { finiteRange } from "./chart-parts.js";
import { createContourScale } from "./contour-scale.js";
import type { MapPanel, MapsFigure } from "./create-maps-figure.js";
import {
  checkSurface,
  createAxis,
  createFigurePath,
  type FigureAxesInput,
  type FigurePathInput,
} from "./create-trajectory-figure.js";
import { evaluationLine, missingPointSentences } from "./figure-caption.js";

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
 */
export function createPlanesFigure(input: PlanesFigureInput): MapsFigure {
  const { planes, title = "Each run on its own plane", interpolation = "cubic" } = input;
  const [first] = planes;
  if (first === undefined) throw new InvalidDataError("planes", "at least one plane", "none");
  const lossName = cleanText(input.lossName ?? "loss");
  for (const { surface } of planes) checkSurface(surface);
  const scale = createContourScale(planes.map(({ surface }) => surface.loss));
  const maps = planes.map((plane, color): MapPanel => {
    const { alpha, beta, loss, nonFinite } = plane.surface;
    return {
      title: cleanText(plane.name),
      quantity: lossName,
      surface: {
        alpha: Array.from(alpha),
        beta: Array.from(beta),
        loss: Array.from(loss, encodeNumber),
        nonFinite,
      },
      scale,
      palette: "value",
      axes: [createAxis(plane.axes, 0), createAxis(plane.axes, 1)],
      run: { color, path: createFigurePath(plane) },
    };
  });
  const heading = cleanText(title);
  return {
    kind: "maps",
    version: 1,
    title: heading,
    axes: ["first axis", "second axis"],
    maps,
    marks: [],
    path: [],
    interpolation,
    aspect: "equal",
    caption: captionOf(input, maps),
    provenance: evaluationLine([{ surface: first.surface }], input.dataName),
    notes: condenseWarnings(
      planes.flatMap(({ surface, trajectory }) => [...surface.warnings, ...trajectory.warnings]),
    ).map(({ message }) => cleanText(message)),
    description: `${heading}. ${maps.length} contour maps of the ${lossName}: ${maps.map(describeMap).join(" ")}`,
  };
}

function describeMap({ title, axes, run }: MapPanel): string {
  const points = run?.path.points.length ?? 0;
  return `${title}: ${points} snapshots over ${axes?.map((axis) => axis.title).join(" and ")}.`;
}

function captionOf({ planes, caption, interpolation }: PlanesFigureInput, maps: readonly MapPanel[]): string {
  const range = finiteRange(maps.flatMap(({ surface }) => surface.loss.map(Number)));
  const [{ scale }] = maps as [MapPanel];
  const drops = maps.some(({ run }) => run?.path.points.some((point) => point.rateDropped));
  const gaps = maps.filter(({ surface }) => surface.nonFinite > 0);
  const missing = maps.flatMap(({ title, run }, index) =>
    run === undefined
      ? []
      : missingPointSentences([run.path], (planes[index] as PlaneInput).surface).map(
          (sentence) => `${title}: ${sentence}`,
        ),
  );
  return [
    cleanText(caption ?? ""),
    `Each map is the plane of one run's own principal components, through its final weights. Levels are common to all maps${scale.kind === "log" ? " (logarithmic)" : ""}, and a unit is equally long on every axis of every map.`,
    `Ring: start; star: end; dots: snapshots${drops ? "; red: learning rate lowered" : ""}.`,
    range === null ? "" : `Values from ${formatNumber(range[0])} to ${formatNumber(range[1])}.`,
    `${maps.map(({ surface }) => `${surface.alpha.length} × ${surface.beta.length}`)[0]} evaluated points a map, ${interpolation ?? "cubic"} interpolation.`,
    gaps.length === 0
      ? ""
      : `Not finite at ${gaps.map(({ title, surface }) => `${surface.nonFinite} points (${title})`).join(", ")}: cells that touch them are hatched.`,
    ...missing,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

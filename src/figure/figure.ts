import { decodeNumber, type JsonNumber } from "../base/json.js";
import type { Interpolation } from "./draw/contours.js";
import { type ContourScale, createContourScale } from "./make/contour-scale.js";

/** One axis of the plane. */
export interface FigureAxis {
  /** Short name: "PC 1". */
  readonly label: string;
  /** Name with the variance it explains, as it stands on the axis. */
  readonly title: string;
  readonly explainedVarianceRatio: JsonNumber | null;
  readonly randomWalkBaseline: JsonNumber | null;
}

/** One snapshot on the plane. */
export interface FigurePoint {
  readonly step: number;
  readonly epoch: number;
  readonly iteration: number;
  readonly learningRate: JsonNumber;
  /** Coordinates on the plane. */
  readonly alpha: JsonNumber;
  readonly beta: JsonNumber;
  /** Loss of the snapshot itself, and of the plane at its coordinates; null if not evaluated. */
  readonly trueLoss: JsonNumber | null;
  readonly planeLoss: JsonNumber | null;
  /** Share of the squared distance to the centre that lies in the plane. */
  readonly inPlaneShare: JsonNumber;
  /** Distance to the plane. */
  readonly distance: JsonNumber;
  /** True where the learning rate is lower than at the snapshot before. */
  readonly rateDropped: boolean;
  /** What training logged, by name. */
  readonly logs: readonly (readonly [name: string, value: JsonNumber])[];
}

/** Something that a run was trained with, in words. */
export type Setting = readonly [name: string, value: string];

/** The path of one run. */
export interface FigurePath {
  readonly name: string;
  /** How the run was trained; absent where it is not known. */
  readonly settings?: readonly Setting[];
  readonly points: readonly FigurePoint[];
}

/** The evaluated surface under the paths. */
export interface FigureSurface {
  /** (W), increasing. */
  readonly alpha: readonly number[];
  /** (H), increasing. */
  readonly beta: readonly number[];
  /** (H, W), row-major: rows over beta. */
  readonly loss: readonly JsonNumber[];
  readonly nonFinite: number;
}

/** What the horizontal axis of the fidelity panels counts. */
export type Progress = "epoch" | "iteration" | "step";

/**
 * Everything that one picture of trajectories on a loss surface shows, as plain JSON data.
 *
 * Non-finite numbers are spelled out (`"NaN"`, `"Infinity"`, `"-Infinity"`). Every text is cleaned of
 * control characters, but not escaped: it is data, never markup.
 */
export interface TrajectoryFigure {
  readonly kind: "trajectory";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  /** What the surface is: "training loss". */
  readonly lossName: string;
  readonly axes: readonly [FigureAxis, FigureAxis];
  readonly surface: FigureSurface;
  readonly scale: ContourScale;
  readonly interpolation: Interpolation;
  /** "equal": one unit is equally long on both axes; "fill": the map fills its place. */
  readonly aspect: "equal" | "fill";
  readonly progress: Progress;
  readonly paths: readonly FigurePath[];
  /** How faithful the picture is, in words: a paragraph on the axes, one on each path. */
  readonly fidelity: readonly string[];
  /** What is drawn, in sentences. */
  readonly caption: string;
  /** Where the numbers come from, in one line. */
  readonly provenance: string;
  /** Warnings of the results that the picture is made of. */
  readonly notes: readonly string[];
  /** The picture in words, for those who do not see it. */
  readonly description: string;
}

/** Whether a figure's surface can have logarithmic levels: some values are positive and none is negative. */
export function canBeLogarithmic({ surface }: Pick<TrajectoryFigure, "surface">): boolean {
  const values = surface.loss.map(decodeNumber).filter(Number.isFinite);
  return values.some((value) => value > 0) && values.every((value) => value >= 0);
}

/**
 * Returns a figure with levels of another kind, in its caption too.
 *
 * @throws {@link InvalidOptionError} if logarithmic levels are asked for that its values cannot have.
 */
export function withScaleKind(figure: TrajectoryFigure, kind: "linear" | "log"): TrajectoryFigure {
  if (figure.scale.kind === kind) return figure;
  const words = { linear: ", linear levels;", log: ", logarithmic levels;" } as const;
  return {
    ...figure,
    scale: createContourScale([figure.surface.loss.map(decodeNumber)], { kind }),
    caption: figure.caption.replace(words[figure.scale.kind], words[kind]),
  };
}

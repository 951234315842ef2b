import type { ContourScale } from "./contour-scale.js";
import type { Interpolation } from "./contours.js";
import type { FigureAxis, FigurePath, FigureSurface } from "./figure.js";
import type { JsonNumber } from "./json-number.js";

/** A place on a map that has a name: a model. */
export interface MapMark {
  readonly alpha: JsonNumber;
  readonly beta: JsonNumber;
  readonly label: string;
  /** The centre θ* is a star, others are dots. */
  readonly isCenter: boolean;
}

/** One map of a slice. */
export interface MapPanel {
  readonly title: string;
  /** What the colours show. */
  readonly quantity: string;
  readonly surface: FigureSurface;
  readonly scale: ContourScale;
  /** "value": from low to high; "difference": below and above zero. */
  readonly palette: "value" | "difference";
  /** Axes of this map alone; absent where they are those of the figure. */
  readonly axes?: readonly [FigureAxis, FigureAxis];
  /** The path of a run on this map alone. */
  readonly run?: MapRun;
}

/** A run's path on its own map. */
export interface MapRun {
  /** Place in the palette of runs. */
  readonly color: number;
  readonly path: FigurePath;
}

/**
 * Two-dimensional slices side by side, as plain JSON data: the loss on the training set, on a held-out set, and
 * their difference on one grid; or the planes of several runs.
 *
 * Non-finite numbers are spelled out. Every text is cleaned of control characters, but not escaped.
 */
export interface MapsFigure {
  readonly kind: "maps";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  readonly axes: readonly [string, string];
  readonly maps: readonly MapPanel[];
  readonly marks: readonly MapMark[];
  /** A path drawn over every map; may be empty. */
  readonly path: readonly (readonly [alpha: JsonNumber, beta: JsonNumber])[];
  readonly interpolation: Interpolation;
  /** "equal": one unit is equally long on both axes and on every map. Default "fill": maps fill their places. */
  readonly aspect?: "equal" | "fill";
  readonly caption: string;
  readonly provenance: string;
  readonly notes: readonly string[];
  readonly description: string;
}

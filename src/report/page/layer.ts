import type { EChartsOption } from "echarts";
import type { TrajectoryFigure } from "../figure.js";
import type { ThemeName } from "../palette.js";
import type { Readout } from "../readout.js";
import type { Rect } from "../rect.js";
import type { PictureSize } from "./downloads.js";

/** A drawn snapshot, in px. */
export interface Target {
  readonly pathIndex: number;
  readonly pointIndex: number;
  readonly x: number;
  readonly y: number;
}

/** A place in px. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** One way to draw a trajectory: as a map, or in space. */
export interface Layer {
  /** Holds everything that it draws. */
  readonly element: HTMLElement;
  /** Draws the figure and returns the size that it takes. */
  draw(figure: TrajectoryFigure, width: number, theme: ThemeName): PictureSize;
  /** Where the snapshots are drawn now. */
  targets(): readonly Target[];
  /** What is said about a place that is no snapshot; null outside. */
  readoutAt(at: Place): Readout | null;
  /** Upright lines that mark a place of the time line in the plots beside the map. */
  cursors(progress: number): readonly { readonly rect: Rect; readonly x: number }[];
  /** The picture as it is now, in light colours, to be saved. */
  picture(figure: TrajectoryFigure): { readonly option: EChartsOption; readonly size: PictureSize };
  /** Does what a key with Shift asks for; returns whether it meant something. */
  turn(key: string): boolean;
}

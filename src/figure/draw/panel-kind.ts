import type { Figure, Panel, PlaneWindow } from "../figure.js";
import type { DrawOptions, Rect } from "./figure-frame.js";
import type { LegendEntry } from "./legend.js";
import type { Theme } from "./palette.js";
import type { PlacedText } from "./placed-text.js";
import type { Shape } from "./shapes.js";
import type { Readout } from "./snapshots.js";

/** A place in px. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** A drawn snapshot, in px. */
export interface Target extends Place {
  /** Position of the run in the figure, and of the snapshot in the run. */
  readonly run: number;
  readonly snapshot: number;
}

/** Values shown for a place of a panel, and the place in px. */
export interface PlacedReadout extends Place {
  readonly readout: Readout;
  /** The evaluated point that was read, in px. */
  readonly point?: Place | undefined;
  /** Where on the time line it is, for the marks in other panels. */
  readonly moment?: number | undefined;
}

/** Room that a panel of this kind needs above and below its plot. */
export interface Edges {
  readonly heading: number;
  readonly below: number;
}

/** The room that the panels of a figure have. */
export interface Room {
  /** Width of each panel with everything beside its plot. */
  readonly width: number;
  /** Height of each plot where one is given. */
  readonly plot: number | null;
  /** The large panel of a figure, beside which others stand. */
  readonly isLead: boolean;
  /** Whether the panel stands alone. */
  readonly isAlone: boolean;
  /** On a page as narrow as a phone: maps are square, with their colours below. */
  readonly isPhone: boolean;
  /** Every panel of this kind in the figure, for what they share. */
  readonly peers: readonly Panel[];
}

/** Where a panel goes. */
export interface Slot extends Room, Edges {
  readonly x: number;
  readonly y: number;
  readonly plot: number;
}

/** A panel at its place; each kind adds what it has worked out. */
export interface Placed<P extends Panel = Panel> {
  readonly panel: P;
  readonly figure: Figure;
  readonly options: DrawOptions;
  /** The plot itself, in px. */
  readonly rect: Rect;
  readonly texts: readonly PlacedText[];
}

/** Shapes that lie on one level. */
export interface Layer {
  readonly name: string;
  readonly z: number;
  readonly shapes: readonly Shape[];
  /** Cut at the edge of the plot. Default not. */
  readonly clip?: boolean;
}

/** Axes of ECharts over a plot: `axis` of option-parts. */
export interface Grid {
  readonly rect: Rect;
  readonly x: object;
  readonly y: object;
}

/** What draws a panel. */
export interface Drawing {
  /** At least one, since shapes belong to a grid. */
  readonly grids: readonly Grid[];
  readonly layers: readonly Layer[];
  /** Line series of ECharts, each with the number of its grid. */
  readonly curves?: readonly { readonly grid: number; readonly series: object }[];
}

/** Where a moment of the time line is in a panel: an upright line, and rings around points, in px. */
export interface Moment {
  readonly cursor: number | null;
  readonly rings: readonly (Place & { readonly color: number | null })[];
}

/** Everything that is particular to one kind of panel. */
export interface PanelKind<P extends Panel = Panel, L extends Placed<P> = Placed<P>> {
  /** What a screen reader calls the picture. */
  readonly role: string;
  /** Least width of a column of such panels, and the gap between two. */
  readonly least: number;
  readonly gap: number;
  /** Width of a picture with so many columns, where none is asked for. */
  naturalWidth(panels: readonly P[], columns: number): number;
  /** Least width of a picture. Default that of every picture. */
  leastWidth?(panels: readonly P[]): number;
  edges(panels: readonly P[], isPhone: boolean): Edges;
  /** Height of a plot: what looks best, and the least. */
  plotHeight(panel: P, figure: Figure, room: Room, options: DrawOptions): { natural: number; least: number };
  place(panel: P, figure: Figure, slot: Slot, options: DrawOptions): L;
  legend(panel: P, figure: Figure): LegendEntry[];
  draw(placed: L, theme: Theme): Drawing;
  /** The snapshots that can be pointed at. */
  targets(placed: L): Target[];
  /** Values shown for a place inside the plot that is no snapshot; null for none. */
  readout(placed: L, at: Place): PlacedReadout | null;
  /** Where a place of the time line is, beside the targets. Default nowhere. */
  moment?(placed: L, place: number, snapshots: readonly number[]): Moment;
  /** Places of a run from snapshot to snapshot, to highlight it. Default none. */
  traces?(placed: L, run: number): Place[][];
  /** The plane of a panel that can be enlarged: what is shown of it, and all. Default it cannot. */
  plane?(placed: L): { readonly shown: PlaneWindow; readonly whole: PlaneWindow } | null;
  /** Paragraphs that belong below the panels. Default none. */
  paragraphs?(panel: P): string[];
  /** Whether HTML takes the place of the picture on a page: it is complete without script. Default not. */
  readonly isHtml?: boolean;
}

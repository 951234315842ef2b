import type { JsonNumber } from "../base/json.js";
import type { ContourScale } from "./draw/scales.js";

/**
 * A picture as plain JSON data: a frame of texts around a grid of panels, and the runs that the panels show.
 *
 * Non-finite numbers are spelled out (`"NaN"`, `"Infinity"`, `"-Infinity"`). Every text is cleaned of control
 * characters, but not escaped: it is data, never markup.
 */
export interface Figure extends FigureText {
  /** Version of this form; raised when it changes. */
  readonly version: 2;
  /** What the player and the time axes count. */
  readonly progress: Progress;
  /** The runs whose snapshots the panels show; empty where no panel shows snapshots. */
  readonly runs: readonly RunData[];
  readonly panels: readonly Panel[];
  /**
   * "lead": the first panel is large and the others stand beside it. Otherwise a grid with so many columns
   * where the picture is wide enough.
   */
  readonly layout: "lead" | { readonly columns: number };
  /** Parts that are not drawn. Default the labels of isolines. */
  readonly hidden?: readonly FigurePart[] | undefined;
}

/** What a picture shows beside its panels, in the order in which it is asked for. */
export const FIGURE_PARTS = [
  "title",
  "verdict",
  "caption",
  "legend",
  "colorbar",
  "curves",
  "path",
  "isolines",
  "labels",
  "minimum",
  "values",
  "inset",
] as const;

/**
 * A part of a picture: "labels" are the levels written on the isolines, "minimum" the cross at the grid's least
 * value, "values" the true losses beside the ends, "inset" the enlarged end of a path.
 */
export type FigurePart = (typeof FIGURE_PARTS)[number];

/** Whether a picture of a figure shows a part: all but the labels, where nothing is said. */
export function isShown({ hidden = ["labels"] }: Pick<Figure, "hidden">, part: FigurePart): boolean {
  return !hidden.includes(part);
}

/**
 * What figures inherit: nothing, until the module of notebooks gives it what their kernels ask for. Code for a
 * browser makes figures, too, and has no part in that.
 */
export const DISPLAYED: object = {};

/** The texts around the panels. */
export interface FigureText {
  readonly title: string;
  /** What the picture shows, in one sentence; absent or empty where there is none. */
  readonly verdict?: string | undefined;
  /** How faithful the picture is, in words: one paragraph each; may be empty. */
  readonly fidelity: readonly string[];
  /** What is drawn, in sentences. */
  readonly caption: string;
  /** Where the numbers come from, in one line; may be empty. */
  readonly provenance: string;
  /** Warnings of the results that the picture is made of. */
  readonly notes: readonly string[];
  /** The picture in words, for those who do not see it. */
  readonly description: string;
}

/** What a time axis counts. */
export type Progress = "epoch" | "iteration" | "step";

/** Something that a run was trained with, in words. */
export type Setting = readonly [name: string, value: string];

/** One run: everything that is known of its snapshots. Panels refer to a snapshot by its position here. */
export interface RunData {
  readonly name: string;
  /** Place in the palette of runs. */
  readonly color: number;
  /** How the run was trained; absent where it is not known. */
  readonly settings?: readonly Setting[] | undefined;
  readonly step: readonly number[];
  readonly epoch: readonly number[];
  readonly iteration: readonly number[];
  /** Snapshots at which the learning rate is lower than at the snapshot before. */
  readonly drops: readonly number[];
  /** First snapshots that another loss logged than those before them; absent where the loss stayed. */
  readonly lossChanges?: readonly number[] | undefined;
  /** Further facts of every snapshot, in the order in which they are shown. */
  readonly columns: readonly SnapshotColumn[];
}

/** One fact of every snapshot of a run. */
export interface SnapshotColumn {
  /** As it is shown: "true loss". */
  readonly name: string;
  /** "share": written as a percentage; "known": not finite means that it is unknown. */
  readonly form: "number" | "share" | "known";
  /** One for each snapshot; null where there is none. */
  readonly values: readonly (JsonNumber | null)[];
}

/** Names of columns that are looked up: losses of the snapshots, and of the plane where they are drawn. */
export const TRUE_LOSS = "true loss";
/** Where the plane has recalibrated batch-norm statistics these two stand for the true loss; the first is compared. */
export const RECALIBRATED_LOSS = "true loss, recalibrated";
export const AS_TRAINED_LOSS = "true loss, as trained";
export const PLANE_LOSS = "loss on the plane";
export const LEARNING_RATE = "learning rate";
export const HELD_SHARE = "distance held by the plane";

/** Returns the values of a column of a run; null where the run does not have it. */
export function columnOf({ columns }: RunData, name: string): SnapshotColumn["values"] | null {
  return columns.find((column) => column.name === name)?.values ?? null;
}

/** Returns the name of the column that the plane's loss is compared with: recalibrated like the plane, where it is. */
export function comparedLoss(run: RunData): typeof TRUE_LOSS | typeof RECALIBRATED_LOSS {
  return columnOf(run, RECALIBRATED_LOSS) === null ? TRUE_LOSS : RECALIBRATED_LOSS;
}

/** What a grid of panels consists of. */
export type Panel = MapPanel | CurvesPanel | ScatterPanel | MatrixPanel | TablePanel;

/** What every panel has. */
interface PanelBase {
  /** Heading; empty for none. */
  readonly title: string;
  /** Shown on a page only, not in picture files. */
  readonly only?: "page" | undefined;
}

/** How values between grid points are drawn. */
export type Interpolation = "linear" | "cubic";

/** One axis of a map or a scatter. */
export interface FigureAxis {
  /** Short name: "PC 1". */
  readonly label: string;
  /** Name with the variance that it explains, as it stands on the axis. */
  readonly title: string;
  readonly explainedVarianceRatio: JsonNumber | null;
  readonly randomWalkBaseline: JsonNumber | null;
}

/** Where the snapshots of a run are in a panel. */
export interface Path {
  /** Position of the run in the figure. */
  readonly run: number;
  /** Coordinates, one list for each snapshot of the run. */
  readonly at: readonly (readonly JsonNumber[])[];
}

/** A place on a map that has a name: a model. */
export interface MapMark {
  readonly alpha: JsonNumber;
  readonly beta: JsonNumber;
  readonly label: string;
  /** The centre θ* is a star, others are dots. */
  readonly isCenter: boolean;
}

/** A line on a map: the ellipse of a quadratic, or an axis of it. */
export interface MapOutline {
  /** (n, 2): α and β of its points, in order. */
  readonly points: readonly (readonly [alpha: number, beta: number])[];
  readonly isDashed: boolean;
}

/** The part of a plane that is shown, in its own units. */
export interface PlaneWindow {
  readonly x: readonly [min: number, max: number];
  readonly y: readonly [min: number, max: number];
}

/** Values over a plane, with the paths on it. */
export interface MapPanel extends PanelBase {
  readonly kind: "map";
  readonly axes: readonly [FigureAxis, FigureAxis];
  /**
   * "equal": one unit is equally long on both axes, and on every such map of the figure; "fill": the map fills its
   * place; a number: its width divided by its height.
   */
  readonly aspect: "equal" | "fill" | number;
  /** (W), increasing. */
  readonly alpha: readonly number[];
  /** (H), increasing. */
  readonly beta: readonly number[];
  /** (H, W), row-major: rows over beta; null where none are evaluated yet (a run that is still training). */
  readonly values: readonly JsonNumber[] | null;
  /** What the values are: "training loss". */
  readonly quantity: string;
  /** Levels of the contours; null without values. */
  readonly scale: ContourScale | null;
  /** "value": from low to high; "difference": below and above zero. */
  readonly palette: "value" | "difference";
  /** Whether both axes have one unit: lengths along unit vectors. Default not. */
  readonly sharesUnit?: boolean | undefined;
  /** Colours of values from low to high, one more than there are levels. Default viridis with some white. */
  readonly colors?: readonly string[] | undefined;
  /** Whether a colour bar stands beside it. Default true. */
  readonly hasBar?: boolean | undefined;
  readonly interpolation: Interpolation;
  readonly paths: readonly Path[];
  readonly marks: readonly MapMark[];
  /** Lines over the contours, from above only. Default none. */
  readonly outlines?: readonly MapOutline[] | undefined;
  /** "space": as a surface in 3-D, seen from the side. Default from above. */
  readonly view?: "space" | undefined;
  /** The part that is shown, inside the grid. Default all. */
  readonly window?: PlaneWindow | undefined;
}

/** An axis of curves. */
export interface CurvesAxis {
  readonly title: string;
  /** "percent": shares, written as percentages; "count": ticks at whole numbers only. */
  readonly scale: "linear" | "log" | "percent" | "count";
  /** Range; default what the curves need. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Ticks; default round values. */
  readonly ticks?: readonly number[] | undefined;
  /** What stands at the ticks of a linear axis, where that is no number: names of settings. Default the values. */
  readonly labels?: readonly string[] | undefined;
}

/** One curve. */
export interface Series {
  /** Name in read-outs, and in the legend; curves of one name, colour and stroke share an entry. */
  readonly name: string;
  /** Name in the legend where curves of several runs share one; null for no entry. Default the name. */
  readonly key?: string | null | undefined;
  /** Place in the palette of runs. */
  readonly color: number;
  readonly isDashed: boolean;
  /** Thin and dotted: a curve beside those that are compared. Default false. */
  readonly isDotted?: boolean | undefined;
  /** Each value holds from the position before to its own: drawn as steps. Default false. */
  readonly isStepped?: boolean | undefined;
  readonly axis: "left" | "right";
  /** "line" through the points, "area" with the ground below filled (histograms), "points" by themselves. */
  readonly shape: "line" | "area" | "points";
  /** Positions, increasing or equal; of points, in any order. */
  readonly x: readonly number[];
  /** Values; those that are not finite break the line. */
  readonly y: readonly JsonNumber[];
  /** Band around the curve, at the same positions; null without. */
  readonly band: { readonly low: readonly JsonNumber[]; readonly high: readonly JsonNumber[] } | null;
  /** The snapshots that the points belong to; absent where they are none. */
  readonly link?: { readonly run: number; readonly snapshots: readonly number[] } | undefined;
}

/** An upright line with a name. */
export interface UprightMark {
  readonly x: number;
  readonly label: string;
  readonly tone: "muted" | "drop";
}

/** Curves over one horizontal axis. */
export interface CurvesPanel extends PanelBase {
  readonly kind: "curves";
  readonly x: CurvesAxis;
  readonly left: CurvesAxis;
  readonly right: CurvesAxis | null;
  readonly series: readonly Series[];
  readonly marks: readonly UprightMark[];
}

/** Scale of the colours of points. */
export interface ColorScale {
  readonly title: string;
  readonly kind: "linear" | "log";
  readonly min: number;
  readonly max: number;
  /** Levels with a label, increasing, inside [min, max]. */
  readonly ticks: readonly number[];
}

/** Snapshots as points in two or three dimensions. */
export interface ScatterPanel extends PanelBase {
  readonly kind: "scatter";
  /** 2 or 3. */
  readonly axes: readonly FigureAxis[];
  readonly paths: readonly Path[];
  /** What points are coloured by: their run, or a column of the runs' facts. */
  readonly color: "run" | { readonly column: string; readonly scale: ColorScale };
  /** In two dimensions, the part that is shown. Default all. */
  readonly window?: PlaneWindow | undefined;
  /** Whether a colour bar stands beside it. Default true. */
  readonly hasBar?: boolean | undefined;
}

/** One quantity between the things of a heat map. */
export interface PairValues {
  /** "distance". */
  readonly quantity: string;
  /** What a row of values is called in front of the name of its thing: "distance to". */
  readonly phrase: string;
  /** What the values are, exactly. */
  readonly definition: string;
  /** (n, n), row-major and symmetric; null where there is none. The diagonal is not read. */
  readonly values: readonly (JsonNumber | null)[];
  /** Whether a great value means that two things are near. */
  readonly isNearHigh: boolean;
}

/** Two quantities between n things as one heat map, with a cell for each pair. */
export interface MatrixPanel extends PanelBase {
  readonly kind: "matrix";
  /** What rows and columns are. */
  readonly items: readonly TableColumn[];
  /** Values shown below the diagonal, and above it. */
  readonly below: PairValues;
  readonly above: PairValues;
}

/** A column of a table: what its cells belong to. */
export interface TableColumn {
  readonly title: string;
  /** Place in the palette of runs, shown beside the title; null for none. */
  readonly color: number | null;
}

/** One value of a table. */
export interface TableCell {
  /** As it is shown. */
  readonly text: string;
  /** The number behind it, with all its digits; null where there is none. */
  readonly value: JsonNumber | null;
  /** Quartiles or other bounds that the text shows beside the value; null for none. */
  readonly range: readonly [low: JsonNumber, high: JsonNumber] | null;
  /** Whether it is the best of its row, and stands out. Default not. */
  readonly isBest?: boolean | undefined;
}

/** One quantity, for every column. */
export interface TableRow {
  readonly name: string;
  /** Unit of the numbers behind the cells; empty for none. */
  readonly unit: string;
  /** Position of its definition in the table's list, or null where the name says it all. */
  readonly definition: number | null;
  /** One for each column. */
  readonly cells: readonly TableCell[];
}

/** Rows that belong together. */
export interface TableGroup {
  readonly title: string;
  readonly rows: readonly TableRow[];
}

/** A table of numbers: quantities down, runs across. */
export interface TablePanel extends PanelBase {
  readonly kind: "table";
  /** What the rows are: the head of the first column. */
  readonly rowTitle: string;
  readonly columns: readonly TableColumn[];
  readonly groups: readonly TableGroup[];
  /** What the quantities are, exactly; numbered from 1 where they are shown. */
  readonly definitions: readonly string[];
}

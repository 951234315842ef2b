import type { EChartsOption } from "echarts";
import { type Figure, isShown, type Panel } from "../figure.js";
import { curvesKind } from "./curves-panel.js";
import {
  checkHeight,
  type DrawOptions,
  extentOf,
  type FigureFrame,
  isInside,
  LEAST_WIDTH,
  layoutFrame,
  NARROW,
  type Rect,
} from "./figure-frame.js";
import { fontStack } from "./font.js";
import { LEGEND_BELOW, layoutLegend, legendShapes, mergeEntries, type PlacedLegendEntry } from "./legend.js";
import { mapKind } from "./map-panel.js";
import { matrixKind } from "./matrix-panel.js";
import { themeOf } from "./palette.js";
import type { Drawing, Moment, PanelKind, Place, Placed, PlacedReadout, Room, Target } from "./panel-kind.js";
import type { PlacedText } from "./placed-text.js";
import { scatterKind } from "./scatter-panel.js";
import { grid, shapesSeries, textShape } from "./shapes.js";
import { snapshotAt } from "./snapshots.js";
import { tableKind } from "./table-panel.js";
import { thinnedFigure } from "./thinning.js";

/** Everything that can stand in a figure: a new kind is one more entry. */
const PANEL_KINDS: Readonly<Record<Panel["kind"], PanelKind>> = {
  map: mapKind,
  curves: curvesKind,
  scatter: scatterKind,
  matrix: matrixKind,
  table: tableKind,
};

/** Returns what is particular to the kind of a panel. */
export function kindOf({ kind }: Panel): PanelKind {
  return PANEL_KINDS[kind];
}

/** Where everything of a figure is. */
export interface FigureLayout {
  readonly figure: Figure;
  readonly width: number;
  readonly height: number;
  readonly panels: readonly Placed[];
  readonly legend: readonly PlacedLegendEntry[];
  readonly texts: readonly PlacedText[];
}

/** Share of the width that a large panel takes, and the gap to what stands beside it. */
const LEAD_SHARE = 0.62;
const LEAD_GAP = 28;
/** Width of a picture with a large panel. */
const LEAD_WIDTH = 1100;
/** Below this width a page is on a phone. */
const PHONE = 520;
/** Width over height from which on a large map is flat. */
const FLAT = 1.6;
/** Gap between rows. */
const ROW_GAP = 10;
/** Height of a plot that would stand beside a large panel if there were room. */
const BELOW_PLOT = 170;
/** From so much width on two panels stand beside each other below a large one. */
const TWO_COLUMNS = 520;
/** Gap above the texts at the foot. */
const FOOT_GAP = 8;

/** A part of a figure: its height as it looks best, the least, and how its panels are placed. */
interface Block {
  readonly natural: number;
  readonly least: number;
  place(x: number, y: number, height: number): Placed[];
}

/**
 * Returns where everything of a figure is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutFigure(whole: Figure, options: DrawOptions = {}): FigureLayout {
  const figure = thinnedFigure(whole);
  const isPage = options.isPage === true;
  const shown = figure.panels.filter((panel) =>
    isPage ? kindOf(panel).isHtml !== true : panel.only === undefined,
  );
  const frame = frameOf(figure, shown, options);
  const { padding, inner, headHeight, footHeight } = frame;
  const entries = isShown(figure, "legend")
    ? mergeEntries(shown.flatMap((panel) => kindOf(panel).legend(panel, figure))).filter(
        ({ mark }) => mark.kind !== "run" || isInLegend(figure, mark.run, options),
      )
    : [];
  const isLead = figure.layout === "lead" && shown.length > 1;
  const [lead, ...others] = shown;
  const beside = others.filter(({ only }) => only === undefined);
  const isWide =
    isLead &&
    beside.length > 0 &&
    frame.width >= NARROW &&
    !(options.height === undefined && isFlatMap(lead));
  const column = isWide ? Math.round(inner * LEAD_SHARE) : inner;
  const legend = layoutLegend(entries, inner);
  // Curves have their legend above, where a reader begins; of other panels it is read last.
  const isAbove = shown.every(({ kind }) => kind === "curves");
  const top = padding + headHeight + (isAbove ? 4 + Math.max(0, legend.height - 4) : 0);
  const main =
    isLead && lead !== undefined
      ? gridBlock(figure, [lead], options, { width: column, columns: 1, isLead: true })
      : gridBlock(figure, shown, options, { width: inner, columns: columnsOf(figure), isLead: false });
  const after = isLead ? (isWide ? others.filter((panel) => !beside.includes(panel)) : others) : [];
  const columns = inner >= TWO_COLUMNS ? 2 : 1;
  const rest = gridBlock(figure, after, options, { width: inner, columns, isLead: false, plot: BELOW_PLOT });
  // Where nothing follows, its last row ends the picture.
  const endsBelow = footHeight === 0 && after.length === 0 && !isPage;
  const legendHeight = isAbove ? 0 : legend.height - (endsBelow && legend.height > 0 ? LEGEND_BELOW : 0);
  const afterHeight = after.length === 0 ? 0 : ROW_GAP + rest.natural;
  // A legend keeps its own distance from what is below it.
  const gap = footHeight > 0 && (legendHeight === 0 || after.length > 0) ? FOOT_GAP : 0;
  const foot = gap + footHeight;
  const fixed = top + legendHeight + afterHeight + foot + padding;
  checkHeight(options.height, Math.ceil(fixed + main.least));
  const mainHeight = options.height === undefined ? main.natural : options.height - fixed;
  const height = options.height ?? Math.ceil(fixed + main.natural);
  const placed = main.place(padding, top, mainHeight);
  const [first] = placed;
  const bottom = isLead && first !== undefined ? bottomOf(first, figure) : top + mainHeight;
  const side =
    isWide && first !== undefined
      ? gridBlock(figure, beside, options, {
          width: inner - column - LEAD_GAP,
          columns: 1,
          isLead: false,
        }).place(padding + column + LEAD_GAP, first.rect.y, bottom - first.rect.y)
      : [];
  const legendTop = isAbove ? padding + headHeight : bottom;
  const panels = [...placed, ...side, ...rest.place(padding, bottom + legendHeight + ROW_GAP, rest.natural)];
  return {
    figure,
    width: frame.width,
    height,
    panels,
    legend: legend.entries.map((entry) => ({ ...entry, x: padding + entry.x, y: legendTop + entry.y })),
    texts: [...frame.place(height), ...panels.flatMap(({ texts }) => texts)],
  };
}

/** A page has a legend of its own for the runs; a picture names those that it shows. */
function isInLegend({ runs }: Figure, run: number, { isPage, hidden }: DrawOptions): boolean {
  return isPage !== true && hidden?.has(runs[run]?.color ?? -1) !== true;
}

/** Whether a page is as narrow as a phone. */
function isPhone({ isPage, width = PHONE }: DrawOptions): boolean {
  return isPage === true && width < PHONE;
}

/** Whether a map with equal units is too flat for two charts to stand beside it. */
function isFlatMap(panel: Panel | undefined): boolean {
  if (panel?.kind !== "map" || panel.aspect === "fill") return false;
  const { aspect, alpha, beta } = panel;
  return (aspect === "equal" ? extentOf(alpha) / extentOf(beta) : aspect) > FLAT;
}

function columnsOf({ layout }: Figure): number {
  return layout === "lead" ? 1 : layout.columns;
}

/** Returns the least width in px that a picture of a figure can have. */
export function leastWidthOf(figure: Figure): number {
  const kinds = [...new Set(figure.panels.map(kindOf))];
  const of = (kind: (typeof kinds)[number]) => figure.panels.filter((panel) => kindOf(panel) === kind);
  return Math.max(LEAST_WIDTH, ...kinds.map((kind) => kind.leastWidth?.(of(kind)) ?? 0));
}

function frameOf(figure: Figure, shown: readonly Panel[], options: DrawOptions): FigureFrame {
  const kinds = [...new Set(shown.map(kindOf))];
  const columns = Math.max(1, Math.min(columnsOf(figure), shown.length));
  const of = (kind: (typeof kinds)[number]) => shown.filter((panel) => kindOf(panel) === kind);
  const natural =
    figure.layout === "lead"
      ? LEAD_WIDTH
      : Math.max(...kinds.map((kind) => kind.naturalWidth(of(kind), columns)));
  const least = leastWidthOf({ ...figure, panels: shown });
  const paragraphs = [
    ...figure.fidelity,
    ...shown.flatMap((panel) => kindOf(panel).paragraphs?.(panel) ?? []),
  ];
  return layoutFrame({ ...figure, paragraphs }, options.width ?? natural, options, least);
}

/** Lower edge of a large panel with the texts below its plot, which may be lower than its place. */
function bottomOf({ panel, rect, options }: Placed, { panels }: Figure): number {
  const kind = kindOf(panel);
  const peers = panels.filter((peer) => kindOf(peer) === kind);
  return rect.y + rect.height + kind.edges(peers, isPhone(options)).below;
}

/** Panels in rows of equal columns; all plots of a figure have one height unless their kinds differ. */
function gridBlock(
  figure: Figure,
  panels: readonly Panel[],
  options: DrawOptions,
  {
    width,
    columns: wanted,
    isLead,
    plot,
  }: { readonly width: number; readonly columns: number; readonly isLead: boolean; readonly plot?: number },
): Block {
  if (panels.length === 0) return { natural: 0, least: 0, place: () => [] };
  const gap = Math.max(...panels.map((panel) => kindOf(panel).gap));
  const leastColumn = plot === undefined ? Math.max(...panels.map((panel) => kindOf(panel).least)) : 0;
  const most = Math.min(wanted, panels.length);
  const columns = Math.max(1, Math.min(most, Math.floor((width + gap) / (leastColumn + gap))));
  const boxWidth = (width - (columns - 1) * gap) / columns;
  const rows = Array.from({ length: Math.ceil(panels.length / columns) }, (_, row) => {
    const inRow = panels.slice(row * columns, (row + 1) * columns);
    // What one panel of a kind has above its plot, its neighbours leave free.
    const edges = inRow.map((panel) => kindOf(panel).edges(peersOf(panel, panels), isPhone(options)));
    const heading = Math.max(...edges.map((edge) => edge.heading));
    const below = Math.max(...edges.map((edge) => edge.below));
    return { inRow, heading, below };
  });
  const edges =
    rows.reduce((sum, { heading, below }) => sum + heading + below, 0) + (rows.length - 1) * ROW_GAP;
  const roomOf = (panel: Panel): Room => ({
    width: boxWidth,
    plot: null,
    isLead,
    isAlone: panels.length === 1,
    isPhone: isPhone(options),
    peers: peersOf(panel, panels),
  });
  const heights = rows.map(({ inRow }) => {
    const each = inRow.map((panel) => kindOf(panel).plotHeight(panel, figure, roomOf(panel), options));
    return {
      natural: plot ?? Math.max(...each.map(({ natural }) => natural)),
      least: Math.max(...each.map(({ least }) => least)),
    };
  });
  const naturalPlots = heights.reduce((sum, { natural }) => sum + natural, 0);
  return {
    natural: edges + naturalPlots,
    least: edges + heights.reduce((sum, { least }) => sum + least, 0),
    place(x, y, height) {
      // Rows give and take alike, so that plots stay comparable.
      const extra = (height - edges - naturalPlots) / rows.length;
      let top = y;
      return rows.flatMap(({ inRow, heading, below }, row) => {
        const plotHeight = (heights[row]?.natural ?? 0) + extra;
        const slots = inRow.map((panel, index) =>
          kindOf(panel).place(
            panel,
            figure,
            { ...roomOf(panel), x: x + index * (boxWidth + gap), y: top, heading, below, plot: plotHeight },
            options,
          ),
        );
        top += heading + plotHeight + below + ROW_GAP;
        return slots;
      });
    },
  };
}

function peersOf({ kind }: Panel, panels: readonly Panel[]): Panel[] {
  return panels.filter((panel) => panel.kind === kind);
}

/** Returns every snapshot that can be pointed at. */
export function figureTargets({ panels }: Pick<FigureLayout, "panels">): Target[] {
  return panels.flatMap(targetsOf);
}

const targets = new WeakMap<Placed, readonly Target[]>();

/** The snapshots of a placed panel that can be pointed at: asked for whenever the pointer moves. */
function targetsOf(placed: Placed): readonly Target[] {
  const known = targets.get(placed) ?? kindOf(placed.panel).targets(placed);
  targets.set(placed, known);
  return known;
}

/** Returns the values shown for a place that is no snapshot; null for none. */
export function figureReadout({ panels }: Pick<FigureLayout, "panels">, at: Place): PlacedReadout | null {
  const placed = panels.find(({ rect }) => isInside(rect, at));
  return placed === undefined ? null : kindOf(placed.panel).readout(placed, at);
}

/** What marks a place of the time line, in px. */
export interface FigureMoment {
  readonly rings: readonly (Moment["rings"][number] & { readonly isLarge: boolean })[];
  readonly cursors: readonly { readonly placed: Placed; readonly x: number }[];
}

/** Returns rings around the snapshots at a place of the time line, in every panel, and upright lines in curves. */
export function figureMoment(
  { figure, panels }: Pick<FigureLayout, "figure" | "panels">,
  place: number,
): FigureMoment {
  const snapshots = figure.runs.map((run) => snapshotAt(run, figure.progress, place));
  const moments = panels.map((placed) => ({
    placed,
    moment: kindOf(placed.panel).moment?.(placed, place, snapshots) ?? { cursor: null, rings: [] },
    targets: targetsOf(placed).filter(({ run, snapshot }) => snapshots[run] === snapshot),
  }));
  return {
    rings: moments.flatMap(({ moment, targets }) => [
      ...targets.map(({ run, x, y }) => ({ x, y, color: figure.runs[run]?.color ?? null, isLarge: true })),
      ...moment.rings.map((ring) => ({ ...ring, isLarge: false })),
    ]),
    cursors: moments.flatMap(({ placed, moment: { cursor } }) =>
      cursor === null ? [] : [{ placed, x: cursor }],
    ),
  };
}

/** Lines of a run over a panel, in px; what leaves the plot is cut. */
export interface Traces {
  readonly plot: Rect;
  readonly lines: readonly (readonly Place[])[];
}

/** Returns the lines of a run in every panel. */
export function figureTraces({ panels }: Pick<FigureLayout, "panels">, run: number): Traces[] {
  return panels.map((placed) => ({
    plot: placed.rect,
    lines: kindOf(placed.panel).traces?.(placed, run) ?? [],
  }));
}

/**
 * Returns the size in px that a picture of a figure takes.
 *
 * @example const { width, height } = figureSize(figure, { width: 1200 });
 */
export function figureSize(
  figure: Figure,
  options: DrawOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutFigure(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a figure.
 *
 * A pure function of its arguments; everything is placed in px for the given size, so a picture of another
 * size is another option. The same code runs in Node and in the page.
 *
 * @example const size = figureSize(figure, { width: 1200 });
 * const svg = renderSvg(figureOption(figure, size), size);
 */
export function figureOption(figure: Figure, options: DrawOptions = {}): EChartsOption {
  return layoutOption(layoutFigure(figure, options), options);
}

/** Which parts of a picture are drawn: names of layers, "curves", and "furniture" for legend and texts. */
export interface LayoutOptionOptions extends Pick<DrawOptions, "theme"> {
  /** Default everything. */
  readonly isShown?: (name: string) => boolean;
  /** Default the theme's. */
  readonly background?: string | undefined;
}

/** Returns the ECharts option that draws a figure that has been laid out, or parts of it. */
export function layoutOption(
  { figure, panels, legend, texts }: FigureLayout,
  { theme: name, isShown = () => true, background }: LayoutOptionOptions = {},
): EChartsOption {
  const theme = themeOf(name ?? "light");
  const drawings = panels.map((placed): Drawing => kindOf(placed.panel).draw(placed, theme));
  const grids = drawings.flatMap((drawing) => drawing.grids);
  let first = 0;
  const series = drawings.flatMap(({ grids: own, layers, curves = [] }) => {
    const axes = first;
    first += own.length;
    return [
      ...layers
        .filter((layer) => isShown(layer.name))
        .map((layer) => shapesSeries(layer.name, layer.shapes, layer.z, { clip: layer.clip === true, axes })),
      ...(isShown("curves") ? curves : []).map(({ grid: number, series: curve }) => ({
        ...curve,
        xAxisIndex: axes + number,
        yAxisIndex: axes + number,
      })),
    ];
  });
  const furniture = [
    ...legend.flatMap((entry) => legendShapes(entry, figure, theme)),
    ...texts.map((text) => textShape(text, theme)),
  ];
  return {
    animation: false,
    backgroundColor: background ?? theme.background,
    textStyle: { fontFamily: fontStack() },
    grid: grids.map(({ rect }) => grid(rect)),
    xAxis: grids.map(({ x }, gridIndex) => ({ ...x, gridIndex })),
    yAxis: grids.map(({ y }, gridIndex) => ({ ...y, gridIndex })),
    series: [...series, ...(isShown("furniture") ? [shapesSeries("furniture", furniture, 6)] : [])],
  } as EChartsOption;
}

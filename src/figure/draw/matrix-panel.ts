import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { MatrixPanel, PairValues, TablePanel } from "../figure.js";
import { headingRoom, headingTexts, LEAST_WIDTH, type Rect, ticksOf } from "./figure-frame.js";
import { formatNumber } from "./format-number.js";
import {
  BAR_BELOW,
  type ColorKey,
  colorBarShapes,
  type PlacedColorBar,
  placeColorBarBelow,
} from "./legend.js";
import { runColor, type Theme, valueColor } from "./palette.js";
import type { Drawing, PanelKind, Place, Placed, Slot } from "./panel-kind.js";
import { line, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";
import { finiteRange } from "./scales.js";
import { frameShape, hiddenGrid, rectangle, type Shape, textShape, unknownShapes } from "./shapes.js";

/** A heat map at its place: the plot is the square of its cells. */
export interface PlacedMatrix extends Placed<MatrixPanel> {
  /** Width and height of a cell. */
  readonly cell: readonly [width: number, height: number];
  /** Where the names of the rows begin. */
  readonly left: number;
  readonly bars: readonly PlacedColorBar[];
}

const ROW = 28;
const LEAST_ROW = 14;
const WIDEST = 92;
/** Room for the names above the cells. */
const HEADS = 22;
const KEY = 10;
const KEY_ROOM = KEY + 6;
const GAP = 10;
/** Share of the width that names take at most. */
const NAMES_SHARE = 0.36;
/** Steps of a colour bar, fine enough to look continuous. */
const BAR_STEPS = 64;

/**
 * Values between things as a heat map with a cell for each pair: one quantity below the diagonal, another above it.
 * In both, what is near is dark. Cells show their values where there is room, and when they are pointed at.
 */
export const matrixKind: PanelKind<MatrixPanel, PlacedMatrix> = {
  role: "heat map",
  least: LEAST_WIDTH,
  gap: 22,
  naturalWidth: () => 640,
  edges: (panels) => ({
    heading: headingRoom(panels) + HEADS,
    below: panels.some((panel) => keysOf(panel).length > 0) ? GAP + BAR_BELOW : 6,
  }),
  plotHeight: ({ items }) => ({ natural: items.length * ROW, least: items.length * LEAST_ROW }),
  place(panel, figure, slot, options) {
    const { items } = panel;
    const names = widthOfNames(panel, slot);
    const cell = [Math.min(WIDEST, (slot.width - names) / items.length), slot.plot / items.length] as const;
    const rect = {
      x: slot.x + names,
      y: slot.y + slot.heading,
      width: items.length * cell[0],
      height: slot.plot,
    };
    const bars = placeBars(panel, slot, rect);
    return {
      panel,
      figure,
      options,
      rect,
      cell,
      left: slot.x,
      bars: bars.map(({ bar }) => bar),
      texts: [
        ...headingTexts(panel.title, slot),
        ...nameTexts(panel, slot, rect, cell),
        ...bars.flatMap(({ texts }) => texts),
      ],
    };
  },
  legend: () => [],
  draw: drawMatrix,
  targets: () => [],
  readout({ panel, rect, cell }, at) {
    const [column, row] = [Math.floor((at.x - rect.x) / cell[0]), Math.floor((at.y - rect.y) / cell[1])];
    const [a, b] = [panel.items[Math.min(row, column)], panel.items[Math.max(row, column)]];
    if (a === undefined || b === undefined || row === column) return null;
    const rows = [panel.below, panel.above].map(({ quantity, values }): [string, string] => [
      quantity,
      shownText(values[row * panel.items.length + column], 4),
    ]);
    return { ...at, readout: { heading: `${a.title} and ${b.title}`, rows } };
  },
};

/** Returns the values of a heat map as a table: a row for each of its things and each of its two quantities. */
export function matrixTable({ title, items, below, above }: MatrixPanel): TablePanel {
  const count = items.length;
  const rowsOf = ({ phrase, values }: PairValues, definition: number) =>
    items.map((item, i) => ({
      name: `${phrase} ${item.title}`,
      unit: "",
      definition,
      cells: items.map((_, j) => {
        const value = decodeNumber(values[i * count + j] ?? null);
        if (i === j || Number.isNaN(value)) return { text: NOTHING, value: null, range: null };
        return { text: formatNumber(value), value: values[i * count + j] ?? null, range: null };
      }),
    }));
  return {
    kind: "table",
    title,
    rowTitle: "Quantity",
    columns: items,
    groups: [{ title, rows: [...rowsOf(below, 0), ...rowsOf(above, 1)] }],
    definitions: [below.definition, above.definition],
  };
}

const NOTHING = "–";

function shownText(value: JsonNumber | null | undefined, digits: number): string {
  const known = decodeNumber(value ?? null);
  return Number.isNaN(known) ? NOTHING : formatNumber(known, digits);
}

/** Room for the names of the rows with their colours, cut where they are long. */
function widthOfNames(panel: MatrixPanel, { width }: Pick<Slot, "width">): number {
  const widest = Math.max(...panel.items.map((_, i) => textWidth(rowName(panel, i), TICK_SIZE)));
  return Math.ceil(Math.min(widest + KEY_ROOM + GAP, width * NAMES_SHARE));
}

/** Rows are numbered, and columns have the number: names hardly ever fit above a cell. */
function rowName({ items }: MatrixPanel, index: number): string {
  return `${index + 1}  ${items[index]?.title ?? ""}`;
}

function nameTexts(
  panel: MatrixPanel,
  slot: Slot,
  rect: Rect,
  [width, height]: PlacedMatrix["cell"],
): PlacedText[] {
  const room = rect.x - slot.x - KEY_ROOM - GAP;
  // Numbers above narrow cells keep their distance.
  const every = Math.ceil((textWidth(String(panel.items.length), TICK_SIZE) + 4) / width);
  return panel.items.flatMap((_, i) => {
    const name = truncateText(rowName(panel, i), TICK_SIZE, room);
    const y = rect.y + (i + 0.5) * height;
    const own = line(name, slot.x + KEY_ROOM, y, { align: "left", size: TICK_SIZE });
    if (i % every !== 0) return [own];
    const head = line(String(i + 1), rect.x + (i + 0.5) * width, rect.y - HEADS / 2, { size: TICK_SIZE });
    return [own, head];
  });
}

/** Colours of the two quantities; of one that is the same everywhere there is nothing to read off. */
function keysOf({ below, above, items }: MatrixPanel): ColorKey[] {
  return [
    { half: below, where: "below" },
    { half: above, where: "above" },
  ].flatMap(({ half, where }) => {
    const range = rangeOf(half, items.length);
    if (range === null || range[0] === range[1]) return [];
    const colors = Array.from({ length: BAR_STEPS }, (_, i) =>
      valueColor(half.isNearHigh ? 1 - (i + 0.5) / BAR_STEPS : (i + 0.5) / BAR_STEPS),
    );
    const marks = ticksOf(range, 4).map(({ value }) => ({
      value,
      share: (value - range[0]) / (range[1] - range[0]),
    }));
    return [{ title: `${where}: ${half.quantity}`, kind: "linear" as const, colors, marks }];
  });
}

/** Least and greatest value between two different things. */
function rangeOf({ values }: PairValues, count: number): readonly [number, number] | null {
  return finiteRange(
    values.map((value, index) => (index % (count + 1) === 0 ? Number.NaN : decodeNumber(value))),
  );
}

/** Bars beside each other under names and cells. */
function placeBars(panel: MatrixPanel, { x }: Place, rect: Rect) {
  const keys = keysOf(panel);
  const whole = rect.x + rect.width - x;
  const width = (whole - 24 * (keys.length - 1)) / Math.max(1, keys.length);
  return keys.map((key, i) => {
    const plot = { x: x + i * (width + 24), y: rect.y, width, height: rect.height };
    return placeColorBarBelow(key, plot, GAP);
  });
}

function drawMatrix({ panel, rect, cell, left, bars }: PlacedMatrix, theme: Theme): Drawing {
  const { items } = panel;
  const count = items.length;
  const [width, height] = cell;
  const ranges = [rangeOf(panel.below, count), rangeOf(panel.above, count)] as const;
  const numbers = [panel.below, panel.above].flatMap(({ values }) => values.map((one) => shownText(one, 3)));
  const isWide = height >= TICK_SIZE + 4 && numbers.every((text) => textWidth(text, TICK_SIZE) <= width - 6);
  const cells = items.flatMap((_, i) =>
    items.flatMap((_, j): Shape[] => {
      const place = { x: rect.x + j * width, y: rect.y + i * height, width, height };
      if (i === j) return [rectangle(place, theme.faint)];
      const half = j < i ? panel.below : panel.above;
      const range = ranges[j < i ? 0 : 1];
      const value = decodeNumber(half.values[i * count + j] ?? null);
      if (!Number.isFinite(value) || range === null) return unknownShapes(place, theme);
      const share = range[1] > range[0] ? (value - range[0]) / (range[1] - range[0]) : 0.5;
      const nearness = half.isNearHigh ? 1 - share : share;
      const filled = rectangle(place, valueColor(nearness), { stroke: theme.background, lineWidth: 1 });
      if (!isWide) return [filled];
      const text = line(shownText(half.values[i * count + j], 3), place.x + width / 2, place.y + height / 2, {
        size: TICK_SIZE,
      });
      return [filled, textShape(text, { ...theme, text: inkOn(nearness) })];
    }),
  );
  const keys = items.flatMap(({ color }, i) =>
    color === null
      ? []
      : [
          rectangle(
            { x: left, y: rect.y + (i + 0.5) * height - KEY / 2, width: KEY, height: KEY },
            runColor(color, theme),
          ),
        ],
  );
  return {
    grids: [hiddenGrid(rect, theme)],
    layers: [
      { name: "cells", z: 2, shapes: [...cells, ...keys, frameShape(rect, theme)] },
      { name: "bars", z: 3, shapes: bars.flatMap((bar) => colorBarShapes(bar, theme)) },
    ],
  };
}

/** Letters over a colour of {@link valueColor} with a contrast of at least 4.5 : 1. */
function inkOn(position: number): string {
  return position < 0.43 ? "#ffffff" : "#000000";
}

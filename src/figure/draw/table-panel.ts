import type { TableCell, TablePanel, TableRow } from "../figure.js";
import { LEAST_WIDTH, type Rect } from "./figure-frame.js";
import type { FontWeight } from "./font.js";
import { formatSuperscript } from "./format-number.js";
import { runColor, type Theme } from "./palette.js";
import type { Drawing, PanelKind, Placed } from "./panel-kind.js";
import { line, type PlacedText, textWidth, wrapText } from "./placed-text.js";
import { hiddenGrid, rectangle, stroke } from "./shapes.js";

/** The colour of a column, beside its title. */
interface PlacedKey {
  readonly color: number;
  readonly rect: Rect;
}

/** A table at its place. */
export interface PlacedTable extends Placed<TablePanel> {
  readonly keys: readonly PlacedKey[];
  /** Horizontal rules: the strong ones under the head and at the end. */
  readonly rules: readonly { readonly y: number; readonly isStrong: boolean }[];
  /** Where rules begin and end. */
  readonly edges: readonly [left: number, right: number];
}

const SIZE = 13;
const LINE = 18;
/** Room above and below the lines of a row. */
const ROOM = 4;
/** Room between columns. */
const GAP = 18;
const KEY = 10;
const LEAST_COLUMN = 44;

/**
 * Tables of numbers: HTML on a page, shapes elsewhere. Texts that are wider than their column are wrapped, so
 * that nothing overlaps and nothing is cut.
 */
export const tableKind: PanelKind<TablePanel, PlacedTable> = {
  role: "table",
  least: LEAST_WIDTH,
  gap: 22,
  naturalWidth(panels) {
    const widths = panels.map((panel) => {
      const natural = naturalWidths(panel);
      return natural.reduce((sum, part) => sum + part, 0) + GAP * (natural.length - 1);
    });
    return Math.max(640, Math.ceil(Math.max(...widths)) + 40);
  },
  leastWidth: (panels) =>
    Math.max(...panels.map(({ columns }) => 24 + (LEAST_COLUMN + GAP) * (columns.length + 2))),
  edges: () => ({ heading: 0, below: 6 }),
  plotHeight(panel, _figure, { width }) {
    const height = Math.ceil(bodyOf(panel, 0, 0, width).bottom);
    return { natural: height, least: height };
  },
  place(panel, figure, { x, y, width, plot }, options) {
    const { columns, ...body } = bodyOf(panel, x, y, width);
    return {
      panel,
      figure,
      options,
      rect: { x, y, width, height: plot },
      ...body,
      edges: [x, (columns[columns.length - 1] as Column).right],
    };
  },
  legend: () => [],
  draw: drawTable,
  targets: () => [],
  readout: () => null,
  paragraphs: ({ definitions }) =>
    definitions.map((text, index) => `${formatSuperscript(index + 1)} ${text}`),
  isHtml: true,
};

function bodyOf(panel: TablePanel, x: number, y: number, width: number) {
  const columns = placeColumns(fitWidths(naturalWidths(panel), width), x);
  return { columns, ...layoutBody(panel, columns, y) };
}

function weightOf(cell: TableCell | undefined): FontWeight {
  return cell?.isBest === true ? "semibold" : "regular";
}

/** Name, unit and number of the definition of a row. */
function nameOf({ name, unit, definition }: TableRow): string {
  const note = definition === null ? "" : ` ${formatSuperscript(definition + 1)}`;
  return `${name}${unit === "" ? "" : ` (${unit})`}${note}`;
}

/** Width of each column if nothing is wrapped. */
function naturalWidths({ rowTitle, columns, groups }: TablePanel): number[] {
  const rows = groups.flatMap((group) => group.rows);
  const names = [
    textWidth(rowTitle, SIZE, "semibold"),
    ...groups.map(({ title }) => textWidth(title, SIZE, "semibold")),
    ...rows.map((row) => textWidth(nameOf(row), SIZE)),
  ];
  const values = columns.map(({ title, color }, c) =>
    Math.max(
      textWidth(title, SIZE, "semibold") + (color === null ? 0 : KEY + 6),
      ...rows.map(({ cells }) => textWidth(cells[c]?.text ?? "", SIZE, weightOf(cells[c]))),
    ),
  );
  return [Math.max(...names), ...values].map((part) => part + 1);
}

/** Widths that fit: the natural ones, else the names' cut to two fifths and the rest shared evenly. */
function fitWidths(natural: readonly number[], inner: number): number[] {
  const [names = 0, ...values] = natural;
  const room = inner - GAP * values.length;
  const wanted = names + values.reduce((sum, part) => sum + part, 0);
  if (wanted <= room) {
    const extra = (room - wanted) / Math.max(1, values.length);
    return [names, ...values.map((part) => part + Math.min(extra, 60))];
  }
  const first = Math.min(names, Math.max(LEAST_COLUMN * 2, room * 0.4));
  const rest = values.reduce((sum, part) => sum + part, 0);
  const even = (room - first) / values.length;
  const isEnough = rest <= room - first;
  return [first, ...values.map((part) => (isEnough ? part : even))];
}

interface Column {
  readonly left: number;
  readonly right: number;
}

function placeColumns(widths: readonly number[], left: number): Column[] {
  let x = left;
  return widths.map((width) => {
    const column = { left: x, right: x + width };
    x += width + GAP;
    return column;
  });
}

function layoutBody(figure: TablePanel, columns: readonly Column[], top: number) {
  const texts: PlacedText[] = [];
  const keys: PlacedKey[] = [];
  const rules: { y: number; isStrong: boolean }[] = [];
  let y = top;
  /** Sets a row of texts, each wrapped in its column, and moves on below it. */
  const row = (
    cells: readonly string[],
    weights: readonly FontWeight[],
    reserve: readonly number[] = [],
  ): void => {
    const wrapped = cells.map((text, c) => {
      const { left, right } = columns[c] as Column;
      return wrapText(text, SIZE, right - left - (reserve[c] ?? 0), { weight: weights[c] });
    });
    wrapped.forEach((lines, c) => {
      const { left, right } = columns[c] as Column;
      const weight = weights[c] as FontWeight;
      lines.forEach((text, i) => {
        const at = y + ROOM + LINE * (i + 0.5);
        texts.push(
          line(text, c === 0 ? left : right, at, { align: c === 0 ? "left" : "right", size: SIZE, weight }),
        );
        const color = c === 0 || i > 0 || (reserve[c] ?? 0) === 0 ? null : figure.columns[c - 1]?.color;
        if (color === null || color === undefined) return;
        const x = right - textWidth(text, SIZE, weight) - 6 - KEY;
        keys.push({ color, rect: { x, y: at - KEY / 2, width: KEY, height: KEY } });
      });
    });
    y += LINE * Math.max(1, ...wrapped.map(({ length }) => length)) + 2 * ROOM;
  };
  const reserve = [0, ...figure.columns.map(({ color }) => (color === null ? 0 : KEY + 6))];
  const heads = [figure.rowTitle, ...figure.columns.map(({ title }) => title)];
  row(
    heads,
    heads.map(() => "semibold"),
    reserve,
  );
  rules.push({ y, isStrong: true });
  for (const { title, rows } of figure.groups) {
    y += 6;
    const whole = (columns[columns.length - 1] as Column).right - (columns[0] as Column).left;
    for (const text of wrapText(title, SIZE, whole, { weight: "semibold" })) {
      const at = y + ROOM + LINE / 2;
      texts.push(
        line(text, (columns[0] as Column).left, at, { align: "left", size: SIZE, weight: "semibold" }),
      );
      y += LINE;
    }
    y += 2 * ROOM;
    rows.forEach((entry, index) => {
      if (index > 0) rules.push({ y, isStrong: false });
      row([nameOf(entry), ...entry.cells.map(({ text }) => text)], ["regular", ...entry.cells.map(weightOf)]);
    });
    rules.push({ y, isStrong: true });
  }
  return { texts, keys, rules, bottom: y };
}

function drawTable({ rect, keys, rules, edges }: PlacedTable, theme: Theme): Drawing {
  return {
    grids: [hiddenGrid(rect, theme)],
    layers: [
      {
        name: "table",
        z: 2,
        shapes: [
          ...rules.map(({ y, isStrong }) => {
            const style = { stroke: isStrong ? theme.line : theme.faint, lineWidth: 1 };
            return stroke([edges[0], y], [edges[1], y], style);
          }),
          ...keys.map(({ color, rect: key }) => rectangle(key, runColor(color, theme))),
        ],
      },
    ],
  };
}

import type { TableFigure, TableRow } from "../table-figure.js";
import type { Rect } from "./figure-frame.js";
import { checkHeight, LEAST_WIDTH, layoutFrame, type TrajectoryLayoutOptions } from "./figure-frame.js";
import { formatSuperscript } from "./format-number.js";
import { type FontWeight, line, type PlacedText, textWidth, wrapText } from "./placed-text.js";

/** The colour of a column, beside its title. */
export interface PlacedKey {
  readonly color: number;
  readonly rect: Rect;
}

/** Where everything of a table is. */
export interface TableLayout {
  readonly width: number;
  readonly height: number;
  readonly texts: readonly PlacedText[];
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
 * Returns where everything of a table is. Texts that are wider than their column are wrapped, so that nothing
 * overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width is too small for the columns, or the height for the rows.
 */
export function layoutTable(figure: TableFigure, options: TrajectoryLayoutOptions = {}): TableLayout {
  const natural = naturalWidths(figure);
  const total = natural.reduce((sum, part) => sum + part, 0) + GAP * (natural.length - 1);
  const { caption, provenance } = figure;
  const frame = layoutFrame(
    { title: figure.title, paragraphs: definitionsOf(figure), caption, provenance },
    options.width ?? Math.max(640, Math.ceil(total) + 40),
    options.parts,
    Math.max(LEAST_WIDTH, 24 + (LEAST_COLUMN + GAP) * (figure.columns.length + 2)),
  );
  const { width, padding, inner, headHeight, footHeight } = frame;
  const columns = placeColumns(fitWidths(natural, inner), padding);
  const body = layoutBody(figure, columns, padding + headHeight);
  const needed = Math.ceil(body.bottom + 14 + footHeight + padding);
  checkHeight(options.height, needed);
  const height = options.height ?? needed;
  return {
    width,
    height,
    texts: [...body.texts, ...frame.place(height)],
    keys: body.keys,
    rules: body.rules,
    edges: [padding, (columns[columns.length - 1] as Column).right],
  };
}

function definitionsOf({ definitions }: TableFigure): string[] {
  return definitions.map((text, index) => `${formatSuperscript(index + 1)} ${text}`);
}

/** Name, unit and number of the definition of a row. */
function nameOf({ name, unit, definition }: TableRow): string {
  const note = definition === null ? "" : ` ${formatSuperscript(definition + 1)}`;
  return `${name}${unit === "" ? "" : ` (${unit})`}${note}`;
}

/** Width of each column if nothing is wrapped. */
function naturalWidths({ rowTitle, columns, groups }: TableFigure): number[] {
  const rows = groups.flatMap((group) => group.rows);
  const names = [
    textWidth(rowTitle, SIZE, "semibold"),
    ...groups.map(({ title }) => textWidth(title, SIZE, "semibold")),
    ...rows.map((row) => textWidth(nameOf(row), SIZE)),
  ];
  const values = columns.map(({ title, color }, c) =>
    Math.max(
      textWidth(title, SIZE, "semibold") + (color === null ? 0 : KEY + 6),
      ...rows.map(({ cells }) => textWidth(cells[c]?.text ?? "", SIZE)),
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

function layoutBody(figure: TableFigure, columns: readonly Column[], top: number) {
  const texts: PlacedText[] = [];
  const keys: PlacedKey[] = [];
  const rules: { y: number; isStrong: boolean }[] = [];
  let y = top;
  /** Sets a row of texts, each wrapped in its column, and moves on below it. */
  const row = (cells: readonly string[], weight: FontWeight, reserve: readonly number[] = []): void => {
    const wrapped = cells.map((text, c) => {
      const { left, right } = columns[c] as Column;
      return wrapText(text, SIZE, right - left - (reserve[c] ?? 0), { weight });
    });
    wrapped.forEach((lines, c) => {
      const { left, right } = columns[c] as Column;
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
  row([figure.rowTitle, ...figure.columns.map(({ title }) => title)], "semibold", reserve);
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
      row([nameOf(entry), ...entry.cells.map(({ text }) => text)], "regular");
    });
    rules.push({ y, isStrong: true });
  }
  return { texts, keys, rules, bottom: y };
}

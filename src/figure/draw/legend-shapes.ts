import type { TrajectoryFigure } from "../figure.js";
import { LEGEND_MARK_WIDTH, LEGEND_SIZE, type LegendMark, type LegendRow } from "./legend.js";
import { disc, dropMark, endMark, pointMark, type Shape, startMark } from "./marks.js";
import { textShape } from "./option-parts.js";
import type { Theme } from "./palette.js";
import { runColor, unknownShapes } from "./surface-shapes.js";

/** Returns a row of the legend: each mark with its text. */
export function legendShapes(row: LegendRow, figure: TrajectoryFigure, theme: Theme): Shape[] {
  return row.entries.flatMap(({ mark, text, offset }) => {
    const x = row.x + offset;
    const label = textShape(
      {
        text,
        x: x + LEGEND_MARK_WIDTH,
        y: row.y,
        size: LEGEND_SIZE,
        weight: "regular",
        tone: "text",
        align: "left",
        isVertical: false,
      },
      theme,
    );
    return [...markShapes(mark, x + 12, row.y, figure, theme), label];
  });
}

function markShapes(mark: LegendMark, x: number, y: number, figure: TrajectoryFigure, theme: Theme): Shape[] {
  const common = figure.paths.length === 1 ? runColor(0, theme) : theme.line;
  switch (mark.kind) {
    case "start":
      return startMark(x, y, common, theme);
    case "end":
      return endMark(x, y, common, theme);
    case "point":
      return pointMark(x, y, 3.8, common, theme);
    case "drop":
      return dropMark(x, y, figure.paths.length === 1 ? null : common, theme);
    case "plane":
      return [stroke(x, y, common, 3.2)];
    case "own":
      return [stroke(x, y, common, 1.5), disc(x, y, 3.4, common), disc(x, y, 1.9, theme.background)];
    case "gap":
      return [stroke(x, y, theme.muted, 1)];
    case "unknown":
      return unknownShapes({ x: x - 8, y: y - 6, width: 16, height: 12 }, theme);
    case "run":
      return [
        stroke(x, y, runColor(mark.index, theme), 2.4),
        ...pointMark(x, y, 3.8, runColor(mark.index, theme), theme),
      ];
  }
}

function stroke(x: number, y: number, color: string, lineWidth: number): Shape {
  return {
    type: "line",
    shape: { x1: x - 10, y1: y, x2: x + 10, y2: y },
    style: { stroke: color, lineWidth },
    silent: true,
  };
}

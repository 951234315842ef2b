import { cleanText } from "../../base/clean-text.js";
import { barriersOf } from "../../between/barrier.js";
import type { Connection } from "../../between/connection.js";
import type { PathLosses } from "../../between/path-losses.js";
import { counted, formatNumber } from "../draw/format-number.js";
import type { Figure } from "../figure.js";
import { chartOf, quantityPanel, seriesOf } from "./chart-parts.js";
import { EMPTY_CELL, groupOf, numberCell, rowOf, tableOf, textCell } from "./table-parts.js";

/** A pair of solutions as a tree shows it. */
export interface TreeFigureEdge {
  readonly connection: Connection;
  /** The path of lowest largest loss. */
  readonly path: PathLosses;
  readonly height: number;
  readonly isInTree: boolean;
}

/**
 * Returns the loss along the best path of each pair in a spanning tree of solutions, and a table of all pairs that were
 * looked at.
 *
 * @param names - the solutions, in their order.
 * @example const figure = createTreeFigure(names, edges);
 */
export function createTreeFigure(
  names: readonly string[],
  edges: readonly TreeFigureEdge[],
  options: { readonly title?: string | undefined; readonly dataName?: string | undefined } = {},
): Figure {
  const inTree = edges.filter(({ isInTree }) => isInTree);
  const nameOf = ({ connection }: TreeFigureEdge) => connection.names.join(" to ");
  const set = edges[0]?.path.values[0]?.set ?? "train";
  const panel = quantityPanel("loss", "error", "share of the path", (of) =>
    inTree.map((edge, color) => {
      const { arcLength, t, values } = edge.path;
      const whole = arcLength[arcLength.length - 1];
      const share = whole > 0 ? arcLength.map((length) => length / whole) : t;
      return seriesOf(nameOf(edge), color, share, values[0].loss.map(of));
    }),
  );
  const highest = inTree.reduce((most, { height }) => Math.max(most, height), Number.NEGATIVE_INFINITY);
  const chart = chartOf(options.title ?? `A tree over ${counted(names.length, "solution")}`, [panel], {
    columns: 1,
    caption: [
      `Loss on ${set} along the lowest known path of each pair in the minimum spanning tree; ${counted(edges.length, "pair")} of ${(names.length * (names.length - 1)) / 2} looked at.`,
      `Between any two of the solutions there is a path, by way of others, whose largest loss is at most ${formatNumber(highest, 3)}.`,
    ],
    provenance: options.dataName ?? "",
  });
  const lineOf = ({ connection }: TreeFigureEdge) =>
    connection.paths.filter(({ name }) => name === "line").map((path) => barriersOf(path)[0].loss.maximum);
  const table = tableOf(
    "",
    edges.map((edge) => ({ title: cleanText(nameOf(edge)), color: null })),
    groupOf(cleanText(set), [
      rowOf(
        "largest loss along the line",
        edges.map((edge) => {
          const values = lineOf(edge).filter((value) => !Number.isNaN(value));
          return values.length === 0 ? EMPTY_CELL : numberCell(Math.min(...values));
        }),
      ),
      rowOf(
        "largest loss along the lowest path",
        edges.map(({ height }) => numberCell(height)),
      ),
      rowOf(
        "lowest path",
        edges.map(({ path }) => textCell(path.name)),
      ),
      rowOf(
        "in the tree",
        edges.map(({ isInTree }) => textCell(isInTree ? "yes" : "no")),
      ),
    ]),
    "Pairs",
  );
  return {
    ...chart,
    panels: [...chart.panels, table],
    description: `${chart.description} A table of pairs.`,
  };
}

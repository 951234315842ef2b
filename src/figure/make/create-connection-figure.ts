import { cleanText } from "../../base/clean-text.js";
import { condenseWarnings } from "../../base/warning.js";
import { barriersOf } from "../../between/barrier.js";
import type { Connection } from "../../between/connection.js";
import type { PathLosses, PathPolicy } from "../../between/path-losses.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import type { CurvesPanel, Figure, TablePanel } from "../figure.js";
import { type AccuracyForm, chartOf, quantityOf, quantityPanel, seriesOf } from "./chart-parts.js";
import { countCell, EMPTY_CELL, groupOf, numberCell, rowOf, shareCell, tableOf } from "./table-parts.js";

/** Options of {@link createConnectionFigure}. */
export interface ConnectionFigureOptions {
  /** Heading. Default "Between A and B". */
  readonly title?: string | undefined;
  /** Metric in panels of its own, or null for none. Default the first one there is. */
  readonly metric?: string | null | undefined;
  /** Whether an accuracy is shown as the error (default) or as such. */
  readonly accuracyAs?: AccuracyForm | undefined;
  /** Name of the data for the caption. */
  readonly dataName?: string | undefined;
}

const POLICIES: Readonly<Record<PathPolicy, string>> = {
  none: "",
  keep: "batch norm kept",
  interpolate: "batch norm interpolated",
  recalibrate: "batch norm recalibrated",
  repair: "repaired",
};

/**
 * Returns loss and a metric along the paths between two models, against the share of each path's length, and a table
 * of their barriers. With batch normalization there is a row of panels for each policy.
 *
 * @see Entezari et al. 2022; Frankle et al. 2020; Ainsworth et al. 2023.
 * @example const figure = createConnectionFigure(connection);
 */
export function createConnectionFigure(
  connection: Connection,
  options: ConnectionFigureOptions = {},
): Figure {
  const { names, alignment, paths, warnings } = connection;
  const { accuracyAs = "error", dataName } = options;
  const sets = [...new Set(paths.flatMap(({ values }) => values.map(({ set }) => set)))];
  const metrics = paths.flatMap(({ values }) => values.flatMap((one) => Object.keys(one.metrics)));
  const metric = options.metric === undefined ? (metrics[0] ?? null) : options.metric;
  const panels = rowsOf(paths).flatMap((row) =>
    ["loss", ...(metric === null ? [] : [metric])].map((quantity) =>
      curvesOf(row, quantity, sets, accuracyAs, names),
    ),
  );
  const chart = chartOf(options.title ?? `Between ${names[0]} and ${names[1]}`, panels, {
    columns: metric === null ? 1 : 2,
    caption: [
      `Loss along paths from ${names[0]} to ${names[1]}, ${pointsOf(paths)}.`,
      sets.length > 1 ? `Solid: ${sets[0]}; dashed: ${sets.slice(1).join(", ")}.` : "",
      ...matchingSentences(connection),
      ...barrierSentences(paths),
    ],
    provenance: dataName ?? "",
    notes: condenseWarnings(warnings).map(({ message }) => message),
  });
  const table = barrierTable(paths, alignment);
  return {
    ...chart,
    panels: [...chart.panels, table],
    description: `${chart.description} A table of barriers.`,
  };
}

/** How many points the paths have. */
function pointsOf(paths: readonly PathLosses[]): string {
  const count = paths[0]?.t.length ?? 0;
  const curve = paths.find(({ name, t }) => name === "curve" && t.length !== count);
  return curve === undefined
    ? `${count} points each`
    : `${count} points each, ${curve.t.length} of the curve`;
}

/** Paths under one policy of batch norm each; repaired ones beside those without statistics. */
function rowsOf(paths: readonly PathLosses[]): PathLosses[][] {
  const policies = [...new Set(paths.map(({ policy }) => (policy === "repair" ? "none" : policy)))];
  return policies.map((policy) =>
    paths.filter((path) => (path.policy === "repair" ? "none" : path.policy) === policy),
  );
}

function curvesOf(
  paths: readonly PathLosses[],
  quantity: string,
  sets: readonly string[],
  accuracyAs: AccuracyForm,
  names: Connection["names"],
): CurvesPanel {
  const x = cleanText(`share of the path from ${names[0]} to ${names[1]}`);
  const panel = quantityPanel(quantity, accuracyAs, x, (of) =>
    paths.flatMap((path, color) =>
      path.values.flatMap(({ set, loss, metrics }) => {
        const values = quantity === "loss" ? loss : metrics[quantity];
        if (values === undefined) return [];
        const name = path.policy === "repair" ? `${path.name}, repaired` : path.name;
        const whole = path.arcLength[path.arcLength.length - 1];
        const share = whole > 0 ? path.arcLength.map((length) => length / whole) : path.t;
        const label = sets.length > 1 ? `${name}, ${set}` : name;
        return [seriesOf(label, color, share, values.map(of), { isDashed: sets.indexOf(set) > 0 })];
      }),
    ),
  );
  const policy = POLICIES[paths[0]?.policy ?? "none"];
  return policy === "" ? panel : { ...panel, title: `${panel.title}, ${policy}` };
}

function matchingSentences({ alignment, names }: Connection): string[] {
  if (alignment === null) return [];
  const { method, moved, units, distance } = alignment;
  const apart = `${formatNumber(distance.before, 4)} to ${formatNumber(distance.after, 4)}`;
  return [
    `Aligned: units of ${names[1]} matched to those of ${names[0]} by ${method}; ${formatCount(moved)} of ` +
      `${formatCount(units)} moved; distance from ${apart}.`,
  ];
}

/** How far the matching lowers the barrier on the first set, under each policy. */
function barrierSentences(paths: readonly PathLosses[]): string[] {
  return rowsOf(paths).flatMap((row) => {
    const line = row.find(({ name }) => name === "line");
    const aligned = row.find(({ name, policy }) => name === "aligned line" && policy !== "repair");
    if (line === undefined || aligned === undefined) return [];
    const [before, after] = [line, aligned].map((path) => barriersOf(path)[0].loss.aboveLine);
    const policy = POLICIES[line.policy];
    const lowered = before > 0 ? ` (${formatPercent(1 - after / before)} less)` : "";
    const apart = `${formatNumber(before, 3)} to ${formatNumber(after, 3)}`;
    return [
      `Barrier above the line between the ends${policy === "" ? "" : `, ${policy}`}: ${apart}${lowered}.`,
    ];
  });
}

const ABOVE_LINE =
  "Barrier: the largest height of the path above the straight line between the values of its ends (Entezari et al.).";
const ABOVE_MEAN = "Above the mean: the largest value minus the mean of the ends (Frankle et al.).";

function barrierTable(paths: readonly PathLosses[], alignment: Connection["alignment"]): TablePanel {
  const barriers = paths.map((path) => barriersOf(path));
  const sets = [...new Set(barriers.flatMap((one) => one.map(({ set }) => set)))];
  const groups = sets.flatMap((set) => {
    const own = barriers.map((one) => one.find((barrier) => barrier.set === set));
    const errors = [...new Set(own.flatMap((one) => Object.keys(one?.errors ?? {})))];
    return groupOf(cleanText(set), [
      rowOf(
        "loss at the start",
        own.map((one) => numberCell(one?.loss.ends[0] ?? null)),
      ),
      rowOf(
        "loss at the end",
        own.map((one) => numberCell(one?.loss.ends[1] ?? null)),
      ),
      rowOf(
        "largest loss",
        own.map((one) => numberCell(one?.loss.maximum ?? null)),
      ),
      rowOf(
        "barrier of the loss",
        own.map((one) => numberCell(one?.loss.aboveLine ?? null)),
        { definition: ABOVE_LINE },
      ),
      rowOf(
        "loss above the mean",
        own.map((one) => numberCell(one?.loss.aboveMean ?? null)),
        { definition: ABOVE_MEAN },
      ),
      ...errors.flatMap((name) => {
        const { title } = quantityOf(name, "error");
        return [
          rowOf(
            `largest ${title}`,
            own.map((one) => shareCell(one?.errors[name]?.maximum ?? null)),
          ),
          rowOf(
            `barrier of the ${title}`,
            own.map((one) => shareCell(one?.errors[name]?.aboveLine ?? null)),
            { definition: ABOVE_LINE },
          ),
        ];
      }),
    ]);
  });
  const isAligned = ({ name }: PathLosses) => name === "aligned line";
  const matched =
    alignment === null
      ? []
      : groupOf("models", [
          rowOf(
            "distance",
            paths.map((path) =>
              numberCell(isAligned(path) ? alignment.distance.after : alignment.distance.before),
            ),
          ),
          rowOf(
            "units moved",
            paths.map((path) => (isAligned(path) ? countCell(alignment.moved) : EMPTY_CELL)),
          ),
        ]);
  const columns = paths.map(({ name, policy }) => ({
    title: cleanText(POLICIES[policy] === "" ? name : `${name}, ${POLICIES[policy]}`),
    color: null,
  }));
  return tableOf("", columns, [...groups, ...matched], "Barriers");
}

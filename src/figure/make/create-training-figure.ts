import { InvalidDataError } from "../../base/errors.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import type { Figure, Series } from "../figure.js";
import {
  type AccuracyForm,
  AFTER_CHANGE,
  chartOf,
  curveNames,
  dropMarks,
  quantityPanel,
  seriesOf,
} from "./chart-parts.js";
import { placesOf } from "./run-data.js";

/** A run's name and its snapshots. */
export interface RunCurves {
  readonly name: string;
  readonly snapshots: readonly SnapshotInfo[];
  /** Steps from which on another loss was logged: see `lossChanges`; its curve is then another. Default none. */
  readonly lossChanges?: readonly number[] | undefined;
}

/** Options of {@link createTrainingFigure}. */
export interface TrainingFigureOptions {
  /** Heading. Default "Training". */
  readonly title?: string;
  /** Whether an accuracy is shown as the error (default, as in the paper) or as such. */
  readonly accuracyAs?: AccuracyForm;
}

/**
 * Returns training (solid) and validation (dashed) curves of what `fit` logged: loss, and error in percent,
 * by epoch. Losses logged by `fit` are means over changing weights in training mode, regularization
 * included: they are not the loss of any snapshot.
 *
 * @throws {@link InvalidDataError} if no snapshot has logs.
 * @see Li et al. 2018, figures 16 and 17.
 * @example const figure = createTrainingFigure([{ name: "SGD", snapshots: run.snapshots }]);
 */
export function createTrainingFigure(
  runs: readonly RunCurves[],
  options: TrainingFigureOptions = {},
): Figure {
  const { title = "Training", accuracyAs = "error" } = options;
  const names = [
    ...new Set(runs.flatMap(({ snapshots }) => snapshots.flatMap(({ logs }) => Object.keys(logs)))),
  ];
  const quantities = names.filter((name) => !name.startsWith("val_"));
  if (quantities.length === 0) throw new InvalidDataError("runs", "snapshots with logs", "none");
  const marks = dropMarks(runs);
  const panels = quantities.slice(0, 6).map((quantity) =>
    quantityPanel(
      quantity,
      accuracyAs,
      "epoch",
      (of) =>
        runs.flatMap((run, color) => {
          const named = (kind: string, isDashed: boolean) =>
            runs.length > 1
              ? curveNames(run.name, isDashed ? kind : "", { runs: runs.length, isDashed })
              : { name: kind };
          return [
            ...curve(run, quantity, of, color, { ...named("training", false), isDashed: false }),
            ...curve(run, `val_${quantity}`, of, color, { ...named("validation", true), isDashed: true }),
          ];
        }),
      marks,
    ),
  );
  return chartOf(title, panels, {
    columns: 2,
    caption: [
      "As logged during training: means over changing weights, with dropout and regularization as trained.",
      names.some((name) => name.startsWith("val_")) ? "Solid: training; dashed: validation." : "",
    ],
  });
}

/** A logged value by epoch; where the loss was changed, a curve for each loss. */
function curve(
  { snapshots, lossChanges = [] }: RunCurves,
  key: string,
  of: (value: number) => number,
  color: number,
  { name, ...parts }: Pick<Series, "name" | "key" | "isDashed">,
): Series[] {
  const isLoss = key === "loss" || key === "val_loss";
  const starts = [0, ...(isLoss ? placesOf(snapshots, lossChanges) : [])];
  return starts.flatMap((start, i) => {
    const logged = snapshots.slice(start, starts[i + 1]).filter(({ logs }) => Object.hasOwn(logs, key));
    if (logged.length === 0) return [];
    const x = logged.map(({ epoch }) => epoch);
    const y = logged.map(({ logs }) => of(logs[key] as number));
    if (i === 0) return [seriesOf(name, color, x, y, parts)];
    const after = parts.key === undefined ? {} : { key: `${parts.key}${AFTER_CHANGE}` };
    return [seriesOf(`${name}${AFTER_CHANGE}`, color, x, y, { ...parts, ...after })];
  });
}

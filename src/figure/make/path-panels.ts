import type { JsonNumber } from "../../base/json.js";
import {
  AS_TRAINED_LOSS,
  type CurvesAxis,
  type CurvesPanel,
  columnOf,
  comparedLoss,
  HELD_SHARE,
  LEARNING_RATE,
  type Path,
  PLANE_LOSS,
  type Progress,
  type RunData,
  type Series,
  type UprightMark,
} from "../figure.js";
import { autoAxis, MOST_DROPS } from "./chart-parts.js";
import { loggedName } from "./run-data.js";

/** Runs with their paths, and what their time axis counts. */
export interface PathFacts {
  readonly runs: readonly RunData[];
  readonly paths: readonly Path[];
  readonly progress: Progress;
}

/**
 * Returns the panels beside a map of paths: losses along the path (those of the snapshots solid, those of the
 * plane dashed, the gap between them filled) where any is known, and the share of the squared distance to the
 * centre that the plane holds. Where the plane has recalibrated batch-norm statistics, the losses of the snapshots
 * are recalibrated too, and those as trained stand beside them, dotted.
 */
export function fidelityPanels(facts: PathFacts): CurvesPanel[] {
  const losses = facts.runs.flatMap((run, index) => {
    const own = comparedLoss(run);
    return [
      ...seriesOf(facts, index, own, own, { band: gapOf(run) }),
      ...seriesOf(facts, index, PLANE_LOSS, PLANE_LOSS, { isDashed: true }),
      ...seriesOf(facts, index, AS_TRAINED_LOSS, AS_TRAINED_LOSS, { isDotted: true }),
    ];
  });
  const shares = facts.runs.flatMap((_, index) =>
    seriesOf(facts, index, HELD_SHARE, HELD_SHARE, { key: null, isHidden: isCenterOf(facts, index) }),
  );
  const share = { title: "", scale: "percent", min: 0, max: 1, ticks: [0, 0.25, 0.5, 0.75, 1] } as const;
  const loss = { title: "", scale: autoAxis("", losses).scale } as const;
  return [
    ...(losses.length === 0 ? [] : [panelOf(facts, "Loss along the path", loss, losses)]),
    panelOf(facts, "Squared distance held by the plane", share, shares),
  ];
}

/**
 * Returns what a page shows besides: the loss that training logged, with validation dashed, and the learning
 * rate, both along the time line; those that are known.
 */
export function progressPanels(facts: PathFacts): CurvesPanel[] {
  const each = (column: string, name: string, parts: SeriesParts = {}): Series[] =>
    facts.runs.flatMap((_, index) => seriesOf(facts, index, column, name, { ...parts, isSparse: true }));
  const losses = [
    ...each(loggedName("loss"), "training", { key: null }),
    ...each(loggedName("val_loss"), "validation", { isDashed: true }),
  ];
  const rates = each(LEARNING_RATE, "learning rate", { key: null });
  const panels = [
    ...(losses.length === 0
      ? []
      : [panelOf(facts, "Loss while training", autoAxis("logged loss", losses), losses)]),
    ...(rates.length === 0 ? [] : [panelOf(facts, "Learning rate", autoAxis("learning rate", rates), rates)]),
  ];
  return panels.map((panel) => ({ ...panel, only: "page" }));
}

function panelOf(facts: PathFacts, title: string, left: CurvesAxis, series: readonly Series[]): CurvesPanel {
  const { progress } = facts;
  const x = { title: progress, scale: "count" } as const;
  return { kind: "curves", title, x, left, right: null, series, marks: dropsOf(facts) };
}

interface SeriesParts {
  readonly isDashed?: boolean;
  readonly isDotted?: true;
  /** Joins the snapshots that have a value over those that have none: not every one has been logged. */
  readonly isSparse?: boolean;
  readonly key?: null;
  readonly band?: Series["band"];
  /** Snapshots that are left out. */
  readonly isHidden?: (snapshot: number) => boolean;
}

/** A column of a run as a curve over the time line; none where nothing is known. */
function seriesOf(
  { runs, progress }: PathFacts,
  index: number,
  column: string,
  name: string,
  { isDashed = false, isDotted, isSparse = false, key, band = null, isHidden = () => false }: SeriesParts,
): Series[] {
  const run = runs[index] as RunData;
  const values = columnOf(run, column);
  if (values === null) return [];
  const snapshots = values.flatMap((value, i) => (value === null || value === "NaN" ? [] : [i]));
  if (snapshots.length === 0) return [];
  const shown = isSparse ? snapshots : values.map((_, i) => i);
  return [
    {
      name: runs.length === 1 ? name : `${run.name}, ${name}`,
      key: key === null ? null : name,
      color: run.color,
      isDashed,
      ...(isDotted && { isDotted }),
      axis: "left",
      shape: "line",
      x: shown.map((i) => run[progress][i] as number),
      y: shown.map((i): JsonNumber => (isHidden(i) ? "NaN" : (values[i] ?? "NaN"))),
      band,
      link: { run: index, snapshots: shown },
    },
  ];
}

/** The band between the loss of the plane and that of the snapshots which it is compared with. */
function gapOf(run: RunData): Series["band"] {
  const [own, plane] = [columnOf(run, comparedLoss(run)), columnOf(run, PLANE_LOSS)];
  if (own === null || plane === null) return null;
  return { low: own.map((value) => value ?? "NaN"), high: plane.map((value) => value ?? "NaN") };
}

/** The snapshot that is the centre itself: its share is 0/0, and the 1 that stands for it would look like a leap. */
function isCenterOf({ runs, paths }: PathFacts, index: number): (snapshot: number) => boolean {
  const at = paths.find(({ run }) => run === index)?.at ?? [];
  const distance = columnOf(runs[index] as RunData, "distance to the plane");
  if (at.length < 2) return () => false;
  return (i) => at[i]?.[0] === 0 && at[i]?.[1] === 0 && distance?.[i] === 0;
}

/** Upright lines where the learning rate had dropped, in any of the runs; none where it falls all the time. */
function dropsOf({ runs, progress }: PathFacts): UprightMark[] {
  const places = runs.flatMap((run) => run.drops.map((i) => run[progress][i] as number));
  const drops = [...new Set(places)];
  return drops.length > MOST_DROPS ? [] : drops.map((x) => ({ x, label: "", tone: "drop" }));
}

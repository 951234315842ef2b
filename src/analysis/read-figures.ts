import { join } from "node:path";
import { InvalidOptionError, RunStateError } from "../base/errors.js";
import { type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Connection } from "../between/connection.js";
import { readConnection } from "../between/connection-file.js";
import { readCurve } from "../between/curve-file.js";
import { type CurvatureSummary, readCurvaturePart } from "../curvature/curvature-file.js";
import type { Figure } from "../figure/figure.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import { createConnectionFigure } from "../figure/make/create-connection-figure.js";
import { withConvexity } from "../figure/make/create-convexity-figure.js";
import { createCurvatureFigure } from "../figure/make/create-curvature-figure.js";
import { createCurveFigure } from "../figure/make/create-curve-figure.js";
import { createLineFigure } from "../figure/make/create-line-figures.js";
import { createStabilityFigure } from "../figure/make/create-stability-figure.js";
import { namesInFolder } from "../store/arrow/regular-file.js";
import { readLineSlice } from "../store/kinds/line-file.js";
import { readStability } from "../store/kinds/stability-file.js";
import { isBeside, listSurfaces, type StoredSurface } from "../store/kinds/stored-surfaces.js";
import { readArtifactFacts } from "../store/results/artifact.js";
import { compareOrder, orderOf, type ResultOrder } from "../store/results/result-order.js";
import type { Run } from "../store/run/run.js";
import { type CurveMap, storedCurveMap } from "./curve-map.js";
import type { FigureOptions } from "./options.js";
import { planeFigure } from "./plane-figure.js";
import { PLANE_KINDS, type PlaneKind } from "./plane-spec.js";
import { type OwnResults, ownResults, readPlane, type StoredPlane, storedConvexity } from "./stored-plane.js";
import { histogramStage, planeAngles, storedStatistics, weightsFigures } from "./weights-stage.js";
import type { NamedFigure } from "./write-report.js";

/** Options of {@link readFigures}. */
export interface ReadFiguresOptions extends Pick<FigureOptions, "title" | "accuracyAs"> {
  /** Name of a stored surface: only that one is drawn. Default the newest of each kind of plane. */
  readonly surface?: string | undefined;
}

/** Figures of what a run directory holds. */
export interface StoredFigures {
  readonly figures: readonly NamedFigure[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Makes the figures of what is stored in a run's directory, evaluating nothing: "plot" (the newest PCA plane with the
 * path), the newest of each other plane, lines, connections, curvature, and weights. Surfaces of other evaluation sets on the same grid stand
 * beside the newest one. Results of weights that the run does not hold any more are left out.
 *
 * @throws {@link RunStateError} if nothing is stored; {@link InvalidOptionError} if there is no surface of that name;
 * {@link FormatError} if a file is damaged.
 * @example const { figures } = await readFigures(await openRun("runs/adam"));
 */
export async function readFigures(run: Run, options: ReadFiguresOptions = {}): Promise<StoredFigures> {
  const own = ownResults(run);
  const stored = await listSurfaces(run.directory);
  if (options.surface !== undefined) return namedSurface(run, stored, options.surface, options);
  const current: StoredSurface[] = [];
  for (const one of stored) if (await own.isOwn(one)) current.push(one);
  const warnings: LandscapeWarning[] = [...run.warnings];
  const planes: NamedFigure[] = [];
  for (const kind of PLANE_KINDS) {
    const newest = current.filter(({ facts }) => facts.plane === kind).at(-1);
    if (newest !== undefined) planes.push(...(await planesLike(run, newest, current, options, warnings)));
  }
  const figures = [
    ...planes.filter(({ name }) => name === "plot"),
    ...(await lineFigures(run, own, options.accuracyAs)),
    ...(await connectionFigures(run, own, options.accuracyAs)),
    ...(await curvatureFigures(run, own)),
    ...(await stabilityFigures(run, planes.find(({ name }) => name === "plot")?.figure)),
    ...(await convexityFigures(run, current, options)),
    ...planes.filter(({ name }) => name !== "plot").sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(await weightFigures(run, options.accuracyAs)),
  ];
  const missing = planes.some(({ name }) => name === "plot") ? null : noAnalysis(run, stored);
  if (missing !== null && figures.length === 0) throw missing;
  return {
    figures,
    warnings: missing === null ? warnings : [...warnings, { code: "no-analysis", message: missing.message }],
  };
}

function noAnalysis(run: Run, stored: readonly StoredSurface[]): RunStateError {
  const got = stored.some(({ facts }) => facts.plane === "pca") ? "one of other snapshots" : "none";
  return new RunStateError(run.directory, "a stored analysis of the run as it is", got, {
    hint: `compute it with: tfjs-landscape surface ${run.directory} --data MODULE`,
  });
}

async function namedSurface(
  run: Run,
  stored: readonly StoredSurface[],
  name: string,
  options: ReadFiguresOptions,
): Promise<StoredFigures> {
  const found = stored.find((one) => one.name === name.replace(/\.arrow$/, ""));
  if (found === undefined) {
    const known = stored.map((one) => one.name).join(", ") || "none";
    throw new InvalidOptionError("surface", `one of ${known}`, JSON.stringify(name));
  }
  const warnings: LandscapeWarning[] = [...run.warnings];
  const plane = await readPlane(run, found);
  if (plane === null) return { figures: [], warnings };
  const figure = figureOf(run, [plane], plane.trajectory !== null, options, warnings);
  return { figures: [{ name: nameOf(found.facts.plane), figure }], warnings };
}

/** The newest surface of a plane, with those of other sets on the same slice and grid. */
async function planesLike(
  run: Run,
  newest: StoredSurface,
  current: readonly StoredSurface[],
  options: ReadFiguresOptions,
  warnings: LandscapeWarning[],
): Promise<NamedFigure[]> {
  const bySet = new Map<string, StoredSurface>([[newest.facts.set, newest]]);
  for (const other of [...current].reverse()) {
    if (!bySet.has(other.facts.set) && isBeside(newest, other)) bySet.set(other.facts.set, other);
  }
  // The training set first.
  const sets = [...bySet.values()].sort(
    (a, b) => Number(b.facts.set === "train") - Number(a.facts.set === "train"),
  );
  const planes: StoredPlane[] = [];
  for (const stored of sets) {
    const plane = await readPlane(run, stored);
    if (plane !== null) planes.push(plane);
  }
  const [first] = planes;
  if (first === undefined) return [];
  const kind = newest.facts.plane;
  const figures: NamedFigure[] = [];
  const hasPath = first.trajectory !== null;
  const isPca = kind === "pca" && hasPath;
  if (isPca) figures.push({ name: "plot", figure: figureOf(run, [first], true, options, warnings) });
  if (!isPca || planes.length > 1) {
    const figure = figureOf(run, planes, hasPath && kind !== "pca", options, warnings);
    figures.push({ name: nameOf(kind === "pca" ? "pca-sets" : kind), figure });
  }
  return figures;
}

function nameOf(kind: string): string {
  return kind === "pca" ? "plot" : `plot-${kind === "pca-sets" ? "pca" : kind}`;
}

function figureOf(
  run: Run,
  planes: readonly StoredPlane[],
  withLosses: boolean,
  { title, accuracyAs }: ReadFiguresOptions,
  warnings: LandscapeWarning[],
) {
  const [first] = planes as readonly [StoredPlane, ...StoredPlane[]];
  const { facts, key, name, version } = first.stored;
  if (version === 1 && key === null) {
    const message = `surfaces/${name}.arrow was written by an earlier version and does not tell what it is of: it is drawn, not reused`;
    warnings.push({ code: "earlier-version", message });
  }
  const { directions, part, trajectory } = first;
  warnings.push(...(trajectory?.warnings ?? []), ...first.surface.warnings, ...(directions?.warnings ?? []));
  const plane = {
    kind: facts.plane as PlaneKind,
    directions,
    labels: facts.labels,
    marks: facts.marks,
    run,
    runs: part === null ? [] : [part],
  };
  const surfaces = planes.map(({ stored, surface }) => ({ set: stored.facts.set, surface }));
  const isPlot = facts.plane === "pca" && withLosses;
  return planeFigure(plane, surfaces, trajectory === null ? [] : [trajectory], {
    ...(isPlot ? { title } : {}),
    accuracyAs,
    names: { data: facts.dataName ?? undefined, loss: facts.lossName ?? undefined },
    batchNorm: facts.batchNorm === "keep" && version === 1 && isPlot ? "none" : facts.batchNorm,
    calibrationSamples: facts.calibrationSamples,
    notes: facts.notes,
    hessian: first.hessian,
  });
}

async function lineFigures(
  run: Run,
  own: OwnResults,
  accuracyAs: AccuracyForm = "accuracy",
): Promise<NamedFigure[]> {
  const figures = new Map<string, NamedFigure>();
  for (const { file, name, provenance } of await storedIn(join(run.directory, "lines"))) {
    const { model0 } = provenance.inputs;
    if (model0 !== undefined && !(await own.isOwnModel(model0))) continue;
    const slice = await readLineSlice(file);
    if (slice === null) continue;
    const plain =
      /^(interpolate-[0-9a-f]{8}-[0-9a-f]{8}|(?:random|along-\w+)-[0-9a-f]{8})-[0-9a-f]{8}$/.exec(
        name,
      )?.[1] ?? name;
    figures.delete(plain);
    figures.set(plain, { name: `plot-${plain}`, figure: createLineFigure(slice, { accuracyAs }) });
  }
  return [...figures.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The newest connection of each pair of models. */
async function connectionFigures(
  run: Run,
  own: OwnResults,
  accuracyAs: AccuracyForm | undefined,
): Promise<NamedFigure[]> {
  const figures = new Map<string, readonly NamedFigure[]>();
  for (const { file, name, provenance } of await storedIn(join(run.directory, "connections"))) {
    const { model0, curve } = provenance.inputs;
    if (model0 !== undefined && !(await own.isOwnModel(model0))) continue;
    const connection = await readConnection(file);
    if (connection === null) continue;
    const pair = name.replace(/-[0-9a-f]{8}$/, "");
    const map = curve === undefined ? null : await curveMapOf(run, connection, curve);
    figures.set(pair, [
      { name: `plot-${pair}`, figure: createConnectionFigure(connection, { accuracyAs }) },
      ...(map === null
        ? []
        : [
            {
              name: `plot-${pair}-curve`,
              figure: createCurveFigure({ connection, ...map }, { accuracyAs }),
            },
          ]),
    ]);
  }
  return [...figures.values()].flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The stored plane of a connection's curve, found by the digest of its points. */
async function curveMapOf(run: Run, { names }: Connection, digest: string): Promise<CurveMap | null> {
  const folder = join(run.directory, "curves");
  for (const name of await namesInFolder(folder)) {
    const stored = await readCurve(join(folder, name, "curve.arrow"));
    if (stored === null || sha256(...stored.curve.points) !== digest) continue;
    return storedCurveMap(join(folder, name), stored.curve, names, run.layout);
  }
  return null;
}

/** The newest of each part of a curvature, of every model, matrix and loss that there is one of. */
async function curvatureFigures(run: Run, own: OwnResults): Promise<NamedFigure[]> {
  const found = new Map<string, CurvatureSummary>();
  for (const { file, provenance } of await storedIn(join(run.directory, "curvature"))) {
    const { model0 } = provenance.inputs;
    if (!(await own.isOwnModel(model0))) continue;
    const part = await readCurvaturePart(file, provenance);
    if (part === null) continue;
    const { matrix, ignore, samples, lossMode, size } = part.facts;
    const of = JSON.stringify([provenance.inputs, matrix, ignore, samples, lossMode, size]);
    const before = found.get(of);
    found.delete(of);
    found.set(of, { ...NOTHING_KNOWN, ...before, ...part });
  }
  const names = new Set<string>();
  return [...found.values()].reverse().flatMap((summary) => {
    // Of several data or losses the newest is drawn.
    const { name, matrix } = summary.facts;
    if (names.has(`${name} ${matrix}`)) return [];
    names.add(`${name} ${matrix}`);
    const place = names.size === 1 ? "curvature" : `curvature-${names.size}`;
    return [{ name: `plot-${place}`, figure: createCurvatureFigure(summary) }];
  });
}

/** The newest stability along the run as it is now, beside the trajectory where that is drawn. */
async function stabilityFigures(run: Run, trajectory: Figure | undefined): Promise<NamedFigure[]> {
  const digest = await run.digest();
  const stored = (await storedIn(join(run.directory, "curvature"))).filter(
    ({ provenance }) => provenance.kind === "stability" && provenance.inputs.run === digest,
  );
  const newest = stored.at(-1);
  const stability = newest === undefined ? null : await readStability(newest.file);
  if (stability === null) return [];
  return [{ name: "plot-stability", figure: createStabilityFigure(stability, run, { trajectory }) }];
}

/** The newest surface of each plane that has a convexity map, with it. */
async function convexityFigures(
  run: Run,
  current: readonly StoredSurface[],
  options: ReadFiguresOptions,
): Promise<NamedFigure[]> {
  const figures = new Map<string, NamedFigure>();
  for (const stored of current) {
    const found = await storedConvexity(stored);
    const plane = found === null ? null : await readPlane(run, stored);
    if (found === null || plane === null) continue;
    const figure = figureOf(run, [plane], plane.trajectory !== null, options, []);
    const name = `plot-convexity-${stored.facts.plane}`;
    figures.set(name, { name, figure: withConvexity(figure, found.found, found.facts) });
  }
  return [...figures.values()];
}

const NOTHING_KNOWN = { eigenvalues: null, trace: null, density: null, layers: null };

async function weightFigures(run: Run, accuracyAs: AccuracyForm | undefined): Promise<NamedFigure[]> {
  const statistics = await storedStatistics(run);
  if (statistics === null) return [];
  const { histograms } = await histogramStage([{ name: run.manifest.name, run }], null);
  const found = { statistics: [statistics], angles: [await planeAngles(run)], histograms };
  const figures = weightsFigures([run], found, accuracyAs);
  return figures.map(({ name, figure }) => ({ name: `plot-weights-${name}`, figure }));
}

/** The results in a folder, the oldest first; none where there is no folder. */
async function storedIn(folder: string) {
  const names = await namesInFolder(folder);
  const found: {
    readonly file: string;
    readonly name: string;
    readonly order: ResultOrder;
    readonly provenance: Provenance;
  }[] = [];
  for (const name of names.filter((one) => /^[^.].*\.arrow$/.test(one)).sort()) {
    const file = join(folder, name);
    const artifact = await readArtifactFacts(file);
    if (artifact === null) continue;
    const { provenance } = artifact;
    const order = await orderOf(file, provenance);
    found.push({ file, name: name.replace(/\.arrow$/, ""), order, provenance });
  }
  return found.sort((a, b) => compareOrder(a.order, b.order));
}

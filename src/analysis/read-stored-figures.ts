import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { sha256 } from "../base/digest.js";
import { RunStateError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import { createLineFigure } from "../figure/make/create-line-figure.js";
import { readDirections } from "../store/kinds/directions-file.js";
import { readLineSlice } from "../store/kinds/line-file.js";
import { exactFile, readSurface } from "../store/kinds/surface-file.js";
import { readArtifact } from "../store/results/artifact.js";
import type { Run } from "../store/run/run.js";
import type { SetSurface } from "../surface/lines/evaluate-sets.js";
import { latestSurfaceFile } from "./approximate-stage.js";
import { planeFigure } from "./plane-figure.js";
import { SLICE_PLANES, type SlicePlane } from "./plane-points.js";
import { projectRun } from "./plane-stage.js";
import { readAnalysis } from "./read-analysis.js";
import { histogramStage, planeAngles, storedStatistics, weightsFigures } from "./weights-stage.js";
import type { NamedFigure } from "./write-report.js";

/** Figures of what a run directory holds. */
export interface StoredFigures {
  readonly figures: readonly NamedFigure[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Makes the figures of everything that is stored in a run's directory again, evaluating nothing: "plot" (the PCA
 * plane), then lines, other planes and weights. Of an exact and an approximate surface the one that was stored
 * last is shown. Results of weights that the run does not hold any more are
 * left out; a missing PCA plane is a warning where there is anything else.
 *
 * @param title - of the figure "plot"; default the run's name.
 * @param accuracyAs - whether accuracies are shown as the error or as such. Default as the commands that stored
 * them do by default: accuracies on lines, errors in training curves.
 * @throws {@link RunStateError} if nothing is stored; {@link FormatError} if a file is damaged.
 */
export async function readStoredFigures(
  run: Run,
  title?: string,
  accuracyAs?: AccuracyForm,
): Promise<StoredFigures> {
  const isOwn = ownWeights(run);
  const others = [
    ...(await lineFigures(run, isOwn, accuracyAs)),
    ...(await planeFigures(run, isOwn)),
    ...(await weightFigures(run, accuracyAs)),
  ];
  try {
    const { figure, warnings } = await readAnalysis(run, title);
    return { figures: [{ name: "plot", figure }, ...others], warnings };
  } catch (error) {
    if (!(error instanceof RunStateError) || others.length === 0) throw error;
    return { figures: others, warnings: [...run.warnings, { code: "no-analysis", message: error.message }] };
  }
}

/** Whether a digest is that of the weights of one of the run's snapshots; the last one is tried first. */
function ownWeights(run: Run): (digest: string | undefined) => Promise<boolean> {
  const known: string[] = [];
  return async (digest) => {
    if (digest === undefined) return false;
    while (!known.includes(digest) && known.length < run.snapshots.length) {
      const theta = await run.readTheta(run.snapshots.length - 1 - known.length);
      known.push(sha256(theta));
    }
    return known.includes(digest);
  };
}

type IsOwn = ReturnType<typeof ownWeights>;

async function lineFigures(
  run: Run,
  isOwn: IsOwn,
  accuracyAs: AccuracyForm = "accuracy",
): Promise<NamedFigure[]> {
  const figures: NamedFigure[] = [];
  for (const { file, name, provenance } of await storedIn(join(run.directory, "lines"))) {
    if (!(await isOwn(provenance.inputs.model0))) continue;
    const slice = await readLineSlice(file);
    if (slice !== null)
      figures.push({ name: `plot-${name}`, figure: createLineFigure(slice, { accuracyAs }) });
  }
  return figures;
}

/** What a stored surface says of its plane. */
const planeFacts = z.object({
  plane: z.enum(SLICE_PLANES as [SlicePlane, ...SlicePlane[]]),
  labels: z.array(z.string()).min(2),
  marks: z.array(z.object({ alpha: z.number(), beta: z.number(), label: z.string() })),
  dataName: z.string().nullable(),
  batchNorm: z.string(),
  sets: z.array(z.object({ name: z.string() })).length(1),
});

async function planeFigures(run: Run, isOwn: IsOwn): Promise<NamedFigure[]> {
  const planes = new Map<SlicePlane, { facts: z.infer<typeof planeFacts>; surfaces: SetSurface[] }>();
  for (const { file, provenance } of await storedIn(join(run.directory, "surfaces"))) {
    // Of an exact and an approximate surface of a set, the one that was stored last.
    if ((await latestSurfaceFile(exactFile(file))) !== file) continue;
    const { success, data: facts } = planeFacts.safeParse(provenance.options);
    if (!success || !(await isOwn(provenance.inputs.model0))) continue;
    const surface = await readSurface(file);
    if (surface === null) continue;
    const known = planes.get(facts.plane) ?? { facts, surfaces: [] };
    known.surfaces.push({ set: facts.sets[0]?.name ?? "", surface });
    planes.set(facts.plane, known);
  }
  const figures: NamedFigure[] = [];
  for (const [plane, { facts, surfaces }] of planes) {
    // The training set first; a set that was evaluated on another grid does not belong beside it.
    surfaces.sort((a, b) => Number(b.set === "train") - Number(a.set === "train"));
    const [{ surface: first }] = surfaces as [SetSurface];
    const alike = surfaces.filter(
      ({ surface }) => isEqual(surface.alpha, first.alpha) && isEqual(surface.beta, first.beta),
    );
    const directions = await readDirections(join(run.directory, "directions", `${plane}.arrow`));
    const hasPath = plane === "ineffective-random" || plane === "ineffective-initial";
    const path =
      directions !== null && (hasPath || plane === "pca") ? await projectRun({ run }, directions) : null;
    const { labels, marks, dataName, batchNorm } = facts;
    const isBetween = ["models", "barycentric-im", "bilinear"].includes(plane);
    const figure = planeFigure(
      plane,
      { labels, marks, isBetween, directions },
      alike,
      run,
      hasPath ? path : null,
      {
        batchNorm,
        ...(dataName === null ? {} : { dataName }),
        ...(path === null ? {} : { path }),
      },
    );
    figures.push({ name: `plot-${plane}`, figure });
  }
  return figures;
}

async function weightFigures(run: Run, accuracyAs: AccuracyForm | undefined): Promise<NamedFigure[]> {
  const statistics = await storedStatistics(run);
  if (statistics === null) return [];
  const { histograms } = await histogramStage([{ name: run.manifest.name, run }], null);
  const found = { statistics: [statistics], angles: [await planeAngles(run)], histograms };
  const figures = weightsFigures([run], found, accuracyAs);
  return figures.map(({ name, figure }) => ({ name: `plot-weights-${name}`, figure }));
}

/** The results in a folder, in the order of their names; none where there is no folder. */
async function storedIn(folder: string) {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found: { readonly file: string; readonly name: string; readonly provenance: Provenance }[] = [];
  for (const name of names.filter((one) => /^[^.].*\.arrow$/.test(one)).sort()) {
    const file = join(folder, name);
    const artifact = await readArtifact(file);
    if (artifact === null) continue;
    found.push({ file, name: name.replace(/\.arrow$/, ""), provenance: artifact.provenance });
  }
  return found;
}

function isEqual(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

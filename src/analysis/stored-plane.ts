import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import pick from "lodash/pick.js";
import { type Provenance, provenanceDigest, sha256 } from "../base/provenance.js";
import { readConvexityMap } from "../curvature/convexity-file.js";
import { planeHessianFile } from "../curvature/curvature-file.js";
import type { ProjectedHessian } from "../curvature/plane-curvature.js";
import { restrictDirections } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import { projectTrajectory, type Trajectory } from "../directions/project.js";
import { namesInFolder } from "../store/arrow/regular-file.js";
import { readDirections } from "../store/kinds/directions-file.js";
import { listSurfaces, type StoredSurface } from "../store/kinds/stored-surfaces.js";
import { readSurface } from "../store/kinds/surface-file.js";
import { readTrajectory } from "../store/kinds/trajectory-file.js";
import { readArtifactFacts } from "../store/results/artifact.js";
import { type Run, selectSnapshots } from "../store/run/run.js";
import type { Surface } from "../surface/surface.js";
import { convexityName } from "./analyze-convexity.js";
import { rowSourceOfRuns } from "./row-source.js";

/** A stored surface with what belongs to it. */
export interface StoredPlane {
  readonly stored: StoredSurface;
  readonly surface: Surface;
  readonly directions: Directions | null;
  /** The part of the run whose path is on it; null where there is no path. */
  readonly part: Run | null;
  readonly trajectory: Trajectory | null;
  /** The Hessian within it, on the same data; null where it is not stored. */
  readonly hessian: ProjectedHessian | null;
}

/** Tells which stored results are of a run as it is now. */
export interface OwnResults {
  isOwn(stored: StoredSurface): Promise<boolean>;
  /** Whether a digest is that of the weights of one of its snapshots; the last one is tried first. */
  isOwnModel(digest: string | undefined): Promise<boolean>;
}

/** Returns what tells whether results are of the snapshots that a run holds now. */
export function ownResults(run: Run): OwnResults {
  const known: string[] = [];
  const isOwnModel = async (digest: string | undefined): Promise<boolean> => {
    if (digest === undefined) return false;
    while (!known.includes(digest) && known.length < run.snapshots.length) {
      known.push(sha256(await run.readTheta(run.snapshots.length - 1 - known.length)));
    }
    return known.includes(digest);
  };
  return {
    isOwnModel,
    async isOwn({ facts }) {
      const [path, ...others] = facts.paths;
      if (others.length > 0) return false;
      if (path !== undefined) return (await partOf(run, path)?.digest()) === path.run;
      // A file of an earlier version may not tell.
      return facts.models.length === 0 || isOwnModel(facts.models[0]);
    },
  };
}

/** The part of a run that a stored path is of; undefined where the run has no such steps. */
function partOf(run: Run, { steps }: StoredSurface["facts"]["paths"][number]): Run | undefined {
  if (steps === null) return run;
  const positions = steps.map((step) => run.snapshots.findIndex((snapshot) => snapshot.step === step));
  return positions.includes(-1) ? undefined : selectSnapshots(run, positions);
}

/**
 * Reads a stored surface of a run with its directions and its path; null if the surface is gone.
 *
 * @throws {@link FormatError} if a file is damaged.
 */
export async function readPlane(run: Run, stored: StoredSurface): Promise<StoredPlane | null> {
  const { directory, facts, file } = stored;
  const surface = await readSurface(file);
  if (surface === null) return null;
  const directions =
    facts.directions === null ? null : await readDirections(join(directory, facts.directions));
  const hessian = await storedHessian(stored);
  const [path] = facts.paths;
  const isPcaOf1 = stored.version === 1 && facts.plane === "pca" && path === undefined;
  const hasPath = path !== undefined || isPcaOf1 || facts.plane.startsWith("ineffective-");
  const part = path === undefined ? run : (partOf(run, path) ?? null);
  if (directions === null || !hasPath || part === null)
    return { stored, surface, directions, part: null, trajectory: null, hessian };
  const trajectory =
    (path === undefined ? null : await readPath(stored, join(directory, path.fidelity))) ??
    (await project(part, directions));
  return { stored, surface, directions, part, trajectory, hessian };
}

/** The convexity map on the slice, the grid and the data of a surface; null where none is stored. */
export async function storedConvexity({ directory, key }: StoredSurface) {
  if (key === null) return null;
  const { slice, data } = key.points;
  for (const file of await curvatureFiles(directory, convexityName(slice))) {
    const made = (await readArtifactFacts(file))?.provenance;
    if (made === undefined || made.inputs.slice !== slice || made.inputs.data !== data) continue;
    const { alpha, beta } = made.options;
    if (isEqual([alpha, beta], [key.alpha, key.beta])) return readConvexityMap(file);
  }
  return null;
}

/** Results of curvature whose names begin so. */
async function curvatureFiles(directory: string, begin: string): Promise<string[]> {
  const folder = join(directory, "curvature");
  const names = (await namesInFolder(folder)).filter((one) => one.startsWith(`${begin}-`));
  return names.sort().map((name) => join(folder, name));
}

/** The Hessian within the plane of a surface, on the surface's data. */
async function storedHessian({ directory, key }: StoredSurface): Promise<ProjectedHessian | null> {
  if (key === null) return null;
  for (const file of await curvatureFiles(directory, `plane-${key.points.slice.slice(0, 8)}`)) {
    const inputs = (await readArtifactFacts(file))?.provenance.inputs;
    if (inputs?.slice !== key.points.slice || inputs.data !== key.points.data) continue;
    return (await planeHessianFile.read(file))?.found ?? null;
  }
  return null;
}

/** What makes two losses of version 1 the same: mode, number of samples, data and model. */
const LOSS_FACTS = ["loss", "samples", "data", "model"];

/** The path with its losses; null where there are none of the surface's own. */
async function readPath(
  { version, provenance, directory }: StoredSurface,
  file: string,
): Promise<Trajectory | null> {
  if (version === 2) return readTrajectory(file);
  const made = (await readArtifactFacts(file))?.provenance;
  const plane = (await readArtifactFacts(join(directory, "directions", "pca.arrow")))?.provenance;
  if (made === undefined || plane === undefined) return null;
  const lossOf = ({ options, inputs }: Provenance) => pick({ ...options, ...inputs }, LOSS_FACTS);
  const isOwn =
    made.inputs.directions === provenanceDigest(plane) && isEqual(lossOf(made), lossOf(provenance));
  return isOwn ? readTrajectory(file) : null;
}

/** The path on directions of the whole θ, without losses. */
async function project(run: Run, directions: Directions): Promise<Trajectory> {
  const source = rowSourceOfRuns([run]);
  return projectTrajectory(source, restrictDirections(directions, source.ranges));
}

/** The newest surface of a kind of plane on an evaluation set that is of a run as it is now. */
export async function newestPlane(run: Run, kind: string, set: string): Promise<StoredPlane | null> {
  const own = ownResults(run);
  for (const stored of (await listSurfaces(run.directory)).reverse()) {
    if (stored.facts.plane !== kind || stored.facts.set !== set || !(await own.isOwn(stored))) continue;
    return readPlane(run, stored);
  }
  return null;
}

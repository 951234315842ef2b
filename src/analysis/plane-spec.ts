import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import { type LandscapeWarning, namedWarnings } from "../base/warning.js";
import { betweenModels, customDirections, ineffectiveDirections } from "../directions/between-models.js";
import type { Directions } from "../directions/directions.js";
import { type MixtureForm, mixtureMap, modelsOf } from "../directions/mixture.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import type { Trajectory } from "../directions/project.js";
import { randomDirections } from "../directions/random.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { mixtureDigest } from "../store/kinds/surface-key.js";
import { finitePart, partOfRun, type Run, type StepOptions } from "../store/run/run.js";
import {
  alignLayouts,
  isModelPoint,
  type ModelPoint,
  modelOf,
  namesOfModels,
  type Subject,
} from "./model-point.js";
import type { ProgressOptions, ResultOptions } from "./options.js";
import {
  checkPcaPlane,
  momentsPlane,
  type PcaPlaneOptions,
  pathOn,
  pcaPlane,
  storedDirections,
} from "./plane-directions.js";

/**
 * A plane:
 * - "pca": that of the principal components of runs, with their paths;
 * - "random": two random directions through a model;
 * - "ineffective-random", "ineffective-initial": those of figure 18 of Li et al. 2018, with the path on them;
 * - "models": through three models; "barycentric-im": the triangle between them as Im et al. run through it;
 * - "bilinear": the surface between four;
 * - "hessian": along the top Hessian eigenvector, and another direction that curvature gives;
 * - "moments": along what the optimizer remembers, where its state was recorded (`optimizerState: true`);
 * - "custom": the user's own directions.
 */
export type PlaneSpec =
  | ({ readonly kind: "pca" } & PcaPlaneOptions)
  | ({
      readonly kind: "random" | "ineffective-random" | "ineffective-initial";
      /** Seed of the random directions. Default 0. */
      readonly seed?: number | undefined;
    } & NormalizeOptions)
  | {
      readonly kind: "moments";
      /** Seed of the second axis where the optimizer remembers one direction. Default 0. */
      readonly seed?: number | undefined;
    }
  | { readonly kind: "models" | "barycentric-im" | "bilinear" }
  | { readonly kind: "custom" | "hessian"; readonly directions: Directions };

/** Every kind of {@link PlaneSpec}. */
export type PlaneKind = PlaneSpec["kind"];

/** All kinds of planes. */
export const PLANE_KINDS: readonly PlaneKind[] = [
  "pca",
  "random",
  "ineffective-random",
  "ineffective-initial",
  "models",
  "barycentric-im",
  "bilinear",
  "hessian",
  "moments",
  "custom",
];

const FORMS: Readonly<Partial<Record<PlaneKind, MixtureForm>>> = {
  models: "barycentric",
  "barycentric-im": "barycentric-im",
  bilinear: "bilinear",
};

/** Returns whether a plane lies between models, so that coordinates run from 0 to 1. */
export function isBetween(kind: string): boolean {
  return Object.hasOwn(FORMS, kind);
}

/** A point of a plane that a map names. */
export interface PlaneMark {
  readonly alpha: number;
  readonly beta: number;
  readonly label: string;
}

/** A plane that is ready to be evaluated: where its points lie, and the paths on it. */
export interface OpenedPlane {
  readonly kind: PlaneKind;
  readonly points: SlicePoints;
  /** sha-256 (hex) of where its points lie. */
  readonly slice: string;
  /** The plane as directions, or null where it is none (bilinear). */
  readonly directions: Directions | null;
  /** Where those are stored, beside `surfaces/`; null where they are not. */
  readonly file: string | null;
  readonly labels: readonly string[];
  readonly marks: readonly PlaneMark[];
  /** sha-256 (hex) of the weights of the models that it goes through. */
  readonly models: readonly string[];
  /** The run of its center, whose layout and name are the plane's. */
  readonly run: Run;
  /** The runs whose paths are on it, or the parts of them that are drawn. */
  readonly runs: readonly Run[];
  /** Coordinates of their paths. */
  readonly paths: readonly Trajectory[];
  /** Weights that the directions move. */
  readonly weights: "trainable" | "all";
  readonly warnings: readonly LandscapeWarning[];
}

/** Options of `openPlane`. */
export interface OpenPlaneOptions extends ResultOptions, ProgressOptions<"directions">, StepOptions {
  /** Multiplies and decomposes matrices. Default that of the active backend. */
  readonly linearAlgebra?: LinearAlgebra | undefined;
  /** Folders to read results from beside `directory`. Default none. */
  readonly elsewhere?: readonly string[] | undefined;
}

/**
 * Returns where the points of a plane lie, computed or read, with the paths on it.
 *
 * @throws {@link InvalidOptionError} for another number of subjects than the plane takes, or an unknown plane; as
 * the directions of the plane.
 */
export async function openPlane(
  subjects: readonly Subject[],
  spec: PlaneSpec,
  options: OpenPlaneOptions = {},
): Promise<OpenedPlane> {
  checkPlane(spec);
  const parts = subjects.map((subject) => (isModelPoint(subject) ? subject : partOfRun(subject, options)));
  const form = FORMS[spec.kind];
  const wanted = form === undefined ? 1 : modelsOf(form);
  if (spec.kind !== "pca" && parts.length !== wanted) {
    const expected = `${wanted} ${wanted === 1 ? "model" : "models"} for plane "${spec.kind}"`;
    throw new InvalidOptionError("models", expected, String(parts.length));
  }
  if (form !== undefined)
    return between(spec.kind, form, await alignLayouts(await Promise.all(parts.map(modelOf))));
  if (spec.kind === "pca") {
    const { linearAlgebra = createLinearAlgebra() } = options;
    return pcaPlane(await runsOf(parts), linearAlgebra, spec, options);
  }
  return aroundModel(parts[0] as Subject, spec as AroundSpec, options);
}

/** @throws {@link InvalidOptionError} for an unknown plane, or settings that it cannot have. */
export function checkPlane(spec: PlaneSpec): void {
  if (!PLANE_KINDS.includes(spec.kind)) {
    throw new InvalidOptionError("plane", `one of ${PLANE_KINDS.join(", ")}`, JSON.stringify(spec.kind));
  }
  if (spec.kind === "pca") checkPcaPlane(spec);
}

/** The runs whose paths span a plane; a run's last snapshot stands for the run. */
async function runsOf(subjects: readonly Subject[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (const subject of subjects) {
    if (!isModelPoint(subject)) {
      runs.push(await finitePart(subject));
      continue;
    }
    if (subject.index !== subject.run.snapshots.length - 1) {
      throw new InvalidOptionError("runs", 'runs for plane "pca"', `a snapshot: ${subject.name}`);
    }
    runs.push(subject.run);
  }
  return runs;
}

type AroundSpec = Exclude<PlaneSpec, { readonly kind: "pca" | "models" | "barycentric-im" | "bilinear" }>;

/** What the middle of a plane is called that does not go through the model. */
const OTHER_CENTER = "given centre";

async function aroundModel(
  subject: Subject,
  spec: AroundSpec,
  options: OpenPlaneOptions,
): Promise<OpenedPlane> {
  const model = await modelOf(subject);
  const directions = await directionsOf(spec, model);
  const hasPath = spec.kind === "ineffective-random" || spec.kind === "ineffective-initial";
  const run = hasPath ? await finitePart(isModelPoint(subject) ? subject.run : subject) : model.run;
  const file = await storedDirections(directions, directionFacts(spec, model), {
    directory: options.directory ?? model.run.directory,
  });
  const path = hasPath ? [await pathOn(run, directions, file, "trainable", options)] : [];
  return {
    kind: spec.kind,
    points: directions,
    slice: sha256(directions.center, ...directions.vectors),
    directions,
    file,
    labels: directions.labels,
    marks: [{ alpha: 0, beta: 0, label: isCenter(model, directions) ? model.name : OTHER_CENTER }],
    models: [model.digest],
    run,
    runs: hasPath ? [run] : [],
    paths: path,
    weights: "trainable",
    warnings: hasPath ? [] : model.run.warnings,
  };
}

function directionFacts(spec: AroundSpec, { digest }: ModelPoint) {
  if (isGiven(spec)) {
    const { center, vectors } = spec.directions;
    return {
      plane: spec.kind,
      options: { directions: sha256(center, ...vectors) },
      seed: null,
      model: digest,
    };
  }
  if (spec.kind === "moments") return { plane: spec.kind, options: {}, seed: spec.seed ?? 0, model: digest };
  const { normalize, ignore, oneDimensional } = resolveNormalizeOptions(spec);
  const options = { normalize, ignore: [...ignore], oneDimensional };
  return { plane: spec.kind, options, seed: spec.seed ?? 0, model: digest };
}

function isCenter({ theta }: ModelPoint, { center }: Directions): boolean {
  return center === theta || center.every((value, i) => value === theta[i]);
}

async function directionsOf(spec: AroundSpec, model: ModelPoint): Promise<Directions> {
  const { run, theta } = model;
  if (isGiven(spec)) return givenDirections(model, spec);
  if (spec.kind === "moments") return momentsPlane(model, spec.seed ?? 0);
  const random = { ...resolveNormalizeOptions(spec), seed: spec.seed ?? 0 };
  if (spec.kind === "random") return randomDirections(run.layout, theta, random);
  const kind = spec.kind === "ineffective-random" ? "random" : "initial";
  return ineffectiveDirections(kind, run.layout, theta, await run.readTheta(0), random);
}

/** A plane along directions that come with it. */
type GivenSpec = Extract<PlaneSpec, { readonly kind: "custom" | "hessian" }>;

function isGiven(spec: AroundSpec): spec is GivenSpec {
  return spec.kind === "custom" || spec.kind === "hessian";
}

/** The user's directions, checked, with a warning where their centre is not the model. */
function givenDirections(model: ModelPoint, { kind, directions }: GivenSpec): Directions {
  const given = directions as Directions | undefined;
  if (given === undefined)
    throw new InvalidOptionError("directions", `directions for plane "${kind}"`, "none");
  const { center, vectors, labels, warnings } = given;
  customDirections(center, vectors, { layout: model.run.layout, labels });
  if (vectors.length < 2) {
    throw new InvalidOptionError("directions", "at least 2 for a plane", String(vectors.length));
  }
  if (isCenter(model, given)) return given;
  const message = `the directions go through other weights than those of ${model.name}: the plane is around those`;
  return { ...given, warnings: [...warnings, { code: "other-center", message }] };
}

/** Where the models of each form lie. */
const PLACES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  barycentric: [
    [0, 0],
    [1, 0],
    [0, 1],
  ],
  "barycentric-im": [
    [0, 0],
    [1, 0],
    [1, 1],
  ],
  bilinear: [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ],
};

function between(kind: PlaneKind, form: MixtureForm, models: readonly ModelPoint[]): OpenedPlane {
  const names = namesOfModels(models);
  const thetas = models.map(({ theta }) => theta);
  const digests = models.map(({ digest }) => digest);
  const labels =
    form === "barycentric"
      ? names.slice(1).map((name, i) => `${"αβ"[i]}: ${names[0]} to ${name}`)
      : form === "bilinear"
        ? [`α: ${names[0]} to ${names[1]}`, `β: ${names[0]} to ${names[2]}`]
        : [`α: from ${names[0]}`, `β: ${names[1]} to ${names[2]}`];
  const places = PLACES[form] as readonly (readonly [number, number])[];
  return {
    kind,
    points: mixtureMap(form, thetas, names),
    slice: mixtureDigest(form, digests),
    directions: form === "barycentric" ? betweenModels(thetas, { names }) : null,
    file: null,
    labels,
    marks: names.map((label, i) => ({ alpha: places[i]?.[0] ?? 0, beta: places[i]?.[1] ?? 0, label })),
    models: digests,
    run: (models[0] as ModelPoint).run,
    runs: [],
    paths: [],
    weights: "all",
    warnings: models.flatMap(({ run }, i) => namedWarnings(names[i] ?? "", run.warnings)),
  };
}

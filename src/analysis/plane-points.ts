import { InvalidOptionError } from "../base/errors.js";
import { betweenModels, customDirections, ineffectiveDirections } from "../directions/between-models.js";
import type { Directions } from "../directions/directions.js";
import { type MixtureForm, mixtureMap, modelsOf } from "../directions/mixture.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import { randomDirections } from "../directions/random.js";
import type { SlicePoints } from "../directions/slice-map.js";
import { type ModelPoint, namesOfModels } from "./model-point.js";

/**
 * A plane to slice:
 * - "pca": that of a run's principal components, given as directions;
 * - "random": two random directions through a model;
 * - "ineffective-random", "ineffective-initial": those of figure 18, with the path on them;
 * - "models": through three models; "barycentric-im": the triangle between them as Im et al. run through it;
 * - "bilinear": the surface between four;
 * - "custom": the user's own directions.
 */
export type SlicePlane =
  | "pca"
  | "random"
  | "ineffective-random"
  | "ineffective-initial"
  | "models"
  | "barycentric-im"
  | "bilinear"
  | "custom";

/** All planes. */
export const SLICE_PLANES: readonly SlicePlane[] = [
  "pca",
  "random",
  "ineffective-random",
  "ineffective-initial",
  "models",
  "barycentric-im",
  "bilinear",
  "custom",
];

const FORMS: Readonly<Partial<Record<SlicePlane, MixtureForm>>> = {
  models: "barycentric",
  "barycentric-im": "barycentric-im",
  bilinear: "bilinear",
};

/** Options of a plane's points. */
export interface PlanePointsOptions extends NormalizeOptions {
  /** Seed of random directions. Default 0. */
  readonly seed?: number;
  /** The directions of planes "custom" and "pca". */
  readonly directions?: Directions;
}

/** Where the points of a plane lie, and what it shows. */
export interface PlanePoints {
  readonly points: SlicePoints;
  /** The plane as directions, or null where it is none (bilinear). */
  readonly directions: Directions | null;
  readonly labels: readonly string[];
  readonly marks: readonly { readonly alpha: number; readonly beta: number; readonly label: string }[];
  /** Whether it lies between models, so that statistics are interpolated and coordinates run from 0 to 1. */
  readonly isBetween: boolean;
}

/**
 * Returns the points of a plane through models.
 *
 * @throws {@link InvalidOptionError} for another number of models than the plane takes, or an unknown plane; as
 * the directions of the plane.
 */
export async function planePoints(
  plane: SlicePlane,
  models: readonly ModelPoint[],
  options: PlanePointsOptions = {},
): Promise<PlanePoints> {
  if (!SLICE_PLANES.includes(plane)) {
    throw new InvalidOptionError("plane", `one of ${SLICE_PLANES.join(", ")}`, JSON.stringify(plane));
  }
  const form = FORMS[plane];
  const wanted = form === undefined ? 1 : modelsOf(form);
  if (models.length !== wanted) {
    const expected = `${wanted} ${wanted === 1 ? "model" : "models"} for plane "${plane}"`;
    throw new InvalidOptionError("models", expected, String(models.length));
  }
  if (form !== undefined) return between(form, models);
  const [model] = models as [ModelPoint];
  const directions = await directionsOf(plane, model, options);
  return {
    points: directions,
    directions,
    labels: directions.labels,
    marks: [{ alpha: 0, beta: 0, label: isCenter(model, directions) ? model.name : OTHER_CENTER }],
    isBetween: false,
  };
}

/** What the middle of a plane is called that does not go through the model. */
const OTHER_CENTER = "given centre";

function isCenter({ theta }: ModelPoint, { center }: Directions): boolean {
  return center === theta || center.every((value, i) => value === theta[i]);
}

async function directionsOf(
  plane: SlicePlane,
  model: ModelPoint,
  options: PlanePointsOptions,
): Promise<Directions> {
  const { run, theta } = model;
  const random = { ...resolveNormalizeOptions(options), seed: options.seed ?? 0 };
  if (plane === "random") return randomDirections(run.layout, theta, random);
  if (plane === "custom" || plane === "pca") {
    if (options.directions === undefined) {
      throw new InvalidOptionError("directions", `directions for plane "${plane}"`, "none");
    }
    return plane === "pca" ? options.directions : givenDirections(model, options.directions);
  }
  const kind = plane === "ineffective-random" ? "random" : "initial";
  return ineffectiveDirections(kind, run.layout, theta, await run.readTheta(0), random);
}

/** The user's directions, checked, with a warning where their centre is not the model. */
function givenDirections(model: ModelPoint, given: Directions): Directions {
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

function between(form: MixtureForm, models: readonly ModelPoint[]): PlanePoints {
  const names = namesOfModels(models);
  const thetas = models.map(({ theta }) => theta);
  const points = mixtureMap(form, thetas, names);
  const directions = form === "barycentric" ? betweenModels(thetas, { names }) : null;
  const labels =
    form === "barycentric"
      ? names.slice(1).map((name, i) => `${"αβ"[i]}: ${names[0]} to ${name}`)
      : form === "bilinear"
        ? [`α: ${names[0]} to ${names[1]}`, `β: ${names[0]} to ${names[2]}`]
        : [`α: from ${names[0]}`, `β: ${names[1]} to ${names[2]}`];
  const places = PLACES[form] as readonly (readonly [number, number])[];
  return {
    points,
    directions,
    labels,
    marks: names.map((label, i) => ({ alpha: places[i]?.[0] ?? 0, beta: places[i]?.[1] ?? 0, label })),
    isBetween: true,
  };
}

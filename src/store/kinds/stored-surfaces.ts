import { stat } from "node:fs/promises";
import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import { jsonValueSchema } from "../../base/json-schema.js";
import { type JsonValue, type Provenance, provenanceDigest, sha256 } from "../../base/provenance.js";
import { namesInFolder, readable } from "../arrow/regular-file.js";
import { readArtifactFacts } from "../results/artifact.js";
import { compareOrder, orderOf, type ResultOrder } from "../results/result-order.js";
import { interruptedIn } from "../results/tile-journal.js";
import { readDirections } from "./directions-file.js";
import {
  mixtureDigest,
  type PlaneFacts,
  planeFactsSchema,
  resultName,
  type SurfaceKey,
  surfaceKeyOf,
} from "./surface-key.js";

/** A surface that is stored in a folder, without its values. */
export interface StoredSurface {
  readonly file: string;
  /** What commands call it: "pca-train-1a2b3c4d". */
  readonly name: string;
  /** Folder that holds `surfaces/`. */
  readonly directory: string;
  /** When it was stored, or asked for last, among the results of its folder. */
  readonly order: ResultOrder;
  readonly bytes: number;
  readonly provenance: Provenance;
  /** What it is known by; null where a file of version 1 does not tell. */
  readonly key: SurfaceKey | null;
  /** What is needed to draw it. */
  readonly facts: PlaneFacts;
  /** 1: written by a version before surfaces were named by what they are. */
  readonly version: 1 | 2;
  /** Why it is not complete; null where it is. */
  readonly partial: string | null;
  /** Points along the first and second axis. */
  readonly size: readonly [number, number];
}

const detailsSchema = z.object({
  width: z.int(),
  height: z.int(),
  partial: z.string().optional(),
  plane: planeFactsSchema.optional(),
});

/**
 * Lists the surfaces that are stored in a folder, the oldest first. Files that are no surfaces are left out.
 *
 * @throws {@link FormatError} if a file is damaged.
 */
export async function listSurfaces(directory: string): Promise<StoredSurface[]> {
  const folder = join(directory, "surfaces");
  const found: StoredSurface[] = [];
  for (const name of (await namesInFolder(folder)).sort()) {
    if (!/^[^.].*\.arrow$/.test(name)) continue;
    const surface = await describe(directory, join(folder, name));
    if (surface !== null) found.push(surface);
  }
  return found.sort((a, b) => compareOrder(a.order, b.order));
}

async function describe(directory: string, file: string): Promise<StoredSurface | null> {
  const artifact = await readArtifactFacts(file);
  const details = detailsSchema.safeParse(artifact?.details);
  if (artifact === null || !details.success) return null;
  const { provenance } = artifact;
  const { plane, partial = null, width, height } = details.data;
  const { size: bytes } = await readable(file, () => stat(file));
  const order = await orderOf(file, provenance);
  const common = { file, name: resultName(file), directory, order, bytes, provenance, partial };
  const size = [width, height] as const;
  if (plane !== undefined) {
    return { ...common, size, key: surfaceKeyOf(provenance), facts: plane, version: 2 };
  }
  return { ...common, size, ...(await translateSurface(directory, common.name, provenance)), version: 1 };
}

/** Files of surfaces that were interrupted: where the surfaces themselves would be. */
export async function interruptedSurfaces(directory: string): Promise<string[]> {
  const folder = join(directory, "surfaces");
  return (await interruptedIn(folder)).map((name) => join(folder, name));
}

/** Whether two surfaces lie on the same slice and grid. */
export function isBeside(a: StoredSurface, b: StoredSurface): boolean {
  if (a.key === null || b.key === null) return false;
  const place = ({ key }: StoredSurface) => [
    key?.points.slice,
    key?.points.batchNorm.policy,
    key?.alpha,
    key?.beta,
  ];
  return a.facts.plane === b.facts.plane && isEqual(place(a), place(b));
}

/** A surface of version 1 in the terms of today. */
interface TranslatedSurface {
  /** What it is known by; null where its file does not tell: it can be drawn, not reused. */
  readonly key: SurfaceKey | null;
  readonly facts: PlaneFacts;
}

const engineSchema = z.object({
  engine: z.string(),
  batchSize: z.number().nullable(),
  threads: z.number().nullable(),
});

const pcaSchema = z.object({
  kind: z.literal("surface"),
  options: z.object({
    alpha: z.array(z.number()),
    beta: z.array(z.number()),
    loss: z.string(),
    metrics: z.array(z.string()),
    samples: z.number(),
    engine: engineSchema,
    dataName: z.string().nullable(),
    lossName: z.string().nullable(),
    approximate: jsonValueSchema.optional(),
  }),
  inputs: z.object({ directions: z.string(), data: z.string(), model: z.string() }),
});

const sliceSchema = z.object({
  kind: z.literal("slice-surface"),
  seed: z.number().nullable(),
  options: z.object({
    plane: z.string(),
    normalize: jsonValueSchema,
    ignore: jsonValueSchema,
    oneDimensional: jsonValueSchema,
    directions: z.string().nullable(),
    labels: z.array(z.string()),
    marks: z.array(z.object({ alpha: z.number(), beta: z.number(), label: z.string() })),
    dataName: z.string().nullable(),
    batchNorm: z.string(),
    alpha: z.array(z.number()),
    beta: z.array(z.number()),
    sets: z
      .array(
        z.object({
          name: z.string(),
          loss: z.string(),
          metrics: z.array(z.string()),
          samples: z.number(),
          engine: engineSchema,
        }),
      )
      .length(1),
    calibrationSamples: z.number().nullable(),
    approximate: jsonValueSchema.optional(),
  }),
  inputs: z.record(z.string(), z.string()),
});

/**
 * Returns what a surface of version 1 is in the terms of today, from its provenance and the directions stored
 * beside it. Nothing is rewritten.
 *
 * @param directory - the folder that holds `surfaces/` and `directions/`.
 */
async function translateSurface(
  directory: string,
  name: string,
  provenance: Provenance,
): Promise<TranslatedSurface> {
  const pca = pcaSchema.safeParse(provenance);
  if (pca.success) return translatePca(directory, pca.data);
  const slice = sliceSchema.safeParse(provenance);
  return slice.success ? translateSlice(directory, slice.data) : unknownSurface(name, provenance);
}

/** A surface that does not say what it is of: it can be drawn. */
function unknownSurface(name: string, { options }: Provenance): TranslatedSurface {
  const [set] = Array.isArray(options.sets) ? (options.sets as readonly { readonly name?: unknown }[]) : [];
  return {
    key: null,
    facts: {
      plane: typeof options.plane === "string" ? options.plane : (/^[a-z]+/.exec(name)?.[0] ?? "custom"),
      set: typeof set?.name === "string" ? set.name : "train",
      labels: ["first direction", "second direction"],
      marks: [{ alpha: 0, beta: 0, label: "" }],
      batchNorm: typeof options.batchNorm === "string" ? options.batchNorm : "none",
      calibrationSamples: null,
      dataName: null,
      lossName: null,
      models: [],
      directions: null,
      paths: [],
      notes: [],
    },
  };
}

async function translatePca(
  directory: string,
  { options, inputs }: z.infer<typeof pcaSchema>,
): Promise<TranslatedSurface> {
  const file = "directions/pca.arrow";
  const made = (await readArtifactFacts(join(directory, file)))?.provenance;
  const isOwn = made !== undefined && provenanceDigest(made) === inputs.directions;
  const directions = isOwn ? await readDirections(join(directory, file)) : null;
  // No policy ran where the statistics were among the directions.
  const policy = made?.options.weights === "all" ? "interpolate" : "keep";
  const { alpha, beta, loss, metrics, samples, engine, dataName, lossName, approximate = null } = options;
  const key =
    directions === null
      ? null
      : {
          points: {
            slice: sha256(directions.center, ...directions.vectors),
            data: inputs.data,
            model: inputs.model,
            loss,
            samples,
            batchNorm: { policy, calibration: null },
            engine,
          },
          metrics,
          alpha,
          beta,
          approximate,
        };
  return {
    key,
    facts: {
      plane: "pca",
      set: "train",
      labels: directions === null ? ["first direction", "second direction"] : [...directions.labels],
      marks: [],
      batchNorm: policy,
      calibrationSamples: null,
      dataName,
      lossName,
      models: [],
      directions: isOwn ? file : null,
      paths: isOwn
        ? [{ name: "", run: made?.inputs.run0 ?? "", steps: null, fidelity: "fidelity/pca.arrow" }]
        : [],
      notes: [],
    },
  };
}

const FORMS: Readonly<Record<string, string>> = {
  models: "barycentric",
  "barycentric-im": "barycentric-im",
  bilinear: "bilinear",
};

async function translateSlice(
  directory: string,
  stored: z.infer<typeof sliceSchema>,
): Promise<TranslatedSurface> {
  const { options, inputs } = stored;
  const [set] = options.sets as [(typeof options.sets)[number]];
  const { plane, labels, marks, dataName, batchNorm, alpha, beta, approximate = null } = options;
  const models = Object.entries(inputs)
    .filter(([name]) => /^model\d+$/.test(name))
    .sort(([a], [b]) => Number(a.slice(5)) - Number(b.slice(5)))
    .map(([, digest]) => digest);
  const form = FORMS[plane];
  const file = `directions/${plane}.arrow`;
  const slice =
    options.directions ??
    (form === undefined ? await storedSlice(directory, file, stored) : mixtureDigest(form, models));
  const { calibration } = inputs;
  const key =
    slice === null
      ? null
      : {
          points: {
            slice,
            data: inputs[`data:${set.name}`] ?? "",
            model: inputs[`network:${set.name}`] ?? "",
            loss: set.loss,
            samples: set.samples,
            batchNorm: {
              policy: batchNorm,
              calibration:
                batchNorm === "recalibrate" && calibration !== undefined
                  ? `${calibration}/${options.calibrationSamples}`
                  : null,
            },
            engine: set.engine,
          },
          metrics: set.metrics,
          alpha,
          beta,
          approximate: approximate as JsonValue,
        };
  const hasDirections = (await readArtifactFacts(join(directory, file))) !== null;
  const facts = {
    plane,
    set: set.name,
    labels,
    marks: marks.map((mark) => ({ ...mark })),
    batchNorm,
    dataName,
  };
  const calibrationSamples = options.calibrationSamples;
  return {
    key,
    facts: {
      ...facts,
      calibrationSamples,
      lossName: null,
      models,
      directions: hasDirections ? file : null,
      paths: [],
      notes: [],
    },
  };
}

/** The slice of directions that are stored beside a surface, if they were made with the same settings. */
async function storedSlice(
  directory: string,
  file: string,
  { options, seed, inputs }: z.infer<typeof sliceSchema>,
): Promise<string | null> {
  const made = (await readArtifactFacts(join(directory, file)))?.provenance;
  if (made === undefined || made.kind !== "slice-directions") return null;
  const facts = ({ plane, normalize, ignore, oneDimensional }: Readonly<Record<string, unknown>>) =>
    JSON.stringify([plane, normalize, ignore, oneDimensional]);
  const isOwn =
    facts(made.options) === facts(options) && made.seed === seed && made.inputs.model0 === inputs.model0;
  const directions = isOwn ? await readDirections(join(directory, file)) : null;
  return directions === null ? null : sha256(directions.center, ...directions.vectors);
}

import { join } from "node:path";
import { z } from "zod";
import { jsonValueSchema } from "../../base/json-schema.js";
import { type JsonValue, type Provenance, provenanceDigest, sha256 } from "../../base/provenance.js";
import { readArtifactFacts } from "../results/artifact.js";
import { readDirections } from "./directions-file.js";
import type { PlaneFacts, SurfaceKey } from "./surface-key.js";

/** A surface of version 1 in the terms of today. */
export interface TranslatedSurface {
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
export async function translateSurface(
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

/** The digest of a slice between models: of its form and the digests of their weights. */
export function mixtureDigest(form: string, models: readonly string[]): string {
  return sha256([form, ...models].join("\n"));
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

import { join } from "node:path";
import { z } from "zod";
import { FormatError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import { namesInFolder } from "../store/arrow/regular-file.js";
import {
  type Artifact,
  type ArtifactColumn,
  column,
  float64Column,
  parseDetails,
  readArtifact,
  readArtifactFacts,
  textColumn,
  writeArtifact,
} from "../store/results/artifact.js";
import type { TileCodec } from "../store/results/tile-journal.js";
import type { Eigenpairs } from "./lanczos.js";
import type { ProjectedHessian } from "./plane-curvature.js";
import type { SpectralDensity } from "./spectral-density.js";
import type { TraceEstimate } from "./trace.js";

/** What a curvature is of. */
export interface CurvatureFacts {
  /** The model's name. */
  readonly name: string;
  /** Name of the data for captions; null where it has none. */
  readonly dataName: string | null;
  readonly matrix: "hessian" | "gauss-newton";
  /** Rows and columns of the matrix: the weights that count. */
  readonly size: number;
  /** Roles of weights that do not count. */
  readonly ignore: readonly string[];
  readonly samples: number;
  readonly lossMode: string;
  /** Mean loss over the samples, and the norm of its gradient. */
  readonly loss: number;
  readonly gradientNorm: number;
  /** Of products by differences of gradients: their change between half and double the step; absent: exact ones. */
  readonly differenceError?: number | undefined;
}

/** Eigenvalues with their residuals: eigenpairs without the vectors, which are directions. */
export type Eigenvalues = Omit<Eigenpairs, "vectors">;

/** The spectral density, with its outliers as eigenvalues. */
export interface StoredDensity extends Omit<SpectralDensity, "outliers"> {
  readonly outliers: Eigenvalues | null;
}

/** The curvature of one layer by itself: the block of the matrix that belongs to its weights. */
export interface LayerCurvature {
  readonly layer: string;
  /** Weights of the layer that count. */
  readonly size: number;
  /** The eigenvalue of largest magnitude, its residual, and whether that is within the tolerance. */
  readonly eigenvalue: number;
  readonly residual: number;
  readonly isConverged: boolean;
  readonly trace: number;
  /** Standard error of the trace; 0 where it is exact. */
  readonly standardError: number;
  readonly products: number;
}

/** The layers' curvatures, complete. */
export interface LayerCurvatures {
  readonly layers: readonly LayerCurvature[];
  readonly warnings: readonly [];
}

/** The curvature at a model. */
export interface CurvatureSummary {
  readonly facts: CurvatureFacts;
  /** Eigenvalues of largest magnitude; null where they were not asked for. */
  readonly eigenvalues: Eigenvalues | null;
  readonly trace: TraceEstimate | null;
  readonly density: StoredDensity | null;
  readonly layers: readonly LayerCurvature[] | null;
}

/** A part of a curvature as it is stored: what was computed, and what it is of. */
export interface CurvaturePart<T> {
  readonly facts: CurvatureFacts;
  readonly found: T;
}

const factsSchema = z.object({
  name: z.string(),
  dataName: z.string().nullable(),
  matrix: z.enum(["hessian", "gauss-newton"]),
  size: z.int().positive(),
  ignore: z.array(z.string()),
  samples: z.number(),
  lossMode: z.string(),
  loss: z.number(),
  gradientNorm: z.number(),
  differenceError: z.number().optional(),
});

function jsonOf({ ignore, differenceError, ...facts }: CurvatureFacts): JsonValue {
  return { ...facts, ignore: [...ignore], ...defined({ differenceError }) };
}

const convergedSchema = z.object({ isConverged: z.boolean(), products: z.number() });

/** How a part is written and read. */
export interface PartFile<T> {
  readonly write: (file: string, part: CurvaturePart<T>, provenance: Provenance) => Promise<void>;
  /** null if there is no file or it is stale; a FormatError if it is damaged. */
  readonly read: (file: string, expected?: Provenance) => Promise<CurvaturePart<T> | null>;
}

export function partFile<T, D>(
  encode: (found: T) => { readonly columns: Artifact["columns"]; readonly rest: JsonValue },
  restSchema: z.ZodType<D>,
  decode: (file: string, artifact: Artifact, rest: D) => T,
): PartFile<T> {
  const schema = z.object({ facts: factsSchema, rest: restSchema });
  return {
    async write(file, { facts, found }, provenance) {
      const { columns, rest } = encode(found);
      await writeArtifact(file, { columns, details: { facts: jsonOf(facts), rest }, provenance });
    },
    async read(file, expected) {
      const artifact = await readArtifact(file, expected);
      if (artifact === null) return null;
      const { facts, rest } = parseDetails(file, artifact, schema) as { facts: CurvatureFacts; rest: D };
      return { facts, found: decode(file, artifact, rest) };
    },
  };
}

/** Eigenvalues: columns eigenvalue and residual. */
export const eigenvaluesFile: PartFile<Eigenvalues> = partFile(
  ({ values, residuals, isConverged, products }) => ({
    columns: { eigenvalue: { values }, residual: { values: residuals } },
    rest: { isConverged, products },
  }),
  convergedSchema,
  (file, artifact, rest) => ({
    ...rest,
    values: float64Column(file, artifact, "eigenvalue"),
    residuals: float64Column(file, artifact, "residual"),
  }),
);

/** A trace: one row of columns trace, standardError and products. */
export const traceFile: PartFile<TraceEstimate> = partFile(
  ({ value, standardError, products, method }) => ({
    columns: {
      trace: numbers([value]),
      standardError: numbers([standardError]),
      products: numbers([products]),
    },
    rest: { method },
  }),
  z.object({ method: z.enum(["xtrace", "hutchinson", "exact"]) }),
  (file, artifact, { method }) => {
    const first = (name: string): number => {
      const [value] = float64Column(file, artifact, name);
      if (value === undefined) throw new FormatError(file, "one row", "none");
      return value;
    };
    return {
      value: first("trace"),
      standardError: first("standardError"),
      products: first("products"),
      method,
    };
  },
);

/** A density: columns eigenvalue and density; the outliers stand in the details. */
export const densityFile: PartFile<StoredDensity> = partFile(
  ({ values, density, outliers, width, products }) => ({
    columns: { eigenvalue: { values }, density: { values: density } },
    rest: {
      width,
      products,
      outliers:
        outliers === null
          ? null
          : {
              values: [...outliers.values],
              residuals: [...outliers.residuals],
              isConverged: outliers.isConverged,
              products: outliers.products,
            },
    },
  }),
  z.object({
    width: z.number(),
    products: z.number(),
    outliers: convergedSchema
      .extend({ values: z.array(z.number()), residuals: z.array(z.number()) })
      .nullable(),
  }),
  (file, artifact, { outliers, ...rest }) => ({
    ...rest,
    values: float64Column(file, artifact, "eigenvalue"),
    density: float64Column(file, artifact, "density"),
    outliers:
      outliers === null
        ? null
        : {
            ...outliers,
            values: Float64Array.from(outliers.values),
            residuals: Float64Array.from(outliers.residuals),
          },
  }),
);

/** The Hessian within a plane: a row for each direction with its products, and for each axis. */
export const planeHessianFile: PartFile<ProjectedHessian> = partFile(
  ({ matrix, values, axes }) => ({
    columns: {
      row: { values: matrix, width: values.length },
      eigenvalue: { values },
      axis: { values: axes, width: values.length },
    },
    rest: null,
  }),
  z.null(),
  (file, artifact) => {
    const flat = (name: string): Float64Array => {
      const { values } = column(file, artifact, name);
      if (values instanceof Float64Array) return values;
      throw new FormatError(`${file}: ${name}`, "lists of float64", "another type");
    };
    return { matrix: flat("row"), values: float64Column(file, artifact, "eigenvalue"), axes: flat("axis") };
  },
);

const LAYER_NUMBERS = ["size", "eigenvalue", "residual", "trace", "standardError", "products"] as const;

function layerColumns(layers: readonly LayerCurvature[]): Artifact["columns"] {
  return {
    layer: { values: layers.map(({ layer }) => layer) },
    ...Object.fromEntries(LAYER_NUMBERS.map((name) => [name, numbers(layers.map((layer) => layer[name]))])),
    isConverged: numbers(layers.map(({ isConverged }) => Number(isConverged))),
  };
}

function layersOf(file: string, artifact: Artifact): LayerCurvature[] {
  const values = (name: string) => float64Column(file, artifact, name);
  const [size, eigenvalue, residual, trace, standardError, products] = LAYER_NUMBERS.map(values) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const isConverged = values("isConverged");
  return textColumn(file, artifact, "layer").map((layer, i) => ({
    layer,
    size: size[i] as number,
    eigenvalue: eigenvalue[i] as number,
    residual: residual[i] as number,
    isConverged: isConverged[i] === 1,
    trace: trace[i] as number,
    standardError: standardError[i] as number,
    products: products[i] as number,
  }));
}

/** Curvature by layer: a row for each layer. */
export const layersFile: PartFile<LayerCurvatures> = partFile(
  ({ layers }) => ({ columns: layerColumns(layers), rest: null }),
  z.null(),
  (file, artifact) => ({ layers: layersOf(file, artifact), warnings: [] }),
);

/** Layers in tiles, while not all are known. */
export const layerTiles: TileCodec<LayerCurvature> = {
  columnsOf: layerColumns,
  pointsOf: layersOf,
};

function numbers(values: readonly number[]): ArtifactColumn {
  return { values: Float64Array.from(values) };
}

/**
 * Reads a stored part of a curvature, whichever it is, as a summary of that part alone.
 *
 * @param provenance - that of the file.
 * @returns null if there is no file, or it is no part of a curvature.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readCurvaturePart(
  file: string,
  { kind }: Pick<Provenance, "kind">,
): Promise<(Pick<CurvatureSummary, "facts"> & Partial<CurvatureSummary>) | null> {
  switch (kind) {
    case "curvature-eigenpairs": {
      const part = await eigenvaluesFile.read(file);
      return part && { facts: part.facts, eigenvalues: part.found };
    }
    case "curvature-trace": {
      const part = await traceFile.read(file);
      return part && { facts: part.facts, trace: part.found };
    }
    case "curvature-density": {
      const part = await densityFile.read(file);
      return part && { facts: part.facts, density: part.found };
    }
    case "curvature-layers": {
      const part = await layersFile.read(file);
      return part && { facts: part.facts, layers: part.found.layers };
    }
    default:
      return null;
  }
}

/** A stored part of a curvature, without its values. */
export interface StoredCurvature {
  /** Name of its file without the extension: "eigenpairs-1a2b3c4d-5e6f7a8b". */
  readonly name: string;
  /** Which part it is: "eigenpairs", "trace", "density", "layers". */
  readonly what: string;
  readonly facts: CurvatureFacts;
}

/**
 * Lists the parts of curvatures that are stored in a folder, by name. Files that are none are left out.
 *
 * @throws {@link FormatError} if a file is damaged.
 */
export async function listCurvature(directory: string): Promise<StoredCurvature[]> {
  const folder = join(directory, "curvature");
  const found: StoredCurvature[] = [];
  for (const name of (await namesInFolder(folder)).sort()) {
    if (!/^[^.].*\.arrow$/.test(name)) continue;
    const artifact = await readArtifactFacts(join(folder, name));
    const details = z.object({ facts: factsSchema }).safeParse(artifact?.details);
    if (artifact === null || !details.success) continue;
    const what = artifact.provenance.kind.replace(/^curvature-/, "");
    found.push({ name: name.replace(/\.arrow$/, ""), what, facts: details.data.facts });
  }
  return found;
}

import { join } from "node:path";
import pick from "lodash/pick.js";
import { currentBackend } from "../backend/current-backend.js";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import type { Curvature, CurvatureOptions, CurvaturePoint } from "../curvature/create-curvature.js";
import {
  type CurvatureFacts,
  densityFile,
  type Eigenvalues,
  eigenvaluesFile,
  type LayerCurvature,
  type LayerCurvatures,
  layersFile,
  layerTiles,
  type PartFile,
  type StoredDensity,
  traceFile,
} from "../curvature/curvature-file.js";
import { type Eigenpairs, topEigenpairs } from "../curvature/lanczos.js";
import { spectralDensity } from "../curvature/spectral-density.js";
import { hessianOperator, weightBlocks } from "../curvature/symmetric-operator.js";
import { estimateTrace } from "../curvature/trace.js";
import { norm } from "../curvature/vectors.js";
import {
  type ColumnRange,
  countColumns,
  embedVector,
  selectColumns,
} from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import type { ParameterRole } from "../model/layout.js";
import { readDirections, writeDirections } from "../store/kinds/directions-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memo, memoResumably, type StoredResult } from "../store/results/memo.js";
import type { ModelPoint } from "./model-point.js";
import type { FigureOptions, ProgressOptions, ResultOptions } from "./options.js";

/** The parts of a curvature that take time. */
export type CurvatureStep = "eigenpairs" | "trace" | "density" | "layers";

/** What is computed at a model. */
export interface CurvatureSettings {
  /** Eigenpairs of largest magnitude; 0 for none. Default 5. */
  readonly top?: number | undefined;
  /** The trace, with its standard error. Default false. */
  readonly trace?: boolean | undefined;
  /** The spectral density. Default false. */
  readonly density?: boolean | undefined;
  /** Largest eigenvalue and trace of each layer's own block. Default false. */
  readonly perLayer?: boolean | undefined;
  /** "hessian" (default), or "gauss-newton", which leaves the network's own curvature out. */
  readonly matrix?: "hessian" | "gauss-newton" | undefined;
  /** Roles of weights that do not count. Default none: all trained weights count. */
  readonly ignore?: readonly ParameterRole[] | undefined;
  /** Products at most for each trace. Default 100. */
  readonly products?: number | undefined;
  /** Lanczos steps for each random vector of the density. Default 96. */
  readonly steps?: number | undefined;
  /** Random vectors of the density. Default 4. */
  readonly probes?: number | undefined;
  /** Residual of eigenpairs, relative to the largest |λ|, that is small enough. Default 1e-4. */
  readonly tolerance?: number | undefined;
  /** Seed of random vectors. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `analyzeCurvature`. */
export interface AnalyzeCurvatureOptions
  extends CurvatureSettings,
    Pick<ResultOptions, "directory" | "force" | "resume">,
    ProgressOptions<CurvatureStep> {
  /** How the loss is computed. */
  readonly evaluation?: Omit<CurvatureOptions, "layout" | "signal"> | undefined;
  readonly figure?: Pick<FigureOptions, "title" | "names"> | undefined;
}

/** {@link CurvatureSettings} with the defaults filled in. */
type Settings = { readonly [Key in keyof CurvatureSettings]-?: Exclude<CurvatureSettings[Key], undefined> };

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function resolveCurvatureSettings(options: CurvatureSettings): Settings {
  const { matrix = "hessian", tolerance = 1e-4, ignore = [] } = options;
  if (matrix !== "hessian" && matrix !== "gauss-newton") {
    throw new InvalidOptionError("matrix", '"hessian" or "gauss-newton"', JSON.stringify(matrix));
  }
  if (!(tolerance > 0)) throw new InvalidOptionError("tolerance", "a number above 0", String(tolerance));
  return {
    top: wholeNumber("top", options.top ?? 5, 0),
    trace: options.trace ?? false,
    density: options.density ?? false,
    perLayer: options.perLayer ?? false,
    matrix,
    ignore,
    tolerance,
    products: wholeNumber("products", options.products ?? 100, 4),
    steps: wholeNumber("steps", options.steps ?? 96, 2),
    probes: wholeNumber("probes", options.probes ?? 4, 1),
    seed: wholeNumber("seed", options.seed ?? 0, 0),
  };
}

/** Opens the point when the first part asks for it: where all is stored, nothing is computed. */
export function openOnce(curvature: Curvature, { theta }: ModelPoint, signal: AbortSignal | undefined) {
  let point: Promise<CurvaturePoint> | undefined;
  return {
    at(): Promise<CurvaturePoint> {
      point ??= curvature.at(theta, signal);
      return point;
    },
    dispose(): void {
      void point?.then((one) => one.dispose()).catch(() => undefined);
    },
  };
}

type Found<T> = { readonly facts: CurvatureFacts; readonly found: T };

/** Returns what computes or reads each part of the curvature at a model. */
export function startWork(
  model: ModelPoint,
  curvature: Curvature,
  open: () => Promise<CurvaturePoint>,
  settings: Settings,
  options: AnalyzeCurvatureOptions,
) {
  const { matrix, ignore, seed, tolerance, products, top } = settings;
  const { layout } = model.run;
  const { directory = model.run.directory, force, resume, signal, onProgress } = options;
  const ranges = selectColumns(layout, { ignore });
  const factsOf = async (): Promise<CurvatureFacts> => {
    const { loss, gradient, differenceError } = await open();
    return {
      name: model.name,
      dataName: options.figure?.names?.data ?? null,
      matrix,
      size: countColumns(ranges),
      ignore,
      samples: curvature.samples,
      lossMode: curvature.lossMode,
      loss,
      gradientNorm: norm(gradient),
      ...defined({ differenceError }),
    };
  };
  const provenanceOf = (kind: string, own: { readonly [key: string]: JsonValue }): Provenance => ({
    kind: `curvature-${kind}`,
    version: 1,
    options: { matrix, ignore: [...ignore], loss: curvature.lossMode, samples: curvature.samples, ...own },
    seed,
    inputs: { model0: model.digest, data: curvature.dataDigest, network: curvature.modelDigest },
    chosen: { backend: currentBackend().name },
  });
  const stored = <T>(
    kind: string,
    own: { readonly [key: string]: JsonValue },
    file: PartFile<T>,
  ): StoredResult<Found<T>> => {
    const provenance = provenanceOf(kind, own);
    return {
      file: join(directory, "curvature", keyedName([kind, model.digest.slice(0, 8)], provenance)),
      provenance,
      read: file.read,
      write: file.write,
      force,
    };
  };
  const operator = async () => hessianOperator(await open(), layout, { matrix, ignore });
  const following = (step: CurvatureStep, total: number) => ({
    seed,
    signal,
    onProgress: (done: number) => onProgress?.(step, Math.min(done, total), total),
  });
  return {
    /** The facts of the first part that there is; without any, those of the point. */
    facts: async (parts: readonly (Found<unknown> | null)[]): Promise<CurvatureFacts> =>
      parts.find((part) => part !== null)?.facts ?? factsOf(),
    async eigenpairs(
      asked = top,
      which: "magnitude" | "ends" = "magnitude",
    ): Promise<Found<Eigenvalues & { readonly directions: Directions }>> {
      const count = Math.min(asked, countColumns(ranges));
      const own = { count, tolerance, ...(which === "magnitude" ? {} : { which }) };
      const kind = which === "magnitude" ? "eigenpairs" : "ends";
      const base = stored(kind, own, eigenvaluesFile);
      const vectorFile = join(
        directory,
        "directions",
        keyedName(["eigenvectors", model.digest.slice(0, 8)], base.provenance),
      );
      type Pairs = Found<Eigenvalues & { readonly directions: Directions }>;
      return memo<Pairs>(
        {
          ...base,
          async read(file, expected) {
            const [part, directions] = [
              await eigenvaluesFile.read(file, expected),
              await readDirections(vectorFile, expected),
            ];
            if (part === null || directions === null) return null;
            return { ...part, found: { ...part.found, directions } };
          },
          // The values come last: where they are, the vectors are.
          async write(file, part, provenance) {
            await writeDirections(vectorFile, part.found.directions, provenance);
            await eigenvaluesFile.write(file, part, provenance);
          },
        },
        async () => {
          const limit = 100 + 2 * count;
          const pairs = await topEigenpairs(await operator(), {
            count,
            which,
            tolerance,
            products: limit,
            ...following("eigenpairs", limit),
          });
          const { vectors, ...values } = pairs;
          return {
            facts: await factsOf(),
            found: { ...values, directions: asDirections(model, ranges, pairs) },
          };
        },
      );
    },
    trace: () =>
      memo(stored("trace", { products }, traceFile), async () => ({
        found: await estimateTrace(await operator(), { products, ...following("trace", products) }),
        facts: await factsOf(),
      })),
    density: () => {
      const { steps, probes } = settings;
      return memo(stored("density", { steps, probes }, densityFile), async () => {
        const own = await operator();
        const { outliers, ...rest } = await spectralDensity(own, {
          steps,
          probes,
          outliers: Math.min(Math.max(10, top), own.size - 2),
          ...following("density", steps * probes + 60),
        });
        const { vectors: _, ...values } = outliers ?? { vectors: [] };
        const found: StoredDensity = {
          ...rest,
          outliers: outliers === null ? null : (values as Eigenvalues),
        };
        return { found, facts: await factsOf() };
      });
    },
    async layers(): Promise<Found<LayerCurvatures>> {
      const base = stored("layers", { products, tolerance }, layersFile);
      const blocks = weightBlocks(layout, "layer").filter(({ select }) =>
        layout.parameters.some((one) => select(one) && one.trainable && !ignore.includes(one.role)),
      );
      const { name: backend } = currentBackend();
      let facts: CurvatureFacts | undefined;
      const layers = await memoResumably<LayerCurvature, LayerCurvatures>(
        {
          ...base,
          async read(file, expected) {
            const part = await layersFile.read(file, expected);
            facts = part?.facts;
            return part?.found ?? null;
          },
          async write(file, found, provenance) {
            facts = await factsOf();
            await layersFile.write(file, { facts, found }, provenance);
          },
          what: "curvature",
          engines: [{ name: "curvature", backend, batchSize: 0, threads: 0 }],
          metrics: [],
          tiles: layerTiles,
          isPartial: () => false,
          resume,
        },
        async ({ known, onPoint }) => {
          const found: LayerCurvature[] = [];
          for (const [i, { name, select }] of blocks.entries()) {
            const before = known.find(({ layer }) => layer === name);
            const one =
              before ??
              (await layerCurvature(name, hessianOperator(await open(), layout, { matrix, ignore, select }), {
                products,
                tolerance,
                seed,
                signal,
              }));
            if (before === undefined) await onPoint(one);
            found.push(one);
            onProgress?.("layers", i + 1, blocks.length);
          }
          return { layers: found, warnings: [] };
        },
      );
      return { found: layers, facts: facts ?? (await factsOf()) };
    },
  };
}

async function layerCurvature(
  layer: string,
  block: ReturnType<typeof hessianOperator>,
  how: Pick<Settings, "products" | "tolerance" | "seed"> & { readonly signal: AbortSignal | undefined },
): Promise<LayerCurvature> {
  const { tolerance, seed, signal } = how;
  const pairs = await topEigenpairs(block, { count: 1, tolerance, seed, signal });
  const {
    value: trace,
    standardError,
    products,
  } = await estimateTrace(block, pick(how, ["products", "seed", "signal"]));
  return {
    layer,
    size: block.size,
    eigenvalue: pairs.values[0] as number,
    residual: pairs.residuals[0] as number,
    isConverged: pairs.isConverged,
    trace,
    standardError,
    products: pairs.products + products,
  };
}

/** All eigenvectors as vectors over θ, of length 1. */
function asDirections(
  { theta }: ModelPoint,
  ranges: readonly ColumnRange[],
  { values, vectors }: Eigenpairs,
): Directions {
  return {
    kind: "hessian",
    center: theta,
    vectors: vectors.map((vector) => Float32Array.from(embedVector(vector, ranges, theta.length))),
    labels: Array.from(values, (value, k) => `eigenvector ${k + 1} (λ = ${value.toPrecision(3)})`),
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
  };
}

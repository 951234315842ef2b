import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { BACKEND_CHOICES, type BackendChoice } from "../src/backend/current-backend.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { InvalidOptionError } from "../src/base/errors.js";
import { parseCount } from "../src/cli/command-options.js";
import { createCurvature } from "../src/curvature/create-curvature.js";
import { readWeights } from "../src/model/bound-weights.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { medianWithInterval } from "./capture-statistics.js";
import { type MapCase, measureMap, measurePath, type PathCase } from "./curvature-runs.js";
import { compareWithTorch, type TorchCase } from "./curvature-torch.js";
import { surfaceModels } from "./surface-models.js";

/** A Hessian-vector product (ours) beside a gradient by TensorFlow.js (peer), on the same samples. */
export interface CurvatureCase {
  readonly case: string;
  readonly backend: string;
  /** Seconds: medians over interleaved pairs. */
  readonly ours: number;
  readonly peer: number;
  /** Median of ours / peer, pair by pair, with a 95 % interval. */
  readonly ratio: number;
  readonly interval: readonly [number, number];
  readonly samples: number;
  /** Whether intermediate values were kept between products. */
  readonly kept: boolean;
}

/** The report of the bench. */
export interface CurvatureReport {
  readonly bench: "curvature";
  readonly cases: readonly CurvatureCase[];
  /** Cases "path" and "map". */
  readonly runs?: readonly ((PathCase | MapCase) & { readonly backend: string })[];
  /** Top eigenvalues beside PyTorch's, with `--torch`. */
  readonly eigenvalues?: readonly TorchCase[];
}

/**
 * Measures Hessian-vector products against gradients: `--case NAME` (mlp, lenet, resnet20) and `--backend NAME` (wasm,
 * native), each given once per value; `--samples 1000`, `--repeats 15`, `--keep-bytes 1073741824`. `--torch`: the top 5
 * eigenvalues beside those of a Lanczos method on PyTorch's double backward instead, on the same weights and images,
 * `--threads 2`.
 *
 * Two further cases train a LeNet on MNIST first: `--case path` measures critical sharpness along it against its
 * snapshots' losses (`--snapshots 20`; docs/curvature.md has 100 of them on `--samples 2000`); `--case map` measures a convexity
 * map (`--size 5`, `--workers 2`).
 */
export async function runBench({ args, log }: BenchOptions): Promise<CurvatureReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: ["mlp", "lenet"] },
      backend: { type: "string", multiple: true, default: ["wasm"] },
      samples: { type: "string", default: "1000" },
      repeats: { type: "string", default: "15" },
      torch: { type: "boolean", default: false },
      threads: { type: "string", default: "2" },
      "keep-bytes": { type: "string", default: String(2 ** 30) },
      snapshots: { type: "string", default: "20" },
      size: { type: "string", default: "5" },
      workers: { type: "string", default: "2" },
    },
  });
  const known = [...Object.keys(surfaceModels), ...(values.torch ? [] : ["path", "map"])];
  checkNames("--case", values.case, known);
  checkNames("--backend", values.backend, BACKEND_CHOICES);
  if (values.torch && values.backend.length > 1) {
    throw new InvalidOptionError("--backend", "one beside --torch", values.backend.join(", "));
  }
  const countOf = (name: "samples" | "repeats" | "threads" | "snapshots" | "size" | "workers", least = 1) =>
    parseCount(`--${name}`, least)(values[name]);
  const [samples, repeats, threads] = [countOf("samples"), countOf("repeats"), countOf("threads")];
  const keepBytes = parseCount("--keep-bytes", 0)(values["keep-bytes"]);
  const [snapshots, size, workers] = [countOf("snapshots", 2), countOf("size", 2), countOf("workers", 0)];
  if (values.torch) {
    const [backend] = values.backend as [BackendChoice];
    await selectBackend({ backend });
    const options = { samples, threads, log };
    const eigenvalues: TorchCase[] = [];
    for (const id of values.case) eigenvalues.push(await compareWithTorch(id, options));
    return { bench: "curvature", cases: [], eigenvalues };
  }
  const cases: CurvatureCase[] = [];
  const runs: ((PathCase | MapCase) & { readonly backend: string })[] = [];
  for (const backend of values.backend) {
    const { name } = await selectBackend({ backend: backend as BackendChoice });
    for (const id of values.case) {
      if (id === "path") {
        const path = await measurePath({ samples, snapshots });
        log(`path on ${name}: ${path.ratio.toFixed(2)} times the losses of ${path.snapshots} snapshots`);
        runs.push({ ...path, backend: name });
        continue;
      }
      if (id === "map") {
        const map = await measureMap({ samples, size, workers, log });
        const { products, open, seconds } = map;
        log(
          `map on ${name}: ${seconds.toFixed(0)} s, ${products.mean.toFixed(1)} products a point (${products.max} at most), ${open} not converged`,
        );
        runs.push({ ...map, backend: name });
        continue;
      }
      const measured = await measure(id, samples, repeats, keepBytes);
      log(`${id} on ${name}: ${measured.ratio.toFixed(2)} gradients per product`);
      cases.push({ case: id, backend: name, ...measured });
    }
  }
  return { bench: "curvature", cases, ...(runs.length > 0 && { runs }) };
}

async function measure(
  id: string,
  samples: number,
  repeats: number,
  keepBytes: number,
): Promise<Omit<CurvatureCase, "case" | "backend">> {
  const network = surfaceModels[id];
  if (network === undefined) throw new Error(`bench curvature: expected a case, got ${id}`);
  const model = network.make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const xs = tf.randomUniform([samples, ...network.shape], 0, 1, "float32", 1);
  const labels = tf.tensor1d(
    Int32Array.from({ length: samples }, (_, i) => (i * 7) % 10),
    "int32",
  );
  const ys = tf.oneHot(labels, 10).toFloat();
  const curvature = await createCurvature(model, { xs, ys }, { loss: "model", keepBytes });
  const theta = await readWeights(model, curvature.layout);
  const point = await curvature.at(theta);
  const vector = theta.map((_, i) => Math.sin(i));
  const gradient = gradientOf(model, xs, ys);
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };
  await point.hessianVector(vector);
  await gradient();
  const pairs: [number, number][] = [];
  for (let i = 0; i < repeats; i++) {
    pairs.push([await seconds(() => point.hessianVector(vector)), await seconds(gradient)]);
  }
  point.dispose();
  curvature.dispose();
  const { median: ratio, low, high } = medianWithInterval(pairs.map(([ours, peer]) => ours / peer));
  const middle = (column: 0 | 1) => medianWithInterval(pairs.map((pair) => pair[column])).median;
  return { ours: middle(0), peer: middle(1), ratio, interval: [low, high], samples, kept: keepBytes > 0 };
}

/** TensorFlow.js's own gradient of the mean loss, read back, in batches of 500. */
function gradientOf(model: tf.LayersModel, xs: tf.Tensor, ys: tf.Tensor): () => Promise<unknown> {
  const size = 500;
  return async () => {
    for (let start = 0; start < (xs.shape[0] as number); start += size) {
      const count = Math.min(size, (xs.shape[0] as number) - start);
      const { value, grads } = tf.variableGrads(() => {
        const p = model.apply(xs.slice(start, count), { training: false }) as tf.Tensor;
        return tf.metrics.categoricalCrossentropy(ys.slice(start, count), p).mean() as tf.Scalar;
      });
      await Promise.all(Object.values(grads).map((gradient) => gradient.data()));
      tf.dispose([value, ...Object.values(grads)]);
    }
  };
}

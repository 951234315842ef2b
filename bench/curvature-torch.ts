import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import * as tf from "@tensorflow/tfjs";
import { createCurvature } from "../src/curvature/create-curvature.js";
import { topEigenpairs } from "../src/curvature/lanczos.js";
import { hessianOperator } from "../src/curvature/symmetric-operator.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { preparePython, startPeer } from "./python-peer.js";
import { surfaceModels } from "./surface-models.js";

/** The top eigenvalues of one network, ours and PyTorch's. */
export interface TorchCase {
  readonly case: string;
  readonly samples: number;
  readonly ours: readonly number[];
  readonly torch: readonly number[];
  /** Largest difference, as a share of the largest eigenvalue. */
  readonly difference: number;
  /** Seconds in all, with opening the point, and products until the residuals were small enough. */
  readonly seconds: readonly [ours: number, torch: number];
  readonly products: readonly [ours: number, torch: number];
  /** Seconds of one product. */
  readonly perProduct: readonly [ours: number, torch: number];
}

const COUNT = 5;
const TOLERANCE = 1e-4;

/** Computes the top eigenvalues of a network's Hessian here and by PyTorch, on the same weights and images. */
export async function compareWithTorch(
  id: string,
  {
    samples,
    threads,
    log,
  }: { readonly samples: number; readonly threads: number; readonly log: (line: string) => void },
): Promise<TorchCase> {
  const network = surfaceModels[id];
  if (network === undefined) throw new Error(`bench curvature: expected a case, got ${id}`);
  const model = network.make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const layout = layoutOfModel(model);
  const theta = await readWeights(model, layout);
  const images = tf.randomNormal([samples, ...network.shape], 0, 1, "float32", 7);
  const labels = Int32Array.from({ length: samples }, (_, i) => (i * 7) % 10);
  const ys = tf.oneHot(tf.tensor1d(labels, "int32"), 10).toFloat();
  const python = preparePython(log, "requirements-torch.txt");
  if (python === null) throw new Error("bench curvature: expected PyTorch, got none");
  const folder = mkdtempSync(join(tmpdir(), "tfjs-landscape-bench-"));
  const write = (name: string, values: Float32Array) =>
    writeFileSync(
      join(folder, `${name}.f32`),
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
  write("theta", theta);
  for (const name of ["dx", "dy"]) write(name, new Float32Array(theta.length));
  write("images", Float32Array.from(await images.data()));
  write("labels", Float32Array.from(labels));
  const parameters = layout.parameters.map(({ name: key, shape: lengths, offset }) => ({
    key,
    lengths,
    offset,
  }));
  const facts = { case: id, shape: network.shape, samples, parameters };
  writeFileSync(join(folder, "layout.json"), JSON.stringify(facts));
  const peer = startPeer(python, "curvature_peer.py", threads);
  try {
    await peer.ask({ prepare: folder });
    const top = { count: COUNT, tolerance: TOLERANCE, products: 300 };
    const torch = (await peer.ask({ top })) as {
      values: number[];
      products: number;
      seconds: number;
      perProduct: number;
    };
    const begin = performance.now();
    const curvature = await createCurvature(model, { xs: images, ys }, { loss: "logits", dataId: "bench" });
    const point = await curvature.at(theta);
    const operator = hessianOperator(point, curvature.layout);
    const found = await topEigenpairs(operator, { count: COUNT, tolerance: TOLERANCE, products: 300 });
    const seconds = (performance.now() - begin) / 1000;
    const probe = new Float64Array(operator.size).fill(1);
    const between = performance.now();
    for (let i = 0; i < 3; i++) await operator.apply(probe);
    const perProduct = (performance.now() - between) / 3000;
    point.dispose();
    curvature.dispose();
    const ours = Array.from(found.values);
    const sorted = (values: readonly number[]) => [...values].sort((a, b) => b - a);
    const differences = sorted(ours).map((value, i) => Math.abs(value - (sorted(torch.values)[i] as number)));
    const difference = Math.max(...differences) / Math.abs(ours[0] as number);
    log(
      `${id}: eigenvalues agree to ${difference.toExponential(1)} of the largest; ${perProduct.toFixed(3)} s a product, PyTorch ${torch.perProduct.toFixed(3)} s; in all ${seconds.toFixed(1)} s and ${torch.seconds.toFixed(1)} s`,
    );
    return {
      case: id,
      samples,
      ours,
      torch: torch.values,
      difference,
      seconds: [seconds, torch.seconds],
      products: [found.products, torch.products],
      perProduct: [perProduct, torch.perProduct],
    };
  } finally {
    peer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

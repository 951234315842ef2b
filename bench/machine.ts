import { cpus, totalmem } from "node:os";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../src/backend/select-backend.js";

/** What figures were measured on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly backend: string;
  /** Billions of operations per second of a product of two 1500 × 1500 float32 matrices: the best of some. */
  readonly productGflops: number;
  /** The load of the machine before: above some tenths, seconds are not to be compared. */
  readonly freeCores: number;
}

const SIDE = 1500;
const ROUNDS = 8;

/**
 * Returns what figures are measured on, with the rate of a large product on the backend that is chosen: what no network
 * can beat by arithmetic alone.
 */
export async function describeMachine(): Promise<Machine> {
  const { loadavg } = await import("node:os");
  const [load = 0] = loadavg();
  const { name } = await selectBackend();
  const [a, b] = [0, 1].map((seed) => tf.randomUniform([SIDE, SIDE], -1, 1, "float32", seed)) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    const product = tf.matMul(a, b);
    await product.data();
    product.dispose();
    least = Math.min(least, (performance.now() - begin) / 1000);
  }
  tf.dispose([a, b]);
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    backend: name,
    productGflops: Number(((2 * SIDE ** 3) / least / 1e9).toFixed(1)),
    freeCores: Number(Math.max(0, all.length - load).toFixed(1)),
  };
}

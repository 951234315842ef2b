import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { createLeNet, loadMnist } from "../src/cli/demo/train.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../src/loss/loss-evaluator.js";
import type { EngineChoice } from "../src/loss/loss-options.js";
import { approximateSurface } from "../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../src/surface/evaluate-surface.js";
import { createGrid } from "../src/surface/grid.js";
import { timed, trainedPlanes } from "./approximate.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { median } from "./capture-statistics.js";

/** What two started workers gain, in exact points and in an approximate surface. */
export interface ApproximateWorkersCase {
  readonly case: "exact points" | "approximate surface";
  readonly engine: string;
  /** Medians of seconds with one and with two workers of one thread each. */
  readonly one: number;
  readonly two: number;
  /** one / two of each seed, measured in turn: 2 would be perfect. */
  readonly scalings: readonly number[];
  readonly samples: number;
}

const ENGINES = ["onnx", "tensorflow"] as const satisfies readonly EngineChoice[];

/** Exact points of the comparison, about as many as an approximate surface takes. */
const EXACT = { alpha: 7, beta: 4 };

/**
 * Measures what a second worker gains in an approximate surface of 25 × 25 points, on the plane of a LeNet's principal
 * components. Exact points alone, measured beside it, show what the processors allow.
 *
 * Arguments: `--samples n` (default 10,000), `--seeds n` (default 5), `--engine onnx|tensorflow` (default both).
 */
export async function runBench({ args, log }: BenchOptions): Promise<{
  readonly bench: "approximate-workers";
  readonly cases: readonly ApproximateWorkersCase[];
}> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      samples: { type: "string", default: "10000" },
      seeds: { type: "string", default: "5" },
      engine: { type: "string", multiple: true, default: [...ENGINES] },
    },
  });
  const samples = parseCount("--samples", 1)(values.samples);
  const seeds = parseCount("--seeds", 1)(values.seeds);
  checkNames("--engine", values.engine, ENGINES);
  await selectBackend({ backend: "native" });
  const images = await loadMnist("train", samples);
  const model = createLeNet(1);
  const [{ directions, grid }] = await trainedPlanes(model, 25, log);
  const axis = (size: number) => ({ from: -1, to: 1, size });
  const points = createGrid({ grid: { alpha: axis(EXACT.alpha), beta: axis(EXACT.beta) } });
  const cases: ApproximateWorkersCase[] = [];
  try {
    for (const engine of values.engine as EngineChoice[]) {
      const open: LossEvaluator[] = [];
      try {
        const common = { engine, dataId: "mnist" } as const;
        open.push(await createLossEvaluator(model, images, { ...common, workers: 1 }));
        const { batchSize } = open[0].facts.engine;
        open.push(await createLossEvaluator(model, images, { ...common, batchSize, workers: 2 }));
        const tasks: Record<
          ApproximateWorkersCase["case"],
          (evaluator: LossEvaluator, seed: number) => Promise<unknown>
        > = {
          "exact points": (evaluator) => evaluateSurface(evaluator, directions, points),
          "approximate surface": (evaluator, seed) =>
            approximateSurface(evaluator, directions, grid, { seed }),
        };
        // What a worker does for the first time only, in either task, is no part of it.
        for (const evaluator of open) for (const task of Object.values(tasks)) await task(evaluator, 1000);
        for (const [name, task] of Object.entries(tasks)) {
          const seconds: number[][] = open.map(() => []);
          for (let seed = 0; seed < seeds; seed++) {
            for (const [i, evaluator] of open.entries()) {
              const [, took] = await timed(() => task(evaluator, seed));
              seconds[i].push(took);
            }
            log(`approximate-workers ${engine}, ${name}: ${seconds.map((all) => all.at(-1)?.toFixed(2))}`);
          }
          const [one, two] = seconds;
          cases.push({
            case: name as ApproximateWorkersCase["case"],
            engine: open[0].facts.engine.name,
            one: median(one),
            two: median(two),
            scalings: one.map((value, i) => value / two[i]),
            samples,
          });
        }
      } finally {
        for (const evaluator of open) evaluator.dispose();
      }
    }
  } finally {
    tf.dispose([images.xs, images.ys]);
    model.dispose();
  }
  return { bench: "approximate-workers", cases };
}

import type * as tf from "@tensorflow/tfjs";
import { requireOnnxRuntime } from "../../backend/onnx-runtime.js";
import { EvaluationError, InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import { betweenBatches } from "../evaluate-at.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { EngineInfo } from "../loss-evaluator.js";
import type { LossPlan } from "../loss-plan.js";
import { portsOf } from "../model-ports.js";
import { openSamples } from "../model-samples.js";
import {
  createRecalibrator,
  type ModelRecalibrator,
  type RecalibratorOptions,
  type StatisticPlace,
  statisticPlaces,
} from "../recalibrator.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import { createQueue } from "./graph-evaluator.js";
import { type GraphEngine, readColumns } from "./graph-program.js";
import { createOnnxEngine } from "./onnx/onnx-engine.js";
import { type Graph, type GraphNode, type LoweredNorm, type ValueId, withInputs } from "./plan/graph.js";
import { planModel, weightsAt } from "./plan/plan-model.js";
import { foldPadding, prune } from "./plan/simplify-graph.js";
import { createTfEngine } from "./tensorflow/tf-engine.js";

/** Samples on which the engine's statistics are compared with those of the model's own ops. */
const CHECK_SAMPLES = 64;
/** How far they may be apart, in standard deviations of what is normalized. */
const TOLERANCE = 1e-3;

/**
 * Creates a recalibrator that computes the statistics with an evaluator's engine, in one forward pass: the definition
 * is that of `createRecalibrator`, which is returned where no engine can be used (the model's own ops evaluate, or the
 * network has no plan). At the 1st, 2nd, 4th, 8th, … θ the statistics of the first samples must be those of the
 * model's own ops.
 *
 * @param engine - what the evaluator chose; `loss` - what it computes.
 * @throws {@link EvaluationError} from a recalibration, where the engine does not agree.
 */
export async function createFastRecalibrator(
  model: tf.LayersModel,
  data: EvaluationData,
  engine: Pick<EngineInfo, "name" | "threads" | "device">,
  loss: LossPlan,
  options: RecalibratorOptions,
): Promise<ModelRecalibrator> {
  const chosen = engineNamed(engine);
  const layout = options.layout ?? layoutOfModel(model);
  const places = statisticPlaces(model, layout);
  const plan = planModel(model, loss, layout);
  if (chosen === null || !plan.supported || places.length === 0)
    return createRecalibrator(model, data, options);
  const { graph, norms } = calibrationGraph(plan.whole, plan.norms);
  const program = await chosen.compile(graph).catch(() => null);
  if (program === null) return createRecalibrator(model, data, options);

  const { sampleLimit = 1024, batchSize = sampleLimit, dataId, nonFiniteData } = options;
  const sourceOptions = {
    batchSize,
    sampleLimit,
    dataId,
    cacheBytes: 2 ** 29,
    nonFiniteData,
    signal: undefined,
  };
  const source = await openSamples(portsOf(model), data, sourceOptions);
  // The set is small by definition, but for a data set that is too large to keep.
  if (source.targets === null) {
    source.dispose();
    program.dispose();
    return createRecalibrator(model, data, options);
  }
  const { samples, digest } = source;
  const columns = await readColumns(source, plan).finally(() => source.dispose());
  const some = Math.min(CHECK_SAMPLES, samples);
  const ownOps = await createRecalibrator(model, data, {
    ...options,
    sampleLimit: some,
    batchSize: some,
    dataId: "check",
  });
  const batches = program.cut(columns, Math.min(batchSize, samples));
  const first = program.cut(
    {
      samples: some,
      columns: columns.columns.map((column) => ({
        ...column,
        values: column.values.subarray(0, (column.values.length / samples) * some),
      })),
    },
    some,
  );
  const queue = createQueue(() => {
    batches.dispose();
    first.dispose();
    program.dispose();
    ownOps.dispose();
  });
  const byLayer = new Map(places.map((place) => [place.layer as object, place]));
  const writeInto = async (theta: Float32Array, cut: typeof batches, signal: AbortSignal | undefined) => {
    const sums = new Map<StatisticPlace, { readonly values: Float64Array; count: number }>();
    for (let batch = 0; batch < cut.count; batch++) {
      signal?.throwIfAborted();
      const output = await cut.run(batch);
      const weight = cut.samplesOf(batch);
      let offset = 0;
      for (const norm of norms) {
        const width = 2 * norm.channels;
        const place = byLayer.get(norm.layer);
        const part = output.subarray(offset, offset + width);
        offset += width;
        if (place === undefined) continue;
        const sum = sums.get(place) ?? { values: new Float64Array(width), count: 0 };
        for (let i = 0; i < width; i++)
          sum.values[i] = (sum.values[i] as number) + weight * (part[i] as number);
        sum.count += weight;
        sums.set(place, sum);
      }
      await betweenBatches(signal);
    }
    for (const [{ mean, variance }, { values, count }] of sums) {
      const means = values.map((value) => value / count);
      theta.set(means.subarray(0, mean.size), mean.offset);
      theta.set(means.subarray(mean.size), variance.offset);
    }
  };
  let done = 0;
  const check = async (given: Float32Array, signal: AbortSignal | undefined): Promise<void> => {
    done++;
    if (!Number.isInteger(Math.log2(done))) return;
    const [own, fast] = [Float32Array.from(given), Float32Array.from(given)];
    await ownOps.recalibrateInto(own, signal);
    await writeInto(fast, first, signal);
    const difference = differenceOf(fast, own, places);
    if (difference === null) return;
    const expected = `the statistics of the model's own ops on the first ${some} samples`;
    throw new EvaluationError(`engine "${chosen.name}"`, expected, difference, {
      hint: 'use engine: "tfjs"',
    });
  };
  return {
    dataDigest: digest,
    samples,
    recalibrateInto: (theta, signal) =>
      queue.run(async () => {
        if (queue.isClosed())
          throw new InvalidOptionError("Recalibrator", "one in use", "one that was disposed");
        if (theta.length !== layout.parameterCount) {
          throw new InvalidDataError("theta", `${layout.parameterCount} weights`, String(theta.length));
        }
        await program.setWeights(weightsAt(graph, plan.reader(theta)));
        await check(theta, signal);
        await writeInto(theta, batches, signal);
      }),
    dispose: queue.close,
  };
}

/** The engine that an evaluator chose; null for the model's own ops. */
function engineNamed({
  name,
  threads,
  device,
}: Pick<EngineInfo, "name" | "threads" | "device">): GraphEngine | null {
  if (name === "onnx") return createOnnxEngine(requireOnnxRuntime(), threads, device);
  if (name === "tensorflow") return createTfEngine();
  return name === "tfjs-fused" ? createFusedEngine() : null;
}

/** Says which statistic differs by more than rounding can explain, or null. */
function differenceOf(
  found: Float32Array,
  expected: Float32Array,
  places: readonly StatisticPlace[],
): string | null {
  for (const { layer, mean, variance } of places) {
    for (let i = 0; i < mean.size; i++) {
      const [m, v] = [mean.offset + i, variance.offset + i];
      const spread = (expected[v] as number) + Math.abs(expected[m] as number) ** 2 * 1e-6;
      const differs = (a: number, b: number, slack: number) =>
        Number.isFinite(a) && Number.isFinite(b)
          ? Math.abs(a - b) > slack
          : Number.isFinite(a) !== Number.isFinite(b);
      if (differs(found[m] as number, expected[m] as number, TOLERANCE * Math.sqrt(spread) + 1e-30))
        return `${layer.name}: mean ${found[m]}, not ${expected[m]}`;
      if (differs(found[v] as number, expected[v] as number, 3 * TOLERANCE * spread + 1e-30))
        return `${layer.name}: variance ${found[v]}, not ${expected[v]}`;
    }
  }
  return null;
}

/** A program that gives the statistics of a network's batch normalizations over a batch. */
interface CalibrationGraph {
  /** Its output packs mean and variance of each normalization, one after another. */
  readonly graph: Graph;
  /** The normalizations in that order; one that is used twice is there twice. */
  readonly norms: readonly LoweredNorm[];
}

/**
 * Returns the program in which every batch normalization normalizes by the mean and the biased variance of what it is
 * given: one forward pass over a batch then gives the statistics of all, each computed behind those before it.
 *
 * @param graph - the network before anything is folded or cut: statistics are over whole images.
 */
function calibrationGraph(graph: Graph, norms: readonly LoweredNorm[]): CalibrationGraph {
  const byNode = new Map(norms.map((norm) => [norm.node, norm]));
  const nodes: GraphNode[] = [];
  const places: ValueId[] = [];
  const add = (node: GraphNode): ValueId => nodes.push(node) - 1;
  const moments: { readonly norm: LoweredNorm; readonly at: readonly [ValueId, ValueId] }[] = [];
  graph.nodes.forEach((node, id) => {
    const norm = byNode.get(id);
    if (norm === undefined || node.op !== "affine") {
      const placed = withInputs(
        node,
        (value) => places[value] as ValueId,
        (weight) => weight,
      );
      places[id] = add(placed);
      return;
    }
    const x = places[node.x] as ValueId;
    const channels = [node.shape.at(-1) as number];
    const mean = add({ op: "batchMean", x, shape: channels });
    const variance = add({ op: "batchVariance", x, mean, shape: channels });
    moments.push({ norm, at: [mean, variance] });
    const { epsilon, scale, shift } = norm;
    places[id] = add({ op: "standardize", x, mean, variance, epsilon, scale, shift, shape: node.shape });
  });
  const xs = moments.flatMap(({ at }) => at);
  const length = xs.reduce((sum, id) => sum + ((nodes[id] as GraphNode).shape[0] as number), 0);
  const packed = add({ op: "pack", xs, shape: [length] });
  const whole = prune({ nodes, weights: graph.weights, outputs: [packed] });
  return { graph: foldPadding(whole), norms: moments.map(({ norm }) => norm) };
}

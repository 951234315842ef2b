import { encodeOnnxInitializers } from "../../../backend/onnx-model.js";
import type { OnnxRuntime, OrtSession, OrtTensor } from "../../../backend/onnx-runtime.js";
import { defined } from "../../../base/json.js";
import type { DataColumn, DataColumns, GraphEngine, GraphProgram, ProgramBatches } from "../graph-program.js";
import { type Graph, sizeOf } from "../plan/graph.js";
import { ONNX_OUTPUT, type OnnxProgram, onnxProgram } from "./onnx-program.js";
import { type ImageOrder, inLayout } from "./onnx-writer.js";

/**
 * Creates the engine that runs graphs in ONNX Runtime, on the processor unless told otherwise.
 *
 * Where there are convolutions, the weights are initializers, and every point gets a session of its own: ONNX
 * Runtime then lays them out for its blocked convolutions, which takes a few milliseconds and makes a point about
 * twice as fast as weights that are inputs. Products gain nothing from that: without convolutions the weights are
 * inputs of one session, and so they are for few samples, where a session takes longer than it saves. On a graphics
 * card they are so always.
 *
 * @param device - "webgpu" or "cuda"; see `deviceProblem` for whether it is there.
 */
export function createOnnxEngine(runtime: OnnxRuntime, threads: number, device?: string): GraphEngine {
  const version = runtime.env.versions?.node ?? runtime.env.versions?.common ?? "unknown";
  return {
    name: "onnx",
    backend: `onnxruntime-node ${version}${device === undefined ? "" : ` on ${device}`}`,
    threads,
    ...defined({ device }),
    compile: async (graph, samples) => {
      const program = onnxProgram(graph, { feedsWeights: device !== undefined, samples });
      return createProgram(runtime, threads, graph, program, device);
    },
  };
}

function createProgram(
  runtime: OnnxRuntime,
  threads: number,
  graph: Graph,
  program: OnnxProgram,
  device?: string,
): GraphProgram {
  const options = {
    executionProviders: [device ?? "cpu"],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  let session: OrtSession | undefined;
  let fed: Readonly<Record<string, OrtTensor>> = {};
  const turned = new WeakMap<Float32Array, Float32Array>();
  const run = async (feeds: Readonly<Record<string, OrtTensor>>): Promise<Float32Array> => {
    const outputs = await (session as OrtSession).run({ ...feeds, ...fed });
    return (outputs[ONNX_OUTPUT] as OrtTensor).data;
  };
  return {
    isForFew: program.isForFew,
    cut: (data, batchSize) => cutFeeds(runtime, program, data, batchSize, turned, run),
    async setWeights(weights) {
      if (program.feedsWeights) {
        session ??= await runtime.InferenceSession.create(program.model, options);
        fed = weightFeeds(runtime, graph, program, weights);
        return;
      }
      const model = modelWithWeights(graph, program, weights);
      const fresh = await runtime.InferenceSession.create(model, options);
      await session?.release();
      session = fresh;
    },
    dispose() {
      // Releasing runs at once; its promise tells nothing more.
      void session?.release();
      session = undefined;
      fed = {};
    },
  };
}

/** The weights of a point in the layouts of the model. */
function weightTensors(graph: Graph, { slots }: OnnxProgram, values: readonly Float32Array[]) {
  return slots.map(({ name, weight, layout, dims }) => {
    const { shape } = graph.weights[weight] as Graph["weights"][0];
    return { name, dims, data: inLayout(values[weight] as Float32Array, shape, layout) };
  });
}

function weightFeeds(
  { Tensor }: OnnxRuntime,
  graph: Graph,
  program: OnnxProgram,
  values: readonly Float32Array[],
): Readonly<Record<string, OrtTensor>> {
  const tensors = weightTensors(graph, program, values);
  return Object.fromEntries(tensors.map(({ name, dims, data }) => [name, new Tensor("float32", data, dims)]));
}

function modelWithWeights(graph: Graph, program: OnnxProgram, values: readonly Float32Array[]): Uint8Array {
  const { model } = program;
  const weights = encodeOnnxInitializers(weightTensors(graph, program, values));
  const whole = new Uint8Array(model.length + weights.length);
  whole.set(model);
  whole.set(weights, model.length);
  return whole;
}

function cutFeeds(
  { Tensor }: OnnxRuntime,
  program: OnnxProgram,
  data: DataColumns,
  batchSize: number,
  turned: WeakMap<Float32Array, Float32Array>,
  run: (feeds: Readonly<Record<string, OrtTensor>>) => Promise<Float32Array>,
): ProgramBatches {
  const columns = program.inputs.flatMap(({ name, order }) => {
    const column = data.columns.find((candidate) => candidate.name === name);
    return column === undefined ? [] : [inOrder(column, order, turned)];
  });
  const count = Math.ceil(data.samples / batchSize);
  const samplesOf = (batch: number) => Math.min(batchSize, data.samples - batch * batchSize);
  let feeds = Array.from({ length: count }, (_, batch) => {
    const samples = samplesOf(batch);
    const tensors = columns.map(({ name, shape, values }) => {
      const size = sizeOf(shape);
      const start = batch * batchSize * size;
      return [
        name,
        new Tensor("float32", values.subarray(start, start + samples * size), [samples, ...shape]),
      ];
    });
    return Object.fromEntries(tensors) as Record<string, OrtTensor>;
  });
  return {
    count,
    samplesOf,
    run(batch, variables = {}) {
      const numbers = Object.entries(variables).map(([name, values]) => [
        name,
        new Tensor("float32", Float32Array.from(values), [1, values.length]),
      ]);
      return run({ ...feeds[batch], ...Object.fromEntries(numbers) });
    },
    dispose() {
      feeds = [];
    },
  };
}

/** Images channels first; the copy is shared by all cuts of the same data. */
function inOrder(
  column: DataColumn,
  order: ImageOrder,
  turned: WeakMap<Float32Array, Float32Array>,
): DataColumn {
  if (order === "channelsLast") return column;
  const [height, width, channels] = column.shape as readonly [number, number, number];
  const shape = [channels, height, width];
  if (channels === 1) return { ...column, shape };
  const known = turned.get(column.values) ?? channelsFirst(column.values, height * width, channels);
  turned.set(column.values, known);
  return { ...column, shape, values: known };
}

function channelsFirst(values: Float32Array, pixels: number, channels: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let image = 0; image < values.length; image += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      const to = image + c * pixels;
      for (let p = 0; p < pixels; p++) result[to + p] = values[image + p * channels + c] as number;
    }
  }
  return result;
}

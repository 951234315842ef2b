import * as tf from "@tensorflow/tfjs";
import type { SampleSource } from "../evaluation-data.js";
import { type Graph, sizeOf } from "./plan/graph.js";

/** How far the loss on a device may be from that on the processor, relative. */
export const DEVICE_TOLERANCE = 1e-4;

/** Data of all samples for one input of a graph, sample by sample, channels last. */
export interface DataColumn {
  readonly name: string;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** An evaluation set as plain arrays. */
export interface DataColumns {
  readonly samples: number;
  readonly columns: readonly DataColumn[];
}

/** The numbers of a graph's variables, by name. */
export type VariableValues = Readonly<Record<string, readonly number[]>>;

/** Data held by an engine, cut into batches. */
export interface ProgramBatches {
  readonly count: number;
  /** Samples in a batch; the last one may be smaller. */
  samplesOf(batch: number): number;
  /** Runs the program on a batch and returns its output. */
  run(batch: number, variables?: VariableValues): Promise<Float32Array>;
  dispose(): void;
}

/** A graph compiled by an engine. */
export interface GraphProgram {
  /** Whether it has another form than for many samples. Default false. */
  readonly isForFew?: boolean | undefined;
  /** Puts data on the engine in batches; several cuts may be in use. */
  cut(data: DataColumns, batchSize: number): ProgramBatches;
  /** Puts the graph's weights (in its order, Keras's layouts) on the engine; before the first run. */
  setWeights(weights: readonly Float32Array[]): Promise<void>;
  dispose(): void;
}

/** What runs graphs. */
export interface GraphEngine {
  readonly name: "onnx" | "tensorflow" | "tfjs-fused";
  /** Library and version, for provenance. */
  readonly backend: string;
  readonly threads: number;
  /** "webgpu" or "cuda"; absent on the processor, and where no device was asked for. */
  readonly device?: string | undefined;
  /**
   * Compiles a graph with one output.
   *
   * @param samples - how many a point has, where few are to be expected: an engine may then spare what pays off for many.
   * @throws UnsupportedError if the engine lacks an operation.
   */
  compile(graph: Graph, samples?: number): Promise<GraphProgram>;
}

/** Shapes of one sample, in the order of a model's inputs and of its targets. */
export interface ColumnShapes {
  readonly xs: readonly (readonly number[])[];
  readonly ys: readonly (readonly number[])[];
}

/** An evaluation set in plain arrays with its digest. */
export interface DataSet extends DataColumns {
  /** sha-256 (hex) of the data, or the user's `dataId`. */
  readonly digest: string;
}

/** Reads samples back from the TF.js backend into plain arrays: x0, x1, …, y0, y1, …, and weights weight0, weight1, … */
export async function readColumns(source: SampleSource, { xs, ys }: ColumnShapes): Promise<DataColumns> {
  const columns = [
    ...xs.map((shape, i) => createColumn(`x${i}`, shape, source.samples)),
    ...ys.map((shape, i) => createColumn(`y${i}`, shape, source.samples)),
    ...source.weights.map((_, i) => createColumn(`weight${i}`, [1], source.samples)),
  ];
  let first = 0;
  await source.forEachBatch(async (batch) => {
    const tensors = [...batch.xs, ...batch.ys, ...batch.ws];
    const values = await Promise.all(tensors.map((tensor) => tensor.data()));
    values.forEach((part, i) => {
      const column = columns[i] as (typeof columns)[0];
      column.values.set(part, first * column.size);
    });
    first += batch.samples;
  });
  return { samples: source.samples, columns };
}

function createColumn(name: string, shape: readonly number[], samples: number) {
  const size = sizeOf(shape);
  return { name, shape, size, values: new Float32Array(samples * size) };
}

/** Returns the first samples of data, without copying. */
export function firstRows(data: DataColumns, samples: number): DataColumns {
  if (samples >= data.samples) return data;
  const columns = data.columns.map(({ name, shape, values }) => {
    const size = sizeOf(shape);
    return { name, shape, values: values.subarray(0, samples * size) };
  });
  return { samples, columns };
}

/** Returns copies of some samples of data. */
export function takeRows(data: DataColumns, rows: Int32Array): DataColumns {
  const columns = data.columns.map(({ name, shape, values }) => {
    const size = sizeOf(shape);
    const taken = new Float32Array(rows.length * size);
    rows.forEach((row, i) => {
      taken.set(values.subarray(row * size, (row + 1) * size), i * size);
    });
    return { name, shape, values: taken };
  });
  return { samples: rows.length, columns };
}

/** Whether a number in the data is NaN or infinite. */
export function hasNonFinite({ columns }: DataColumns): boolean {
  return columns.some(({ values }) => {
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return true;
    return false;
  });
}

/** Cuts images to the size that a graph takes, from the top left corner. */
export function cutColumns(data: DataColumns, { nodes }: Graph): DataColumns {
  const columns = data.columns.map((column) => {
    const input = nodes.find((node) => node.op === "input" && node.name === column.name);
    return input === undefined ? column : cutImages(column, input.shape);
  });
  return { ...data, columns };
}

function cutImages(column: DataColumn, shape: readonly number[]): DataColumn {
  const { shape: whole, values } = column;
  if (whole.join() === shape.join()) return column;
  const [fullHeight, fullWidth] = whole as readonly [number, number, number];
  const [height, width, channels] = shape as readonly [number, number, number];
  const images = values.length / (fullHeight * fullWidth * channels);
  const cut = new Float32Array(images * height * width * channels);
  let to = 0;
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < height; row++) {
      const from = (image * fullHeight + row) * fullWidth * channels;
      cut.set(values.subarray(from, from + width * channels), to);
      to += width * channels;
    }
  }
  return { ...column, shape, values: cut };
}

/** What a program takes in. */
export interface TensorInputs {
  /** Names of the inputs that change from batch to batch. */
  readonly columns: readonly string[];
  /** Names of the inputs that change from point to point. */
  readonly variables: readonly string[];
}

/** Keeps data as tensors, batch by batch; `run` gets those of a batch and the variables, as rows, by name. */
export function cutTensors(
  { columns, variables: names }: TensorInputs,
  data: DataColumns,
  batchSize: number,
  run: (inputs: Readonly<Record<string, tf.Tensor>>) => Float32Array,
): ProgramBatches {
  const used = data.columns.filter(({ name }) => columns.includes(name));
  const count = Math.ceil(data.samples / batchSize);
  const samplesOf = (batch: number) => Math.min(batchSize, data.samples - batch * batchSize);
  let batches = Array.from({ length: count }, (_, batch) =>
    Object.fromEntries(
      used.map((column) => [column.name, rowsTensor(column, batch * batchSize, samplesOf(batch))]),
    ),
  );
  return {
    count,
    samplesOf,
    async run(batch, variables = {}) {
      const numbers = Object.fromEntries(
        names.map((name) => [name, tf.tensor2d([variables[name] as number[]])]),
      );
      try {
        return run({ ...batches[batch], ...numbers });
      } finally {
        tf.dispose(numbers);
      }
    },
    dispose() {
      tf.dispose(batches);
      batches = [];
    },
  };
}

/** A copy: the backend would keep the whole array that a view is of. */
function rowsTensor({ shape, values }: DataColumn, start: number, samples: number): tf.Tensor {
  const size = sizeOf(shape);
  return tf.tensor(values.slice(start * size, (start + samples) * size), [samples, ...shape], "float32");
}

import type { Graph } from "./plan/graph.js";

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
  /**
   * Compiles a graph with one output.
   *
   * @throws UnsupportedError if the engine lacks an operation.
   */
  compile(graph: Graph): Promise<GraphProgram>;
}

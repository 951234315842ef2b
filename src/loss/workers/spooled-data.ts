import { type FileHandle, open } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../../base/errors.js";
import { appendRaw, type JobFolder, type RawValues, readRaw } from "../../jobs/job-folder.js";
import { firstPass } from "../dataset-source.js";
import {
  type Batch,
  type EvaluationData,
  isBatchDataset,
  type SampleSourceOptions,
  type TensorData,
} from "../evaluation-data.js";
import { type ModelPorts, orderedTensors } from "../model-ports.js";
import { firstSamples, sampleKind } from "../resident-samples.js";

/** One tensor of the data: its samples lie one after another in a file. */
interface SpooledColumn {
  readonly file: string;
  readonly dtype: "float32" | "int32" | "bool";
  /** Shape of one sample; null where the tensor has one number for each and no axis for it. */
  readonly shape: readonly number[];
}

/** An evaluation set in files, as worker processes read it: plain data, to be sent to them. */
export interface SpooledData {
  readonly xs: readonly SpooledColumn[];
  readonly ys: readonly SpooledColumn[];
  /** Weights of the samples, one for each output; empty where there are none. */
  readonly ws: readonly SpooledColumn[];
  /** Samples in each batch of a data set; of tensors, all in one. */
  readonly batches: readonly number[];
  /** Whether it was a data set of batches, and is to be one again. */
  readonly isDataset: boolean;
}

/**
 * Writes an evaluation set into files, one for each input and target, batch by batch, so that a data set
 * larger than memory goes through. Files that several processes read share the system's page cache.
 *
 * @param name - begins the names of the files.
 * @throws {@link InvalidDataError} if the data do not fit the model, are text, or change type or shape of
 * samples from batch to batch.
 */
export async function spoolData(
  folder: JobFolder,
  name: string,
  ports: ModelPorts,
  data: EvaluationData,
  { sampleLimit, signal, dataLimit }: Pick<SampleSourceOptions, "sampleLimit" | "signal" | "dataLimit">,
): Promise<SpooledData> {
  const handles: FileHandle[] = [];
  const batches: number[] = [];
  let columns: readonly SpooledColumn[] | undefined;
  let kinds: readonly string[] | undefined;
  const where = [
    ...[...ports.xs, ...ports.ys].map((port) => port.where),
    ...ports.ys.map(() => "sampleWeight"),
  ];
  const write = async (batch: Batch): Promise<void> => {
    const tensors = [...batch.xs, ...batch.ys, ...batch.ws];
    columns ??= tensors.map((tensor, i) => columnOf(tensor, folder.file(`${name}-${i}.bin`)));
    kinds ??= tensors.map(sampleKind);
    for (const [i, tensor] of tensors.entries()) {
      checkKind(where[i] as string, kinds[i] as string, sampleKind(tensor));
      handles[i] ??= await open((columns[i] as SpooledColumn).file, "wx");
      await appendRaw(handles[i] as FileHandle, (await tensor.data()) as RawValues);
    }
    batches.push(batch.samples);
  };
  try {
    if (!isBatchDataset(data)) await writeTensors(orderedTensors(ports, data), sampleLimit, write);
    else {
      for await (const batch of firstPass(ports, data, { sampleLimit, signal, dataLimit })) {
        try {
          await write(batch);
        } finally {
          tf.dispose([...batch.xs, ...batch.ys, ...batch.ws]);
        }
      }
    }
  } finally {
    for (const handle of handles) await handle.close();
  }
  if (columns === undefined) throw new InvalidDataError("data", "at least one sample", "an empty data set");
  const inputs = ports.xs.length;
  return {
    xs: columns.slice(0, inputs),
    ys: columns.slice(inputs, inputs + ports.ys.length),
    ws: columns.slice(inputs + ports.ys.length),
    batches,
    isDataset: isBatchDataset(data),
  };
}

async function writeTensors(
  all: Batch,
  sampleLimit: number,
  write: (batch: Batch) => Promise<void>,
): Promise<void> {
  if (all.samples <= sampleLimit) return write(all);
  const some = firstSamples(all, sampleLimit);
  try {
    await write(some);
  } finally {
    tf.dispose([...some.xs, ...some.ys, ...some.ws]);
  }
}

function checkKind(where: string, expected: string, kind: string): void {
  if (kind !== expected) throw new InvalidDataError(where, `samples of ${expected} throughout`, kind);
}

function columnOf({ dtype, shape }: tf.Tensor, file: string): SpooledColumn {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") {
    return { file, dtype, shape: shape.slice(1) };
  }
  throw new InvalidDataError("data", "numbers", `a tensor of ${dtype}`);
}

/** Returns spooled data as what they were: tensors, which are the receiver's to dispose, or a data set. */
export async function readSpooled(data: SpooledData): Promise<EvaluationData> {
  if (data.isDataset) return { iterator: async () => spooledBatches(data) };
  const [samples] = data.batches as readonly [number];
  return readBatch(data, 0, samples);
}

async function spooledBatches(data: SpooledData) {
  let batch = 0;
  let first = 0;
  return {
    async next() {
      const samples = data.batches[batch++];
      if (samples === undefined) return { value: null, done: true };
      const value = await readBatch(data, first, samples);
      first += samples;
      return { value, done: false };
    },
  };
}

async function readBatch({ xs, ys, ws }: SpooledData, first: number, samples: number): Promise<TensorData> {
  const read = async (columns: readonly SpooledColumn[]) => {
    const tensors: tf.Tensor[] = [];
    for (const column of columns) tensors.push(await readTensor(column, first, samples));
    return tensors;
  };
  const data = { xs: await read(xs), ys: await read(ys) };
  return ws.length === 0 ? data : { ...data, sampleWeight: await read(ws) };
}

async function readTensor(
  { file, dtype, shape }: SpooledColumn,
  first: number,
  samples: number,
): Promise<tf.Tensor> {
  const size = shape.reduce((product, length) => product * length, 1);
  const Values = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
  const values = new Values(samples * size);
  const handle = await open(file, "r");
  try {
    await readRaw(handle, first * size * values.BYTES_PER_ELEMENT, values);
  } finally {
    await handle.close();
  }
  return tf.tensor(values, [samples, ...shape], dtype);
}

import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../base/errors.js";
import { betweenBatches } from "./evaluate-at.js";
import type { Batch, BatchDataset, DataLimit, SampleSource, SampleSourceOptions } from "./evaluation-data.js";
import { type ModelPorts, orderedTensors } from "./model-ports.js";
import {
  createDataHash,
  createFiniteCheck,
  type DataHash,
  firstSamples,
  holdSamples,
  modelForm,
} from "./resident-samples.js";
import { createSampleWeigher } from "./sample-weights.js";

/** Samples of a data set's first pass, as long as they are few enough to keep. */
interface FirstPass {
  readonly samples: number;
  readonly digest: string;
  readonly batchSize: number;
  readonly largest: readonly number[];
  /** All batches, or null if there are more bytes than are to be kept. */
  readonly kept: readonly Batch[] | null;
}

/**
 * Opens a data set of batches `{ xs, ys }`: reads it once, hashing it, and keeps it on the backend if it is
 * small enough; otherwise it is read again at every evaluation, and a pass that differs is an error.
 */
export async function openDataset(
  ports: ModelPorts,
  dataset: BatchDataset,
  options: SampleSourceOptions,
): Promise<SampleSource> {
  const first = await readFirstPass(ports, dataset, options);
  if (first.kept === null) return streamSamples(ports, dataset, first, options);
  const joined = joinBatches(first.kept, first.samples);
  let ws: readonly tf.Tensor[] = [];
  try {
    ws = await createSampleWeigher(ports, options.classWeight).weigh(joined);
    return holdSamples(ports, { ...joined, ws }, first, options.batchSize);
  } finally {
    tf.dispose([...joined.xs, ...joined.ys, ...ws]);
  }
}

/**
 * Refuses a data set without an end, where TF.js knows the size of what is repeated.
 *
 * @throws {@link InvalidDataError} if it has none, and no number of samples is asked for.
 */
export function refuseEndless(
  { size }: BatchDataset,
  { sampleLimit }: Pick<SampleSourceOptions, "sampleLimit">,
): void {
  if (size !== Number.POSITIVE_INFINITY || sampleLimit !== Number.POSITIVE_INFINITY) return;
  throw new InvalidDataError("data", "a data set that ends", "one of size Infinity", {
    hint: "leave out repeat(), or take as many samples as one pass has: dataset.take(batches), or sampleLimit",
  });
}

/** Reads on only within the limits of a first pass. */
function createPassLimit({ samples = 1e7, bytes = 2 ** 34, seconds = 300 }: DataLimit = {}) {
  const begin = performance.now();
  return (read: { readonly samples: number; readonly bytes: number }): void => {
    const taken = (performance.now() - begin) / 1000;
    const [name, most] =
      read.samples > samples
        ? (["samples", samples] as const)
        : read.bytes > bytes
          ? (["bytes", bytes] as const)
          : (["seconds", seconds] as const);
    if (name === "seconds" && taken <= seconds) return;
    const got = `${read.samples} samples (${read.bytes} bytes) in ${taken.toFixed(1)} s and no end`;
    throw new InvalidDataError("data", `a data set that ends within ${most} ${name}`, got, {
      hint: `take as many samples as one pass has (sampleLimit), or raise dataLimit.${name}`,
    });
  };
}

async function readFirstPass(
  ports: ModelPorts,
  dataset: BatchDataset,
  options: SampleSourceOptions,
): Promise<FirstPass> {
  const hash = createDataHash(ports, options.dataId);
  const check = createFiniteCheck(ports, options.nonFiniteData);
  const weigher = createSampleWeigher(ports, options.classWeight);
  let kept: Batch[] | null = [];
  let bytes = 0;
  let batchSize = 0;
  try {
    for await (const batch of firstPass(ports, dataset, options)) {
      batchSize ||= batch.samples;
      try {
        await hash.add(batch);
        await check.add(batch);
        // Every class has to have a weight, also where the batch is not kept.
        tf.dispose([...(await weigher.weigh(batch))]);
      } catch (error) {
        disposeBatch(batch);
        throw error;
      }
      bytes += batchBytes(batch);
      if (bytes > options.cacheBytes) {
        kept?.forEach(disposeBatch);
        kept = null;
      }
      if (kept === null) disposeBatch(batch);
      else kept.push(batch);
    }
    check.finish();
  } catch (error) {
    kept?.forEach(disposeBatch);
    throw error;
  }
  if (hash.samples === 0) throw new InvalidDataError("data", "at least one sample", "an empty data set");
  return { samples: hash.samples, digest: hash.digest(), batchSize, largest: check.largest, kept };
}

/**
 * Yields the checked batches of the pass that finds out where a data set ends; they are the receiver's to dispose.
 *
 * @throws {@link InvalidDataError} for a data set that has no end, by its size or within the limit.
 */
export async function* firstPass(
  ports: ModelPorts,
  dataset: BatchDataset,
  options: Pick<SampleSourceOptions, "sampleLimit" | "signal" | "dataLimit">,
): AsyncGenerator<Batch> {
  refuseEndless(dataset, options);
  const checkLimit = createPassLimit(options.dataLimit);
  const read = { samples: 0, bytes: 0 };
  for await (const batch of readBatches(ports, dataset, options)) {
    read.samples += batch.samples;
    read.bytes += batchBytes(batch);
    try {
      checkLimit(read);
    } catch (error) {
      disposeBatch(batch);
      throw error;
    }
    yield batch;
  }
}

/** Yields the checked batches of one pass, up to the limit of samples; they are the receiver's to dispose. */
async function* readBatches(
  ports: ModelPorts,
  dataset: BatchDataset,
  options: Pick<SampleSourceOptions, "sampleLimit" | "signal">,
): AsyncGenerator<Batch> {
  const iterator = await dataset.iterator();
  for (let left = options.sampleLimit; left > 0; ) {
    await betweenBatches(options.signal);
    // The last batch may come with `done`: a generator may return it.
    const { value, done } = await iterator.next();
    if (value === null || value === undefined) return;
    const batch = takeBatch(ports, value, left);
    left = done === true ? 0 : left - batch.samples;
    yield batch;
  }
}

/** Checks one element of a data set, and cuts it to at most `limit` samples. */
function takeBatch(ports: ModelPorts, value: unknown, limit: number): Batch {
  let batch: Batch;
  try {
    refuseSampleWeight(value);
    batch = orderedTensors(ports, value);
    if (ports.fixedBatch !== null && batch.samples !== ports.fixedBatch) {
      throw new InvalidDataError("data", `batches of ${ports.fixedBatch} samples`, `one of ${batch.samples}`);
    }
  } catch (error) {
    tf.dispose(value as tf.TensorContainer);
    throw error;
  }
  if (batch.samples <= limit) return batch;
  const cut = firstSamples(batch, limit);
  disposeBatch(batch);
  return cut;
}

function refuseSampleWeight(value: unknown): void {
  if (typeof value !== "object" || value === null || !("sampleWeight" in value)) return;
  throw new InvalidDataError("data", "batches { xs, ys }", "batches with sampleWeight", {
    hint: "weights of single samples are taken with tensors: { xs, ys, sampleWeight }",
  });
}

function streamSamples(
  ports: ModelPorts,
  dataset: BatchDataset,
  first: FirstPass,
  options: SampleSourceOptions,
): SampleSource {
  const weigher = createSampleWeigher(ports, options.classWeight);
  return {
    samples: first.samples,
    digest: first.digest,
    batchSize: first.batchSize,
    targets: null,
    weights: [],
    largest: first.largest,
    async forEachBatch(visit) {
      const hash = createDataHash(ports, options.dataId);
      for await (const batch of readBatches(ports, dataset, { ...options, signal: undefined })) {
        let formed: Batch | undefined;
        try {
          await hash.add(batch);
          formed = { ...modelForm(ports, batch), ws: await weigher.weigh(batch) };
          await visit(formed);
        } finally {
          disposeBatch(batch);
          if (formed !== undefined) disposeBatch(formed);
        }
      }
      checkSamePass(first, hash);
    },
    dispose() {},
  };
}

function checkSamePass(first: FirstPass, hash: DataHash): void {
  if (hash.samples === first.samples && hash.digest() === first.digest) return;
  const describe = (samples: number, digest: string) =>
    `${samples} samples with digest ${digest.slice(0, 12)}`;
  throw new InvalidDataError(
    "data",
    `the same data at every pass (${describe(first.samples, first.digest)})`,
    describe(hash.samples, hash.digest()),
    { hint: "take shuffling and random augmentation out of the data set" },
  );
}

function joinBatches(batches: readonly Batch[], samples: number): Batch {
  const join = (side: "xs" | "ys") =>
    (batches[0] as Batch)[side].map((_, i) => tf.concat(batches.map((batch) => batch[side][i] as tf.Tensor)));
  const joined = { xs: join("xs"), ys: join("ys"), ws: [], samples };
  batches.forEach(disposeBatch);
  return joined;
}

function disposeBatch({ xs, ys, ws }: Batch): void {
  tf.dispose([...xs, ...ys, ...ws]);
}

function batchBytes({ xs, ys }: Batch): number {
  return [...xs, ...ys].reduce((sum, tensor) => sum + tensor.size * 4, 0);
}

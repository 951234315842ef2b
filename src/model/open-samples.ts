import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../errors.js";
import { createDataHash } from "./data-hash.js";
import { openDataset } from "./dataset-source.js";
import { type EvaluationData, isBatchDataset, type TensorData } from "./evaluation-data.js";
import { type ModelPorts, orderedTensors } from "./model-ports.js";
import { firstSamples, holdSamples } from "./resident-samples.js";
import type { SampleSource, SampleSourceOptions } from "./sample-source.js";

/**
 * Opens evaluation data: checks and hashes them, and cuts tensors into batches once.
 *
 * @throws {@link InvalidDataError} if they do not fit the model.
 */
export async function openSamples(
  ports: ModelPorts,
  data: EvaluationData,
  options: SampleSourceOptions,
): Promise<SampleSource> {
  if (typeof data !== "object" || data === null) {
    throw new InvalidDataError(
      "data",
      "{ xs, ys } or a tf.data.Dataset",
      data === null ? "null" : typeof data,
    );
  }
  return isBatchDataset(data) ? openDataset(ports, data, options) : openTensors(ports, data, options);
}

async function openTensors(
  ports: ModelPorts,
  data: TensorData,
  options: SampleSourceOptions,
): Promise<SampleSource> {
  const given = orderedTensors(ports, data);
  const samples = Math.min(given.samples, options.sampleLimit);
  const kept = samples === given.samples ? given : firstSamples(given, samples);
  try {
    const hash = createDataHash(ports, options.dataId);
    await hash.add(kept);
    return holdSamples(ports, kept, hash.digest(), options.batchSize);
  } finally {
    if (kept !== given) tf.dispose([...kept.xs, ...kept.ys]);
  }
}

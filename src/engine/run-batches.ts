import { setImmediate } from "node:timers/promises";
import { betweenBatches } from "../model/between-batches.js";
import type { ProgramBatches, VariableValues } from "./graph-program.js";

/**
 * Runs a program on every batch and adds up its outputs in float64.
 *
 * @throws the signal's reason once it is aborted, after at most one more batch.
 */
export async function sumBatches(
  batches: ProgramBatches,
  length: number,
  variables: VariableValues | undefined,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const sums = new Float64Array(length);
  for (let batch = 0; batch < batches.count; batch++) {
    signal?.throwIfAborted();
    const totals = await batches.run(batch, variables);
    for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (totals[i] as number);
    await betweenBatches(signal);
  }
  // An engine may compute within the call: without this, timers would starve from point to point.
  await setImmediate();
  return sums;
}

/**
 * Runs a program on every batch and hands over its outputs.
 *
 * @param take - gets each output and the position of its first number among all.
 * @throws the signal's reason once it is aborted, after at most one more batch.
 */
export async function allOutputs(
  batches: ProgramBatches,
  signal: AbortSignal | undefined,
  take: (output: Float32Array, offset: number) => void,
): Promise<void> {
  let offset = 0;
  for (let batch = 0; batch < batches.count; batch++) {
    signal?.throwIfAborted();
    const output = await batches.run(batch);
    take(output, offset);
    offset += output.length;
    await betweenBatches(signal);
  }
  await setImmediate();
}

import type * as tf from "@tensorflow/tfjs";

/**
 * Returns the numbers in the logs of a hook; scalars that are still on the backend are read, and left to
 * their owner.
 *
 * @param logs - Numbers and scalars by name, as `fit` hands them to callbacks.
 */
export async function resolveLogs(logs: tf.Logs | undefined): Promise<Record<string, number>> {
  const entries = Object.entries(logs ?? {}) as [string, number | tf.Scalar][];
  const values = entries.map(([, value]) => (typeof value === "number" ? [value] : value.data()));
  const read = await Promise.all(values);
  return Object.fromEntries(entries.map(([name], index) => [name, read[index]?.[0] as number]));
}

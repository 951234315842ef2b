import type * as tf from "@tensorflow/tfjs";

/**
 * Turns the scalars in the logs of a hook into numbers, in place, and returns a copy of the logs.
 *
 * In place, as TF.js's own callbacks do: later callbacks and the history then hold numbers, and no scalar is
 * left over if training throws. The scalars are disposed.
 *
 * @param logs - Numbers and scalars by name, as `fit` hands them to callbacks.
 */
export async function resolveLogsInto(logs: tf.Logs | undefined): Promise<Record<string, number>> {
  const resolved = (logs ?? {}) as Record<string, number | tf.Scalar>;
  await Promise.all(
    Object.entries(resolved).map(async ([name, value]) => {
      if (typeof value === "number") return;
      const [number = Number.NaN] = await value.data();
      resolved[name] = number;
      value.dispose();
    }),
  );
  return { ...(resolved as Record<string, number>) };
}

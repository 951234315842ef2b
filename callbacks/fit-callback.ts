import * as tf from "@tensorflow/tfjs";
import { describeCopies } from "../src/backend/tfjs-copies.js";
import { RunStateError } from "../src/base/errors.js";

const WRITE_IT =
  "write callbacks: [ours, new tf.CustomCallback({ onEpochEnd() { … } })]: no plain objects in the list, and no spread of ours";

/**
 * Base of this package's callbacks: it notices where TensorFlow.js does not run the callback itself.
 *
 * `fit` decides by the first element of `callbacks`. If that is a plain object, every element is wrapped in a
 * `CustomCallback` that takes the hooks and not the object behind them; a spread copies fields and no methods.
 * Both would record nothing, or recurse for ever. Two hooks are therefore fields of the instance, which also
 * reach such a copy, and throw there before the first batch.
 */
export abstract class FitCallback extends tf.CustomCallback {
  constructor() {
    super({});
    const callback = this;
    const { onTrainBegin, setParams, setModel } = this;
    let hasModel = false;
    this.onTrainBegin = async function (this: unknown, logs) {
      checkReceiver(callback, this);
      await onTrainBegin.call(callback, logs);
    };
    this.setParams = function (this: unknown, params) {
      checkReceiver(callback, this);
      setParams.call(callback, params);
      hasModel = false;
      // `fit` gives the parameters to all callbacks and then the model to all, without a pause between.
      queueMicrotask(() => {
        if (!hasModel) warnOfPlainObject(callback);
      });
    };
    this.setModel = (model) => {
      hasModel = true;
      setModel.call(callback, model);
    };
  }
}

function checkReceiver(callback: FitCallback, receiver: unknown): void {
  if (receiver === callback) return;
  const isOfThisCopy = receiver instanceof tf.CustomCallback || isPlainObject(receiver);
  const got = isOfThisCopy
    ? "one that was wrapped because the first of callbacks is a plain object, or a spread of it"
    : "one that was wrapped by another copy of @tensorflow/tfjs (npm ls @tensorflow/tfjs lists them)";
  const hint = isOfThisCopy
    ? WRITE_IT
    : (describeCopies() ?? "let the model and tfjs-landscape use the same copy");
  throw new RunStateError(callback.constructor.name, "to be run as the instance that it is", got, { hint });
}

function isPlainObject(receiver: unknown): boolean {
  return (
    typeof receiver === "object" && receiver !== null && Object.getPrototypeOf(receiver) === Object.prototype
  );
}

function warnOfPlainObject(callback: FitCallback): void {
  const message = `${callback.constructor.name}: training did not begin, as another of its callbacks is no instance; ${WRITE_IT}`;
  process.emitWarning(message, { type: "LandscapeWarning", code: "plain-callback" });
}

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

import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { explainKernelError } from "../../src/backend/wasm-gradients/register.js";
import { BackendError } from "../../src/base/errors.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

/** What `run` throws. */
async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("explainKernelError", () => {
  it("names a kernel that the backend lacks, and keeps the cause", async () => {
    const error = await thrownBy(() => tf.engine().runKernel("NoSuchKernel", {}, {}));
    const explained = explainKernelError(error) as BackendError;
    expect(explained).toBeInstanceOf(BackendError);
    expect(explained.message).toMatch(/expected a kernel NoSuchKernel, got none; use @tensorflow\/tfjs-node/);
    expect(explained.cause).toBe(error);
  });

  it("names an operation without a gradient", async () => {
    const error = await thrownBy(() => tf.tidy(() => tf.grad((x) => tf.cumprod(x))(tf.ones([3]))));
    expect(explainKernelError(error)).toMatchObject({
      code: "backend",
      message: expect.stringContaining(
        "TensorFlow.js: expected a gradient of Cumprod, got none on any backend",
      ),
    });
  });

  it("says that dilated convolutions cannot be trained", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 2, dilationRate: 2 }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const [xs, ys] = [tf.ones([2, 6, 6, 1]), tf.ones([2, 1])];
    const error = await thrownBy(() => model.fit(xs, ys, { verbose: 0 }));
    expect(explainKernelError(error)).toMatchObject({
      code: "backend",
      message: expect.stringContaining(
        "expected a gradient of a dilated convolution, got none on any backend",
      ),
    });
  });

  it("leaves other errors and values alone", () => {
    const error = new Error("something else");
    expect(explainKernelError(error)).toBe(error);
    expect(explainKernelError("text")).toBe("text");
  });
});

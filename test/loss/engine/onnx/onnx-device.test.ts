import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { OnnxRuntime, OrtSession } from "../../../../src/backend/onnx-runtime.js";
import * as onnx from "../../../../src/backend/onnx-runtime.js";
import { createLossEvaluator } from "../../../../src/index.js";
import { createFusedEngine } from "../../../../src/loss/engine/fused/fused-engine.js";
import { deviceProblem } from "../../../../src/loss/engine/onnx/onnx-device.js";
import * as tensorflow from "../../../../src/loss/engine/tensorflow/tf-engine.js";
import { useTestBackend } from "../../../support/backend.js";

vi.mock("../../../../src/backend/onnx-runtime.js", { spy: true });
vi.mock("../../../../src/loss/engine/tensorflow/tf-engine.js", { spy: true });

beforeAll(async () => {
  await useTestBackend();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const real = onnx.requireOnnxRuntime();

/**
 * ONNX Runtime with a card: sessions on a device run on the processor, and what they give is multiplied.
 *
 * @param devices - what is there, and by how much it is wrong.
 */
function runtimeWith(devices: Readonly<Record<string, number>>): OnnxRuntime {
  const create = async (model: Uint8Array, options: Readonly<Record<string, unknown>>) => {
    const [provider = "cpu"] = options.executionProviders as string[];
    const factor = provider === "cpu" ? 1 : devices[provider];
    if (factor === undefined)
      throw new Error(`/src/context.cc:1 status was false. Failed to get ${provider}\nat x`);
    const session = await real.InferenceSession.create(model, { ...options, executionProviders: ["cpu"] });
    const run: OrtSession["run"] = async (feeds) => {
      const outputs = await session.run(feeds);
      if ("y" in outputs) return outputs;
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { data }]) => [
          name,
          { data: data.map((value) => factor * value) },
        ]),
      );
    };
    return { run, release: () => session.release() };
  };
  return { Tensor: real.Tensor, env: real.env, InferenceSession: { create } };
}

/** Makes a runtime the one that is installed. */
function install(runtime: OnnxRuntime | null): void {
  vi.mocked(onnx.loadOnnxRuntime).mockReturnValue(
    runtime === null ? { state: "absent" } : { state: "loaded", runtime },
  );
  if (runtime !== null) vi.mocked(onnx.requireOnnxRuntime).mockReturnValue(runtime);
}

function made(activation: "relu" | "tanh" = "relu") {
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 3, kernelSize: 3, activation }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 4, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const xs = tf.randomUniform([40, 8, 8, 1], 0, 1, "float32", 1);
  const ys = tf.tidy(() => tf.oneHot(tf.randomUniform([40], 0, 4, "int32", 2), 4).toFloat());
  const weights = model.getWeights().flatMap((weight) => Array.from(weight.dataSync()));
  return { model, data: { xs, ys }, theta: Float32Array.from(weights) };
}

describe("a device that was asked for", () => {
  test("computes, is named in the facts with how far it may be from the processor, and is chosen again", async () => {
    install(runtimeWith({ webgpu: 1 + 2e-5 }));
    const { model, data, theta } = made();
    const evaluator = await createLossEvaluator(model, data, { device: "webgpu" });
    const { engine, request, measured } = evaluator.facts;
    expect(engine).toMatchObject({ name: "onnx", device: "webgpu", deviceTolerance: 1e-4 });
    expect(engine.backend).toMatch(/^onnxruntime-node [\d.]+ on webgpu$/);
    expect(request).toEqual({ engine: "auto", batchSize: null, threads: null, device: "webgpu" });
    expect(Object.keys(measured ?? {})).toEqual(["onnx on webgpu"]);
    const usual = await createLossEvaluator(model, data, { engine: "onnx" });
    expect(usual.facts.engine).not.toHaveProperty("device");
    expect(usual.facts.request).not.toHaveProperty("device");
    const [there, here] = [await evaluator.evaluate(theta), await usual.evaluate(theta)];
    expect(there.loss / here.loss - 1).toBeCloseTo(2e-5, 6);
    const again = await createLossEvaluator(model, data, { reuse: engine });
    expect(again.facts.engine).toEqual(engine);
    for (const one of [evaluator, usual, again]) one.dispose();
  });

  test("is refused where its losses are not those of the processor to 1e-4", async () => {
    install(runtimeWith({ cuda: 1 + 5e-4 }));
    const { model, data } = made();
    await expect(createLossEvaluator(model, data, { device: "cuda", engine: "onnx" })).rejects.toThrow(
      /engine "onnx on cuda": expected a model that it can run, got .*loss .*, not /,
    );
    // Within what rounding can explain at a corner, but not within 1e-4.
    install(runtimeWith({ cuda: 1 + 2e-4 }));
    await expect(createLossEvaluator(model, data, { device: "cuda" })).rejects.toThrow("use device");
  });

  test("and is missing is an error that says what to install", async () => {
    install(runtimeWith({}));
    const { model, data } = made();
    const webgpu = createLossEvaluator(model, data, { device: "webgpu" });
    await expect(webgpu).rejects.toThrow(
      'device "webgpu": expected a graphics card with a driver that WebGPU can use, got none that works (Failed to get webgpu)',
    );
    await expect(webgpu).rejects.toThrow("apt install libvulkan1");
    const cuda = createLossEvaluator(model, data, { device: "cuda", engine: "onnx" });
    await expect(cuda).rejects.toMatchObject({ code: "missing-dependency" });
    await expect(cuda).rejects.toThrow("--onnxruntime-node-install=cuda12");
  });

  test("is not taken by engines that cannot use it, nor by a model that only its own ops know", async () => {
    install(runtimeWith({ webgpu: 1 }));
    const { model, data } = made();
    for (const engine of ["tfjs", "tfjs-fused"] as const) {
      await expect(createLossEvaluator(model, data, { engine, device: "webgpu" })).rejects.toThrow(
        'device: expected engine "auto", "onnx" or "tensorflow" beside it',
      );
    }
    const options = { engine: "tensorflow", device: "webgpu" } as const;
    await expect(createLossEvaluator(model, data, options)).rejects.toThrow(
      'device: expected "cuda" or "cpu"',
    );
    // No card here: the native backend, if there is one, computes on the processor.
    const cuda = createLossEvaluator(model, data, { engine: "tensorflow", device: "cuda" });
    await expect(cuda).rejects.toThrow("@tensorflow/tfjs-node-gpu");
    await expect(createLossEvaluator(model, data, { device: "gpu" as "cuda" })).rejects.toThrow(
      "device: expected one of auto, cpu, webgpu, cuda",
    );
    const penalized = { device: "webgpu", includeRegularization: true } as const;
    await expect(createLossEvaluator(model, data, penalized)).rejects.toThrow(
      'device "webgpu": expected a model',
    );
  });
});

describe('device "auto"', () => {
  test("measures every device that is there and names the others", async () => {
    install(runtimeWith({ webgpu: 1 }));
    const { model, data } = made();
    const evaluator = await createLossEvaluator(model, data, { device: "auto", engine: "onnx" });
    expect(Object.keys(evaluator.facts.measured ?? {}).sort()).toEqual(["onnx", "onnx on webgpu"]);
    const warnings = evaluator.facts.warnings?.filter(({ code }) => code === "device-passed-over") ?? [];
    expect(warnings.map(({ message }) => message.split(":")[0])).toEqual(["losses are not computed on cuda"]);
    const { device } = evaluator.facts.engine;
    const again = await createLossEvaluator(model, data, { device: "auto", reuse: evaluator.facts.engine });
    expect(again.facts.engine.device).toBe(device);
    evaluator.dispose();
    again.dispose();
  });
});

describe("where TensorFlow's backend computes on a card", () => {
  /** TensorFlow on a card, played by the active backend. */
  function playTensorFlow(): void {
    vi.mocked(tensorflow.isTensorFlowActive).mockReturnValue(true);
    vi.mocked(tensorflow.isTensorFlowOnGpu).mockReturnValue(true);
    vi.mocked(tensorflow.createTfEngine).mockImplementation((device) => ({
      ...createFusedEngine(),
      name: "tensorflow",
      ...(device === undefined ? {} : { device }),
    }));
  }

  test('what "auto" has measured is named by the card, and chosen again', async () => {
    install(runtimeWith({}));
    playTensorFlow();
    const { model, data } = made();
    const options = { device: "auto", engine: "tensorflow" } as const;
    const evaluator = await createLossEvaluator(model, data, options);
    const { engine } = evaluator.facts;
    expect(engine).toMatchObject({ name: "tensorflow", device: "cuda", deviceTolerance: 1e-4 });
    const again = await createLossEvaluator(model, data, { device: "auto", reuse: engine });
    expect(again.facts.engine).toEqual(engine);
    for (const one of [evaluator, again]) one.dispose();
  });

  test('device "cpu" does not fall back on operations that compute on the card', async () => {
    playTensorFlow();
    const { model, data } = made();
    const penalized = { device: "cpu", includeRegularization: true } as const;
    await expect(createLossEvaluator(model, data, penalized)).rejects.toThrow(
      'device "cpu": expected a model, loss and data that it can take',
    );
  });
});

describe("what this machine has", () => {
  test("CUDA is missing by name where its library is, without a word of ONNX Runtime's own", async () => {
    const problem = await deviceProblem(real, "cuda");
    // A machine with a card may have it.
    if (problem === null) return;
    expect(problem).toMatch(/is not in the package$|does not have it$|^[A-Z]/);
    expect(problem).not.toContain("\n");
  });

  const vulkan = ["/usr/lib/chromium", "/usr/lib/chromium-browser"].find((folder) =>
    existsSync(join(folder, "libvk_swiftshader.so")),
  );

  // Chromium's software driver is slow, and as good as a card for the values.
  test.skipIf(vulkan === undefined || process.platform !== "linux")(
    "WebGPU gives the losses of the processor, by a driver without a card",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "landscape-vulkan-"));
      const icd = join(folder, "icd.json");
      const library = join(vulkan as string, "libvk_swiftshader.so");
      writeFileSync(
        icd,
        JSON.stringify({
          file_format_version: "1.0.0",
          ICD: { library_path: library, api_version: "1.1.0" },
        }),
      );
      const program = fileURLToPath(new URL("./webgpu-losses.mjs", import.meta.url));
      const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
        encoding: "utf8",
        env: { ...process.env, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: vulkan },
      });
      rmSync(folder, { recursive: true, force: true });
      expect(status, stderr).toBe(0);
      const found = JSON.parse(stdout) as Record<string, { device: string; losses: [number, number] }>;
      for (const { device, losses } of Object.values(found)) {
        expect(device).toBe("webgpu");
        expect(Math.abs(losses[0] / losses[1] - 1)).toBeLessThan(1e-4);
      }
    },
    180_000,
  );
});

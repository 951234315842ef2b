import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { encodeOnnxModel } from "../../../backend/onnx-model.js";
import { ONNX_PACKAGE, type OnnxRuntime } from "../../../backend/onnx-runtime.js";
import { MissingDependencyError, messageOf } from "../../../base/errors.js";
import { findPackageFolder } from "../../../base/package-files.js";

/** Devices of ONNX Runtime that are no processor, and what each needs. */
export const ONNX_DEVICES = {
  webgpu: {
    needs: "a graphics card with a driver that WebGPU can use",
    hint:
      "on Linux install the card's Vulkan driver (Debian, Ubuntu: apt install libvulkan1 mesa-vulkan-drivers; " +
      "NVIDIA: its own driver); Windows and macOS need nothing but the card's driver",
  },
  cuda: {
    needs: "an NVIDIA card, and the CUDA libraries of ONNX Runtime",
    hint:
      "on Linux x64 install CUDA 12 and cuDNN 9, then run `npm rebuild onnxruntime-node " +
      "--onnxruntime-node-install=cuda12`, which fetches what the package leaves out",
  },
} as const;

/** Name of a device of ONNX Runtime that is no processor. */
export type OnnxDevice = keyof typeof ONNX_DEVICES;

/** One operation, to see whether a device computes at all. */
const PROBE = {
  nodes: [{ type: "Relu", inputs: ["x"], output: "y", attributes: {} }],
  inputs: [{ name: "x", dims: ["N" as const] }],
  outputs: [{ name: "y", dims: ["N" as const] }],
  initializers: [],
};

const probed = new WeakMap<OnnxRuntime, Map<OnnxDevice, Promise<string | null>>>();

/**
 * Says why ONNX Runtime cannot compute on a device, or null if it can: one operation is run there, once in a process.
 *
 * A provider that is missing would end in an error of each session; this tells beforehand, in words.
 */
export function deviceProblem(runtime: OnnxRuntime, device: OnnxDevice): Promise<string | null> {
  const known = probed.get(runtime) ?? new Map<OnnxDevice, Promise<string | null>>();
  probed.set(runtime, known);
  const found = known.get(device) ?? probe(runtime, device);
  known.set(device, found);
  return found;
}

async function probe(runtime: OnnxRuntime, device: OnnxDevice): Promise<string | null> {
  const providers = runtime.listSupportedBackends?.();
  const provider = providers?.find(({ name }) => name === device);
  if (providers !== undefined && provider === undefined) {
    return `${ONNX_PACKAGE} for ${process.platform} ${process.arch} does not have it`;
  }
  const library = provider?.bundled === false ? `libonnxruntime_providers_${device}.so` : null;
  if (library !== null && process.platform === "linux" && !isInPackage(library)) {
    return `${library} is not in the package`;
  }
  // Products are to be those of float32: TF32, the default of NVIDIA's libraries, keeps three digits of them.
  if (device === "cuda") process.env.NVIDIA_TF32_OVERRIDE ??= "0";
  try {
    const options = { executionProviders: [device], logSeverityLevel: 4 };
    const session = await runtime.InferenceSession.create(encodeOnnxModel(PROBE), options);
    const { y } = await session.run({ x: new runtime.Tensor("float32", Float32Array.of(-1, 2), [2]) });
    await session.release();
    return y?.data[0] === 0 && y.data[1] === 2 ? null : `it computes relu(−1, 2) as ${y?.data.join(", ")}`;
  } catch (error) {
    const [line = ""] = messageOf(error).trim().split("\n");
    // ONNX Runtime's own words, without the place in its source.
    return line.replace(/^.*was false\.\s*/, "").replace(/^.*?\[ONNXRuntimeError\][\s:\d]*/, "");
  }
}

/** Whether a library of this platform lies in the package of ONNX Runtime. */
function isInPackage(library: string): boolean {
  const folder = findPackageFolder(ONNX_PACKAGE);
  if (folder === undefined || !existsSync(join(folder, "bin"))) return false;
  return readdirSync(join(folder, "bin")).some((api) =>
    existsSync(join(folder, "bin", api, process.platform, process.arch, library)),
  );
}

/**
 * Checks that ONNX Runtime can compute on a device that was asked for.
 *
 * @throws {@link MissingDependencyError} with what to install, if it cannot.
 */
export async function requireDevice(runtime: OnnxRuntime, device: OnnxDevice): Promise<void> {
  const problem = await deviceProblem(runtime, device);
  if (problem === null) return;
  const { needs, hint } = ONNX_DEVICES[device];
  throw new MissingDependencyError(`device "${device}"`, needs, `none that works (${problem})`, { hint });
}

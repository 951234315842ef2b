import { statSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { z } from "zod";

/** What is known of the native backend without loading it: what it was when it was loaded before, and its addon. */
export const nativeIdentitySchema = z.object({
  name: z.literal("native"),
  package: z.string(),
  version: z.string(),
  library: z.string(),
  addon: z.object({ file: z.string(), size: z.number(), time: z.number() }),
});

/** The native backend as an earlier process found it. */
export type NativeIdentity = z.infer<typeof nativeIdentitySchema>;

/** Size and time of an addon's file; null where there is none. */
export function addonFacts(file: string): NativeIdentity["addon"] | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() === true ? { file, size: stats.size, time: stats.mtimeMs } : null;
}

/** TF.js's name of the backend that keeps tensors until an operation needs a real one. */
const NAME = "landscape-waiting";

/**
 * Operations that only move numbers or write 0 and 1, so that the waiting backend does them itself, by the functions of
 * plain JavaScript: every backend gives the same bits.
 */
const MOVES = ["Identity", "Reshape", "Slice", "Concat", "OneHot", "Cast"];

/** What is used of TF.js's backend of plain JavaScript. */
interface ArrayBackend extends tf.KernelBackend {
  /** Whether it still has to greet on the console. */
  firstUse: boolean;
}

/** What waits: the tensors that there are, and what starts the real backend. */
interface Waiting {
  readonly held: ReadonlySet<object>;
  readonly identity: NativeIdentity;
  readonly start: () => void;
}

let waiting: Waiting | undefined;

/** The backend that is to be started at the first operation; null where none is put off. */
export function awaitedBackend(): NativeIdentity | null {
  return waiting?.identity ?? null;
}

/** Whether TF.js's active backend is the waiting one. */
export function isWaitingActive(): boolean {
  return tf.getBackend() === NAME;
}

/**
 * Makes a backend active that only keeps tensors. The first operation on them, or {@link wakeBackend}, starts the real one,
 * which gets the tensors and does the operation.
 *
 * TF.js's own doors are used, `registerBackend` and `registerKernel`: nothing of it is changed.
 *
 * @param start - makes the real backend active, in one go: an operation cannot wait for a promise. What it throws, the
 *   operation throws.
 */
export function waitForOperations(identity: NativeIdentity, start: () => void): void {
  const held = new Set<object>();
  if (tf.findBackendFactory(NAME) !== null) tf.removeBackend(NAME);
  tf.registerBackend(NAME, () => createKeeper(held));
  for (const kernelName of operationNames()) {
    if (tf.getKernel(kernelName, NAME) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName: NAME,
      kernelFunc: (call) => runOperation(kernelName, call),
    });
  }
  waiting = { held, identity, start };
  // A backend that starts in one go is set within the call.
  void tf.setBackend(NAME);
}

/** Arrays in memory, as plain JavaScript keeps them; `held` names what there is. */
function createKeeper(held: Set<object>): ArrayBackend {
  const Arrays = (tf.findBackend("cpu") as object).constructor as new () => ArrayBackend;
  class Keeper extends Arrays {
    override write(...given: Parameters<ArrayBackend["write"]>): object {
      const id = super.write(...given);
      held.add(id);
      return id;
    }
    override move(...given: Parameters<ArrayBackend["move"]>): void {
      super.move(...given);
      held.add(given[0]);
    }
    override disposeData(id: object, force?: boolean): boolean {
      const isGone = super.disposeData(id, force);
      if (isGone) held.delete(id);
      return isGone;
    }
  }
  const keeper = new Keeper();
  keeper.firstUse = false;
  return keeper;
}

/** Every operation that TF.js has a name or a function for. */
function operationNames(): ReadonlySet<string> {
  const named = Object.keys(tf).filter((name) => (tf as unknown as Record<string, unknown>)[name] === name);
  return new Set([...named, ...tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName)]);
}

type OperationCall = Parameters<tf.KernelFunc>[0];

function runOperation(name: string, call: OperationCall): ReturnType<tf.KernelFunc> {
  if (waiting !== undefined && isWaitingActive() && isMove(name, call)) return kernelOf(name, "cpu")(call);
  wakeBackend();
  return kernelOf(name, tf.getBackend())({ ...call, backend: tf.backend() });
}

/** A float becomes a whole number in more than one way where it is too large for one: that is the real backend's. */
function isMove(name: string, { inputs, attrs }: OperationCall): boolean {
  if (!MOVES.includes(name)) return false;
  const from = (inputs.x as tf.TensorInfo | undefined)?.dtype;
  if (name !== "Cast" || from === attrs?.dtype) return true;
  return attrs?.dtype === "float32" && (from === "int32" || from === "bool");
}

function kernelOf(name: string, backend: string): tf.KernelFunc {
  const kernel = tf.getKernel(name, backend);
  if (kernel === undefined) throw new Error(`Kernel '${name}' not registered for backend '${backend}'`);
  return kernel.kernelFunc;
}

/**
 * Starts the backend that was put off and hands all tensors over; does nothing where none waits.
 *
 * @throws what the start throws; then the backend goes on waiting.
 */
export function wakeBackend(): void {
  const awaited = waiting;
  if (awaited === undefined) return;
  // The start runs an operation itself.
  waiting = undefined;
  try {
    awaited.start();
  } catch (error) {
    waiting = awaited;
    if (!isWaitingActive()) void tf.setBackend(NAME);
    throw error;
  }
  const engine = tf.engine();
  for (const id of [...awaited.held]) {
    // All at once: backends do not count who shares the numbers of a tensor that lies elsewhere.
    if (engine.state.tensorInfo.has(id)) engine.moveData(tf.backend(), id);
  }
}

import { availableParallelism } from "node:os";
import { messageOf } from "../../base/errors.js";
import type { OnnxRuntime, OrtSession, OrtTensor } from "../onnx-runtime.js";

/** Adds Σ_b X_b·X_bᵀ into the lower triangle of a Gram matrix, as `addInto` of a `GramAdder`; few columns in each block. */
export type GramProduct = (
  gram: Float64Array,
  blocks: Float32Array,
  rows: number,
  columns: number,
  count: number,
) => Promise<void>;

/** Rows from which ONNX Runtime multiplies: fewer take less than its start. */
export const ONNX_FROM_ROWS = 64;
/** Rows of a panel: its product with the rows up to its end leaves out most of what lies above the diagonal. */
const PANEL_ROWS = 60;
/** Panels at most: 16 leave 3 % above half of the work. */
const MAX_PANELS = 16;
/** A panel has a multiple of these rows: the product works on six at a time. */
const ROW_STEP = 6;
/** Panels multiplied in one call at most. */
const PANELS_PER_CALL = 8;
/** float32 values of results that are held at a time (64 MiB): those of 10,000 rows are 10⁸. */
const RESULT_VALUES = 2 ** 24;

/** ONNX Runtime's product of matrices of some rows, or why there is none. */
export type OnnxGram =
  | { readonly state: "open"; readonly product: GramProduct; close(): Promise<void> }
  | { readonly state: "absent" }
  | { readonly state: "failed"; readonly reason: string };

/**
 * Opens the Gram product of matrices of so many rows in ONNX Runtime: "absent" where the package is not installed,
 * "failed" where it does not load or makes no session.
 *
 * Its products are some 1.3 times faster than those of native TensorFlow (AVX2, 2 cores), read the blocks where they
 * are, and stay fast for panels of few rows, so that 60 % of the work is done for 300 rows in place of all of it.
 *
 * @param resultValues - float32 values of results held at a time, as far as one panel's are no more. Default 64 MiB.
 */
export async function openOnnxGram(rows: number, resultValues = RESULT_VALUES): Promise<OnnxGram> {
  // The runtime and the writer of its models are loaded by those who multiply much, and by nobody else.
  const { loadOnnxRuntime } = await import("../onnx-runtime.js");
  const outcome = loadOnnxRuntime();
  if (outcome.state === "absent") return outcome;
  if (outcome.state === "broken") return { state: "failed", reason: outcome.reason };
  const sessions = new Map<number, OrtSession>();
  const close = async () => {
    const open = [...sessions.values()];
    sessions.clear();
    // What went wrong before must reach the caller, whatever becomes of the sessions.
    await Promise.allSettled(open.map((session) => session.release()));
  };
  try {
    for (const { length } of callsOf(rows, resultValues)) {
      if (!sessions.has(length)) sessions.set(length, await createSession(outcome.runtime, length));
    }
  } catch (error) {
    await close();
    return {
      state: "failed",
      reason: messageOf(error).split("\n")[0],
    };
  }
  return { state: "open", product: productBy(outcome.runtime, sessions, resultValues), close };
}

/** Rows [first, end), to be multiplied with the rows up to `end`. */
interface Panel {
  readonly first: number;
  readonly end: number;
}

/** The panels of each call. */
function callsOf(rows: number, resultValues: number): Panel[][] {
  const panels = cutIntoPanels(rows);
  const panelsPerCall = Math.max(
    1,
    Math.min(PANELS_PER_CALL, Math.floor(resultValues / (panels[0].end * rows))),
  );
  const calls: Panel[][] = [];
  for (let from = 0; from < panels.length; from += panelsPerCall) {
    calls.push(panels.slice(from, from + panelsPerCall));
  }
  return calls;
}

/** @param sessions - by the number of panels that each multiplies. */
function productBy(
  runtime: OnnxRuntime,
  sessions: ReadonlyMap<number, OrtSession>,
  resultValues: number,
): GramProduct {
  return async (gram, blocks, rows, columns, count) => {
    const size = rows * columns;
    const calls = callsOf(rows, resultValues);
    const results = calls[0].length * calls[0][0].end * rows;
    const blocksPerSum = Math.max(1, Math.floor(resultValues / results));
    for (const together of calls) {
      const session = sessions.get(together.length) as OrtSession;
      for (let first = 0; first < count; first += blocksPerSum) {
        const products: Readonly<Record<string, OrtTensor>>[] = [];
        for (let b = first; b < Math.min(count, first + blocksPerSum); b++) {
          const block = blocks.subarray(b * size, (b + 1) * size);
          products.push(await session.run(feedsOf(runtime, block, together, columns)));
        }
        together.forEach((panel, p) => {
          const parts = products.map((outputs) => (outputs[`product${p}`] as OrtTensor).data);
          addPanelInto(gram, parts, panel, rows);
        });
      }
    }
  };
}

function cutIntoPanels(rows: number): Panel[] {
  const count = Math.min(MAX_PANELS, Math.max(1, Math.round(rows / PANEL_ROWS)));
  const height = ROW_STEP * Math.ceil(rows / (count * ROW_STEP));
  const panels: Panel[] = [];
  for (let first = 0; first < rows; first += height)
    panels.push({ first, end: Math.min(rows, first + height) });
  return panels;
}

/** A model that multiplies each of some panels with the rows up to its end; all lengths are open. */
async function createSession(runtime: OnnxRuntime, panels: number): Promise<OrtSession> {
  const { encodeOnnxModel } = await import("../onnx-model.js");
  const ordinals = Array.from({ length: panels }, (_, p) => p);
  const model = encodeOnnxModel({
    nodes: ordinals.map((p) => ({
      type: "Gemm",
      inputs: [`panel${p}`, `rows${p}`],
      output: `product${p}`,
      attributes: { transB: 1 },
    })),
    inputs: ordinals.flatMap((p) => [
      { name: `panel${p}`, dims: [`height${p}`, "columns"] },
      { name: `rows${p}`, dims: [`width${p}`, "columns"] },
    ]),
    outputs: ordinals.map((p) => ({ name: `product${p}`, dims: [`height${p}`, `width${p}`] })),
    initializers: [],
  });
  return runtime.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    intraOpNumThreads: availableParallelism(),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Threads that wait awake take the processor from those that read the next block: 1.2 times as long in all.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
}

function feedsOf(
  { Tensor }: OnnxRuntime,
  block: Float32Array,
  panels: readonly Panel[],
  columns: number,
): Readonly<Record<string, OrtTensor>> {
  const feeds: Record<string, OrtTensor> = {};
  panels.forEach(({ first, end }, p) => {
    const part = (from: number) =>
      new Tensor("float32", block.subarray(from * columns, end * columns), [end - from, columns]);
    feeds[`panel${p}`] = part(first);
    feeds[`rows${p}`] = part(0);
  });
  return feeds;
}

/** Adds the sum over blocks of a panel's products to the lower triangle of the Gram matrix. */
function addPanelInto(
  gram: Float64Array,
  products: readonly Float32Array[],
  { first, end }: Panel,
  rows: number,
): void {
  const sums = new Float64Array(end);
  for (let i = first; i < end; i++) {
    const from = (i - first) * end;
    sums.fill(0);
    for (const product of products) for (let j = 0; j <= i; j++) sums[j] += product[from + j];
    for (let j = 0; j <= i; j++) gram[i * rows + j] += sums[j];
  }
}

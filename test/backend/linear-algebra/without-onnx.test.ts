import * as tf from "@tensorflow/tfjs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createLinearAlgebra } from "../../../src/backend/linear-algebra/create-linear-algebra.js";
import { jsLinearAlgebra } from "../../../src/backend/linear-algebra/js-linear-algebra.js";
import type { OnnxOutcome, OrtSession } from "../../../src/backend/onnx-runtime.js";
import { memoryRowSource } from "../../../src/directions/directions.js";
import { pcaDirections } from "../../../src/directions/pca.js";
import { phate, phateStability } from "../../../src/embedding/phate/phate.js";
import { openGram } from "../../../src/math/linear-algebra.js";
import { useTestBackend } from "../../support/backend.js";
import { expectClose } from "../expect-close.js";

let outcome: OnnxOutcome;
vi.mock("../../../src/backend/onnx-runtime.js", () => ({ loadOnnxRuntime: () => outcome }));

/** ONNX Runtime whose sessions are those of `create`. */
function runtimeOf(create: () => Promise<OrtSession>): OnnxOutcome {
  const Tensor = class {
    readonly data = new Float32Array(0);
  };
  return { state: "loaded", runtime: { Tensor, InferenceSession: { create }, env: {} } };
}

const WITHOUT: readonly (readonly [string, () => OnnxOutcome, string | null])[] = [
  ["is not installed", () => ({ state: "absent" }), null],
  // As on a machine that its binaries are not made for.
  ["does not load", () => ({ state: "broken", reason: "wrong ELF class", cause: null }), "wrong ELF class"],
  ["makes no session", () => runtimeOf(() => Promise.reject(new Error("no provider\nat x"))), "no provider"],
];

describe.each(WITHOUT)("where ONNX Runtime %s", (_name, found, reason) => {
  let name: string;
  beforeEach(async () => {
    outcome = found();
    await useTestBackend();
    name = createLinearAlgebra().name;
  });

  it.each([
    [64, 50, 2],
    [131, 20, 3],
    [70, 6000, 1],
  ])("(%i, %i), %i blocks: the backend multiplies", async (rows, columns, count) => {
    const size = rows * columns;
    const blocks = Float32Array.from({ length: count * size }, (_, i) => Math.sin(i * i));
    const expected = new Float64Array(rows * rows).fill(0.5);
    for (let b = 0; b < count; b++) {
      await jsLinearAlgebra.addGramInto(expected, blocks.subarray(b * size, (b + 1) * size), rows, columns);
    }
    const gram = new Float64Array(rows * rows).fill(0.5);
    const before = tf.memory().numTensors;
    await createLinearAlgebra().addGramInto(gram, blocks, rows, columns, count);
    expectClose(gram, expected, { absolute: 1e-7 * columns, relative: 3e-6 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("principal components say what multiplied, and warn of what is installed and does not work", async () => {
    const rows = Array.from({ length: 66 }, (_, i) =>
      Float32Array.from({ length: 40 }, (__, c) => Math.sin(i * (c + 1)) + 0.1 * i),
    );
    const options = { linearAlgebra: createLinearAlgebra(), precision: "backend" } as const;
    const { precision, warnings } = await pcaDirections(memoryRowSource(rows), options);
    expect(precision).toBe(name);
    const passedOver = warnings.filter(({ code }) => code === "onnx-passed-over");
    expect(passedOver.map(({ message }) => message)).toEqual(
      reason === null
        ? []
        : [
            `ONNX Runtime was installed and could not multiply (${reason}): inner products are those of the ${name} backend, which took longer`,
          ],
    );
  });

  it.each([
    ["through principal components", { nPca: 3 }],
    ["without", { nPca: null }],
  ])(
    "embeddings of rows warn of it, %s",
    async (_way, { nPca }) => {
      const [count, dimension] = [390, 2001];
      const rows = Float64Array.from({ length: count * dimension }, (_, i) => Math.sin(i * i));
      const algebra = createLinearAlgebra();
      const options = { nPca, t: 1, mds: "classic" } as const;
      const { warnings } = await phate({ rows, count, dimension }, algebra, options);
      const passedOver = warnings.filter(({ code }) => code === "onnx-passed-over");
      expect(passedOver).toHaveLength(reason === null ? 0 : 1);
      if (reason !== null) expect(passedOver[0]?.message).toContain(`could not multiply (${reason})`);
      if (nPca === null || reason === null) return;
      const stability = await phateStability({ rows, count, dimension }, algebra, {
        ...options,
        knn: [4, 5],
      });
      expect(stability.warnings.map(({ code }) => code)).toContain("onnx-passed-over");
    },
    60_000,
  );
});

describe("sessions of ONNX Runtime", () => {
  const open = { made: 0, released: 0 };
  const session = (run: OrtSession["run"]): OrtSession => ({
    run,
    async release() {
      open.released++;
    },
  });
  beforeEach(async () => {
    await useTestBackend();
    Object.assign(open, { made: 0, released: 0 });
  });

  it("are released after use, also after a product that failed", async () => {
    outcome = runtimeOf(async () => {
      open.made++;
      return session(() => Promise.reject(new Error("out of memory")));
    });
    const algebra = createLinearAlgebra();
    const product = algebra.addGramInto(new Float64Array(64 * 64), new Float32Array(64 * 3), 64, 3);
    await expect(product).rejects.toThrow("out of memory");
    expect(open).toEqual({ made: 1, released: 1 });
  });

  it("that cannot be released hide neither the error before nor the others", async () => {
    outcome = runtimeOf(async () => {
      open.made++;
      return {
        run: () => Promise.reject(new Error("out of memory")),
        release() {
          open.released++;
          return Promise.reject(new Error("in use"));
        },
      };
    });
    // 10 panels: a session for calls of 8, and one for calls of 2.
    const product = createLinearAlgebra().addGramInto(
      new Float64Array(600 * 600),
      new Float32Array(600 * 3),
      600,
      3,
    );
    await expect(product).rejects.toThrow("out of memory");
    expect(open).toEqual({ made: 2, released: 2 });
  });

  it("are released if a further one cannot be made", async () => {
    outcome = runtimeOf(async () => {
      if (open.made > 0) throw new Error("no more threads");
      open.made++;
      return session(async () => ({}));
    });
    // 10 panels: 8 in the first call, 2 in the second.
    const adder = await openGram(createLinearAlgebra(), 600);
    expect(adder.warnings[0]?.message).toContain("no more threads");
    expect(open).toEqual({ made: 1, released: 1 });
  });
});

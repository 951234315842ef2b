import { EvaluationError } from "../errors.js";
import type { SampleAccess, SampleValues } from "../model/sample-evaluator.js";
import { createSharedUse } from "../model/shared-use.js";
import type { SampleRows } from "./worker-messages.js";
import type { WorkerPool } from "./worker-pool.js";

/**
 * Single samples of an evaluation set, evaluated by worker processes: each opens the rows when it first gets a
 * point of them.
 *
 * @param newId - numbers what the workers are to remember.
 * @param check - throws where θ does not fit.
 */
export function workerSamples(
  pool: WorkerPool,
  newId: () => number,
  check: (theta: Float32Array) => void,
): SampleAccess {
  return {
    async classes(signal) {
      const found = await pool.run({ kind: "classes" }, "the classes of the samples", signal);
      return (found as { readonly classes: Int32Array | null }).classes;
    },
    async open(rows, signal) {
      signal?.throwIfAborted();
      const samples: SampleRows = { id: newId(), rows };
      const use = createSharedUse(() => pool.closePlane(samples.id));
      return {
        samples: rows?.length ?? pool.facts.samples,
        async evaluate(theta, stop) {
          if (use.isClosed()) throw new EvaluationError("samples", "samples in use", "disposed ones");
          check(theta);
          const work = { kind: "samples", samples, theta } as const;
          return (await use.run(() => pool.run(work, "samples at theta", stop))) as SampleValues;
        },
        dispose: use.close,
      };
    },
  };
}

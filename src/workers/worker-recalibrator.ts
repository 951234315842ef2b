import { InvalidOptionError } from "../errors.js";
import type { ModelRecalibrator } from "../model/create-recalibrator.js";
import type { Calibration } from "./worker-messages.js";
import type { WorkerPool } from "./worker-pool.js";

/** Opens what recalibrates in worker processes; each opens its calibration set when it is first asked. */
export async function openWorkerRecalibrator(
  pool: WorkerPool,
  calibration: Calibration,
  signal: AbortSignal | undefined,
): Promise<ModelRecalibrator> {
  const opened = await pool.run({ kind: "calibration", calibration }, "the calibration set", signal);
  const facts = opened as { readonly dataDigest: string; readonly samples: number };
  let isDisposed = false;
  return {
    ...facts,
    async recalibrateInto(theta, stop) {
      if (isDisposed) throw new InvalidOptionError("Recalibrator", "one in use", "one that was disposed");
      const done = await pool.run({ kind: "recalibrate", calibration, theta }, "moving statistics", stop);
      theta.set((done as { readonly theta: Float32Array }).theta);
    },
    dispose() {
      isDisposed = true;
    },
  };
}

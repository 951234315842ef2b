import { sha256 } from "../../src/base/provenance.js";
import type { Run } from "../../src/store/run/run.js";
import { makeLayout } from "../support/layout.js";

/** What differs from run to run. */
export interface MemoryRunOptions {
  /** Logs of each snapshot. Default none. */
  readonly logs?: readonly Readonly<Record<string, number>>[];
  readonly layoutDigest?: string;
  readonly directory?: string;
}

/** A run whose weights are in memory, as far as embedding needs one: a snapshot after each epoch. */
export function memoryRun(
  name: string,
  thetas: readonly Float32Array[],
  options: MemoryRunOptions = {},
): Run {
  const { logs = [], layoutDigest = "d".repeat(64), directory = `/runs/${name}` } = options;
  const size = thetas[0]?.length ?? 0;
  const run: Omit<Run, "manifest"> & { readonly manifest: Pick<Run["manifest"], "name" | "fit"> } = {
    directory,
    manifest: { name, fit: {} },
    layout: { ...makeLayout([{ name: "w", shape: [size] }]), digest: layoutDigest },
    snapshots: thetas.map((_, step) => ({
      step,
      epoch: step,
      iteration: 10 * step,
      time: 0,
      learningRate: 0.1,
      logs: logs[step] ?? {},
    })),
    warnings: [],
    async readThetaInto(index, start, out) {
      out.set((thetas[index] as Float32Array).subarray(start, start + out.length));
    },
    readTheta: async (index) => (thetas[index] as Float32Array).slice(),
    thetaDigest: (index) => sha256(thetas[index] as Float32Array),
    digest: async () => `${name}:${thetas.map((theta) => theta.join(",")).join(";")}`,
    close: async () => {},
  };
  return run as Run;
}

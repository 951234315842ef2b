import type { SnapshotInfo } from "../store/run.js";

/** One jump: a direction by its seed, and how far. */
export interface Jump {
  /** Seed of the direction, of the order of batches and of dropout. */
  readonly seed: number;
  /** Size s of θ_0 = θ* + s·d. */
  readonly step: number;
  /** Absolute path of its run directory. */
  readonly directory: string;
  /** Name of its run. */
  readonly name: string;
}

/** A jump and what became of it. */
export interface JumpRun extends Jump {
  /** Whether it was trained now or found complete from an earlier call. */
  readonly status: "made" | "found";
  /**
   * The state just after the jump, then one after each epoch (epochs + 1). `logs` holds the exact loss and
   * metrics in evaluation mode: `loss` of the training set, `val_loss` and `test_loss` where there are such
   * sets, metrics likewise (`acc`, `val_acc`, `test_acc`).
   */
  readonly states: readonly SnapshotInfo[];
}

/** Name of a jump's folder: "seed-0_step-0.25". */
export function jumpFolder(seed: number, step: number): string {
  return `seed-${seed}_step-${step}`;
}

import type { Command } from "commander";
import { openRun } from "../../store/run/open-run.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import { createOutput, type Output } from "../output.js";

/** `inspect RUN`: what a run directory holds. */
export async function inspect(directory: string, output: Output): Promise<void> {
  const run = await openRun(directory);
  output.warn(run.warnings);
  const { manifest, layout, snapshots } = run;
  output.result({
    snapshots,
    parameters: layout.parameters,
    parameterCount: layout.parameterCount,
    trainableCount: layout.trainableCount,
  });
  output.print(`${manifest.name}  (${run.directory})`);
  output.print(
    `${layout.parameterCount.toLocaleString("en")} parameters, ` +
      `${layout.trainableCount.toLocaleString("en")} trainable, stored as ${manifest.dtype}`,
  );
  if (manifest.optimizer !== null) output.print(`optimizer ${manifest.optimizer.className}`);
  output.print(`backend ${manifest.backend.name}: ${manifest.backend.reason}`);
  for (const { name, shape, role, trainable } of layout.parameters) {
    output.print(`  ${name}  [${shape.join(", ")}]  ${role}${trainable ? "" : ", not trainable"}`);
  }
  for (const snapshot of snapshots) output.print(describeSnapshot(snapshot));
}

function describeSnapshot({ step, epoch, iteration, learningRate, logs }: SnapshotInfo): string {
  const values = Object.entries(logs).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  const facts = [`epoch ${epoch}`, `iteration ${iteration}`, `learning rate ${learningRate}`, ...values];
  return `snapshot ${step}: ${facts.join(", ")}`;
}

/** Declares the arguments and options of `inspect`. */
export function declareInspect(command: Command): void {
  command
    .argument("<run>", "run directory")
    .action((run, options) => inspect(run, createOutput(options.json)));
}

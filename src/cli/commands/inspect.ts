import type { Command } from "commander";
import { InvalidOptionError } from "../../base/errors.js";
import { listCurvature } from "../../curvature/curvature-file.js";
import { listSurfaces, type StoredSurface } from "../../store/kinds/stored-surfaces.js";
import { openRun } from "../../store/run/open-run.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import { createOutput, type Output, shortened } from "../output.js";

/** `inspect RUN` or `inspect RUN@STEP`: what a run directory, or one snapshot of it, holds. */
export async function inspect(reference: string, output: Output): Promise<void> {
  const [directory, step] = parseReference(reference);
  const run = await openRun(directory);
  output.warn(run.warnings);
  const { manifest, layout } = run;
  const snapshots = step === null ? run.snapshots : [snapshotAt(run.snapshots, step, reference)];
  const surfaces = await listSurfaces(run.directory);
  const curvature = await listCurvature(run.directory);
  output.result({
    ...(surfaces.length === 0 ? {} : { surfaces: surfaces.map(surfaceFacts) }),
    ...(curvature.length === 0 ? {} : { curvature }),
    snapshots,
    parameters: layout.parameters,
    parameterCount: layout.parameterCount,
    trainableCount: layout.trainableCount,
  });
  if (step !== null) {
    for (const snapshot of snapshots) output.print(describeSnapshot(snapshot));
    return;
  }
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
  for (const line of shortened(snapshots.map(describeSnapshot))) output.print(line);
  for (const surface of surfaces) output.print(describeSurface(surface));
  for (const { name, what, facts } of curvature) {
    output.print(
      `curvature ${name}: ${what} of the ${facts.matrix} at ${facts.name}, ${facts.samples.toLocaleString("en")} samples`,
    );
  }
}

function surfaceFacts({ name, size, bytes, partial, key, facts, order }: StoredSurface) {
  const { plane, set, batchNorm } = facts;
  const isApproximate = key?.approximate != null;
  return {
    name,
    plane,
    set,
    size,
    batchNorm,
    isApproximate,
    partial,
    bytes,
    stored: new Date(order.time).toISOString(),
  };
}

function describeSurface(surface: StoredSurface): string {
  const { name, plane, set, size, batchNorm, isApproximate, partial } = surfaceFacts(surface);
  const facts = [
    `${plane} plane, ${set} set`,
    `${size[0]} × ${size[1]} points`,
    ...(batchNorm === "none" ? [] : [`batch norm ${batchNorm}`]),
    ...(isApproximate ? ["approximate"] : []),
    ...(partial === null ? [] : [`not complete (stopped after ${partial})`]),
  ];
  return `surface ${name}: ${facts.join(", ")}`;
}

/** "RUN" or "RUN@STEP". */
function parseReference(reference: string): readonly [directory: string, step: number | null] {
  const match = /^(.+)@(\d+)$/.exec(reference);
  return match === null ? [reference, null] : [match[1] as string, Number(match[2])];
}

function snapshotAt(snapshots: readonly SnapshotInfo[], step: number, reference: string): SnapshotInfo {
  const found = snapshots.find((snapshot) => snapshot.step === step);
  if (found !== undefined) return found;
  const last = snapshots.at(-1)?.step ?? 0;
  throw new InvalidOptionError(reference, `a step from 0 to ${last}`, String(step));
}

function describeSnapshot({ step, epoch, iteration, learningRate, logs }: SnapshotInfo): string {
  const values = Object.entries(logs).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  const facts = [`epoch ${epoch}`, `iteration ${iteration}`, `learning rate ${learningRate}`, ...values];
  return `snapshot ${step}: ${facts.join(", ")}`;
}

/** Declares the arguments and options of `inspect`. */
export function declareInspect(command: Command): void {
  command
    .argument("<run>", "run directory, or RUN@STEP for a snapshot of it")
    .action((run, options) => inspect(run, createOutput(options)));
}

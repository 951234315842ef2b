import type { Trajectory } from "../../src/directions/project.js";
import type { Figure } from "../../src/figure/figure.js";
import {
  createTrajectoryFigure,
  type TrajectoryFigureInput,
} from "../../src/figure/make/create-trajectory-figure.js";
import type { FigurePathInput } from "../../src/figure/make/run-data.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import type { Surface } from "../../src/surface/surface.js";

/** Uniform coordinates from `min` to `max`. */
export function uniform(min: number, max: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => min + ((max - min) * i) / (count - 1));
}

/** A surface of a function of (alpha, beta). */
export function sampleSurface(
  alpha: Float64Array,
  beta: Float64Array,
  loss: (alpha: number, beta: number) => number,
  parts: Partial<Surface> = {},
): Surface {
  const values = new Float64Array(alpha.length * beta.length);
  beta.forEach((b, j) => {
    alpha.forEach((a, i) => {
      values[j * alpha.length + i] = loss(a, b);
    });
  });
  return {
    alpha,
    beta,
    loss: values,
    metrics: {},
    center: { loss: loss(0, 0), metrics: {}, clippedShare: 0 },
    nonFinite: values.filter((value) => !Number.isFinite(value)).length,
    clippedShare: 0.318,
    cappedShare: 0.031,
    lossMode: "model",
    samples: 2000,
    engine: { name: "tfjs", backend: "wasm", batchSize: 250, threads: 1 },
    warnings: [],
    ...parts,
  };
}

/** A path of a run: coordinates, and losses of the snapshots as a function of them. */
export function samplePath(
  name: string,
  points: readonly (readonly [number, number])[],
  loss: ((alpha: number, beta: number) => number) | null,
  snapshot: (index: number) => Partial<SnapshotInfo> = () => ({}),
): FigurePathInput {
  const count = points.length;
  const share = (i: number): number => (i === count - 1 ? 1 : 0.93 - 0.4 * (i / count) ** 2);
  const plane = loss === null ? null : Float64Array.from(points, ([a, b]) => loss(a, b));
  const trajectory: Trajectory = {
    coordinates: Float64Array.from(points.flat()),
    dimensions: 2,
    inPlaneShare: Float64Array.from(points, (_, i) => share(i)),
    distance: Float64Array.from(points, ([a, b], i) => Math.hypot(a, b) * Math.sqrt(1 / share(i) - 1)),
    trueLoss:
      plane === null
        ? null
        : plane.map((value, i) => value * (i === count - 1 ? 1 : 0.88 - 0.1 * Math.sin(i))),
    planeLoss: plane,
    warnings: [],
  };
  const snapshots = points.map(
    (_, index): SnapshotInfo => ({
      step: index,
      epoch: index,
      iteration: index * 63,
      time: 1_763_700_000_000 + index * 1000,
      learningRate: 0.1,
      logs: index === 0 ? {} : { loss: 2.3 * 0.8 ** index, acc: 1 - 0.9 * 0.8 ** index },
      ...snapshot(index),
    }),
  );
  return { name, snapshots, trajectory };
}

/** A path that falls into the origin along an arc. */
export function arc(count: number, from: readonly [number, number]): [number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const t = count === 1 ? 0 : 1 - i / (count - 1);
    const wobble = 0.06 * Math.sin(9 * t) * t;
    return [from[0] * t ** 1.4 + wobble * from[1], from[1] * t ** 2.6 - wobble * from[0]];
  });
}

/** The learning rate falls to a tenth at half and at three quarters of `count`. */
export function stepped(count: number): (index: number) => Partial<SnapshotInfo> {
  return (index) => ({ learningRate: index >= count * 0.75 ? 0.001 : index >= count * 0.5 ? 0.01 : 0.1 });
}

const AXES = {
  labels: ["PC 1", "PC 2"],
  explainedVarianceRatio: [0.832, 0.121],
  randomWalkBaseline: [0.611, 0.152],
};

/** A figure of a loss over [-4, 12] × [-5, 6] with one path, to be varied. */
export function sampleFigure(
  loss: (alpha: number, beta: number) => number,
  input: Partial<TrajectoryFigureInput> = {},
  size: readonly [number, number] = [17, 15],
): Figure {
  const count = 13;
  return createTrajectoryFigure({
    title: "LeNet on MNIST, SGD with momentum",
    surface: sampleSurface(uniform(-4, 12, size[0]), uniform(-5, 6, size[1]), loss),
    axes: AXES,
    paths: [samplePath("SGD", arc(count, [9.5, 4]), loss, stepped(count))],
    lossName: "training loss",
    dataName: "MNIST",
    ...input,
  });
}

/** A bowl with its minimum at the origin. */
export function bowl(alpha: number, beta: number): number {
  return 0.05 + 0.02 * alpha * alpha + 0.05 * beta * beta + 0.01 * alpha * beta;
}

/** A curved valley over three decades. */
export function valley(alpha: number, beta: number): number {
  return 0.02 + 0.15 * (beta - 0.045 * (alpha - 1) ** 2) ** 2 + 0.006 * alpha * alpha;
}

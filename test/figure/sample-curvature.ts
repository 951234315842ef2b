import type { ConvexityMap } from "../../src/curvature/convexity-map.js";
import type { CurvatureFacts, CurvatureSummary } from "../../src/curvature/curvature-file.js";
import type { Figure } from "../../src/figure/figure.js";
import { withConvexity } from "../../src/figure/make/create-convexity-figure.js";
import { createCurvatureFigure } from "../../src/figure/make/create-curvature-figure.js";
import { createStabilityFigure } from "../../src/figure/make/create-stability-figure.js";
import type { SnapshotStability } from "../../src/store/kinds/stability-file.js";
import { arc, sampleFigure, samplePath, uniform, valley } from "./sample-figures.js";

const facts: CurvatureFacts = {
  name: "LeNet",
  dataName: "2,000 images of MNIST",
  matrix: "hessian",
  size: 56_714,
  ignore: [],
  samples: 2000,
  lossMode: "logits",
  loss: 0.04,
  gradientNorm: 0.12,
};

const eigenvalues = (values: number[]) => ({
  values: Float64Array.from(values),
  residuals: Float64Array.from(values, () => 1e-4),
  isConverged: true,
  products: 40,
});

/** Eigenvalues, density, trace and layers. */
function curvature(): Figure {
  const values = uniform(-2, 6, 400);
  const summary: CurvatureSummary = {
    facts,
    eigenvalues: eigenvalues([31, 22, 14, 9, -3]),
    trace: { value: 118, standardError: 1.4, products: 100 } as CurvatureSummary["trace"],
    density: {
      values,
      density: values.map((x) => Math.exp(-((x / 0.3) ** 2)) + 1e-4 * Math.exp(-(((x - 4) / 0.3) ** 2))),
      width: 0.1,
      outliers: eigenvalues([31, 22, 14]),
      products: 900,
    },
    layers: ["conv1", "conv2", "dense"].map((layer, i) => ({
      layer,
      size: 100 * (i + 1),
      eigenvalue: 12 - i,
      residual: 1e-3,
      isConverged: true,
      trace: 40 + i,
      standardError: 0.5,
      products: 60,
    })),
  };
  return createCurvatureFigure(summary);
}

/** A run of SGD that reaches its edge; critical sharpness is not known at its first snapshot. */
function stability(): Figure {
  const run = samplePath("SGD", arc(9, [9, 4]), valley);
  const points = run.snapshots.map(({ step }, i): SnapshotStability => {
    const sharpness = 40 * (1 - Math.exp(-i / 2));
    return {
      step,
      loss: Math.exp(-i / 3),
      gradientNorm: 1 / (1 + i),
      learningRate: 0.05,
      sharpness,
      residual: 0.01,
      preconditioned: Number.NaN,
      preconditionedResidual: Number.NaN,
      threshold: 40,
      trace: 3 * sharpness,
      traceError: 1,
      batchSharpness: 1.1 * sharpness,
      batchError: 2,
      criticalSharpness: i === 0 ? Number.NaN : 0.7 * sharpness,
      products: 12,
      reasons:
        i === 0 ? { criticalSharpness: "the rate that raises the loss was not found within 40 losses" } : {},
    };
  });
  const path = {
    ...{ name: "SGD", dataName: null, optimizer: "SGD", samples: 2000, lossMode: "logits", minibatch: 100 },
    ...{ trainingOnly: [], points, warnings: [] },
  };
  return createStabilityFigure(path, { snapshots: run.snapshots, manifest: { name: "SGD" } });
}

/** Ratio and both ends of the spectrum beside a loss; at a corner the loss is not finite. */
function convexity(): Figure {
  const [alpha, beta] = [uniform(-4, 12, 9), uniform(-5, 6, 7)];
  const points = Array.from({ length: 63 }, (_, index) => {
    const [a, b] = [alpha[index % 9] as number, beta[Math.floor(index / 9)] as number];
    const isLost = index === 62;
    return {
      index,
      loss: valley(a, b),
      gradientNorm: 1,
      smallest: isLost ? Number.NaN : -1 - 0.1 * a ** 2,
      largest: isLost ? Number.NaN : 30 + a ** 2 + b ** 2,
      residual: isLost ? Number.NaN : 0.1,
      products: isLost ? 0 : 7,
      isConverged: true,
    };
  });
  const map: ConvexityMap = { alpha, beta, points, warnings: [] };
  return withConvexity(sampleFigure(valley), map, facts);
}

/** Every figure of curvature. */
export const CURVATURE_FIGURES: Readonly<Record<"curvature" | "stability" | "convexity", Figure>> = {
  curvature: curvature(),
  stability: stability(),
  convexity: convexity(),
};

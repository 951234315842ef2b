import { expect, test } from "vitest";
import { analyzeLine } from "../../src/analysis/analyze-line.js";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { resolveCompareOptions } from "../../src/analysis/compare/compare-options.js";
import { decodeError, encodeError, InvalidOptionError } from "../../src/base/errors.js";
import { refuseRenamed } from "../../src/base/option-names.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { classicMds } from "../../src/embedding/mds/embed-distances.js";
import { sgdMds } from "../../src/embedding/mds/sgd-mds.js";
import { nonmetricMds, smacof } from "../../src/embedding/mds/smacof.js";
import { phate } from "../../src/embedding/phate/phate.js";
import { tsneEmbedding } from "../../src/embedding/tsne-embedding.js";
import { umapEmbedding } from "../../src/embedding/umap-embedding.js";
import type { Run } from "../../src/store/run/run.js";
import { checkApproximateOptions } from "../../src/surface/approximate/approximate-surface.js";
import { axisOfGrid, createGrid } from "../../src/surface/grid.js";
import { interpolateLine, randomLines } from "../../src/surface/lines/evaluate-lines.js";
import { resolveJumpRecipe } from "../../src/training/jump-options.js";

test("an old key is refused by name, with the new one", () => {
  expect(() => refuseRenamed({ nComponents: 3 }, "embedding")).toThrow(InvalidOptionError);
  expect(() => refuseRenamed({ nComponents: 3 }, "embedding")).toThrow(
    /^nComponents: this option is now called dimensions$/,
  );
  expect(() => refuseRenamed({ center: "final" }, "pca")).toThrow(/this option is now called centering$/);
  refuseRenamed({ dimensions: 3, center: undefined }, "embedding", "pca");
});

test("whatever had an option that was renamed refuses the old key", async () => {
  const distances = Float64Array.from({ length: 16 }, (_, i) => Math.abs(Math.floor(i / 4) - (i % 4)));
  // biome-ignore lint/suspicious/noExplicitAny: keys that the types no longer have.
  const old = (key: string, value: unknown = 2): any => ({ [key]: value });
  const none = {} as never;
  const start = Float64Array.from({ length: 8 }, (_, i) => i);
  const calls: (() => unknown)[] = [
    () => phate({ distances, count: 4 }, none, old("randomState")),
    () => classicMds(distances, 4, none, old("nComponents")),
    () => smacof(distances, 4, start, old("nComponents")),
    () => sgdMds(distances, 4, start, old("nComponents")),
    () => nonmetricMds(distances, 4, start, old("nComponents")),
    () => umapEmbedding(none, old("nComponents")),
    () => tsneEmbedding(none, old("nComponents")),
    () => pcaDirections(none, old("center", "final")),
    () => analyzeLine([], { kind: "models" }, old("range", { from: 0, to: 1, points: 3 })),
    () => createGrid(old("points", 5)),
    () => createGrid(old("range", "0:1:5,0:1:5")),
    () => axisOfGrid("grid", { from: 0, to: 1, ...old("points", 3) }),
    () => interpolateLine([], none, old("range", { from: 0, to: 1, points: 3 })),
    () => randomLines([], none, none, old("range", { from: 0, to: 1, points: 3 })),
    () => checkApproximateOptions(old("budget", 0.2)),
    () => resolveJumpRecipe({ directory: "jumps", ...old("steps", [0.5]) }),
  ];
  for (const call of calls) {
    await expect(async () => call()).rejects.toThrow(
      /this option is now called (dimensions|seed|centering|grid|size|share|distances)$/,
    );
  }
});

test("planes, comparisons and lines name the place that an option has with each of them", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: keys that the types no longer have.
  const old = (key: string): any => ({ [key]: "2,000 images" });
  for (const key of ["title", "metric", "accuracyAs"]) {
    const message = `${key}: this option is now called figure.${key}`;
    await expect(analyzePlane([], { kind: "pca" }, old(key))).rejects.toThrow(message);
    await expect(analyzeLine([], { kind: "models" }, old(key))).rejects.toThrow(message);
  }
  await expect(analyzePlane([], { kind: "pca" }, old("dataName"))).rejects.toThrow(
    "dataName: this option is now called figure.names.data",
  );
  const runs = ["a", "b"].map((directory) => ({ directory, snapshots: [{}] }) as unknown as Run);
  expect(() => resolveCompareOptions(runs, old("dataName"))).toThrow(
    "dataName: this option is now called names.data",
  );
});

test("an error keeps its message where its class and fields were stripped", () => {
  const renamed = new InvalidOptionError("points", "the option size", "its earlier name points");
  renamed.message = "points: this option is now called size";
  const back = decodeError(encodeError(renamed));
  expect([back.message, back.constructor]).toEqual([renamed.message, InvalidOptionError]);
});

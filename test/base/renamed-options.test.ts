import { expect, test } from "vitest";
import { analyzeLine } from "../../src/analysis/analyze-line.js";
import { InvalidOptionError } from "../../src/base/errors.js";
import { refuseRenamed } from "../../src/base/option-names.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { classicMds } from "../../src/embedding/mds/embed-distances.js";
import { sgdMds } from "../../src/embedding/mds/sgd-mds.js";
import { nonmetricMds, smacof } from "../../src/embedding/mds/smacof.js";
import { phate } from "../../src/embedding/phate/phate.js";
import { tsneEmbedding } from "../../src/embedding/tsne-embedding.js";
import { umapEmbedding } from "../../src/embedding/umap-embedding.js";

test("an old key is refused by name, with the new one", () => {
  expect(() => refuseRenamed({ nComponents: 3 }, "embedding")).toThrow(InvalidOptionError);
  expect(() => refuseRenamed({ nComponents: 3 }, "embedding")).toThrow(
    /^nComponents: .*; this option is called dimensions$/,
  );
  expect(() => refuseRenamed({ center: "final" }, "pca")).toThrow(/this option is called centering$/);
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
  ];
  for (const call of calls) {
    await expect(async () => call()).rejects.toThrow(
      /this option is called (dimensions|seed|centering|grid)$/,
    );
  }
});

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { curvePointTiles, readInterruptedSurface } from "../../src/store/kinds/surface-journal.js";
import { openTileJournal } from "../../src/store/results/tile-journal.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

test("points of a tile that could not be written are in the next one", async () => {
  const file = join(newFolder(), "surfaces", "pca.arrow");
  const engine = { name: "function", backend: "js", batchSize: 0, threads: 1 };
  const provenance = { kind: "surface", version: 1, options: {}, seed: null, inputs: {} };
  const journal = await openTileJournal(file, { provenance, engines: [engine] }, [], curvePointTiles);
  const point = (index: number) => ({
    curve: 0,
    index,
    value: { loss: index / 2, metrics: {}, clippedShare: null },
    undefinedWeights: [],
  });
  mkdirSync(dirname(file), { recursive: true });
  const inTheWay = join(dirname(file), ".pca.arrow.tiles");
  writeFileSync(inTheWay, "");
  await journal.add(point(0));
  await expect(journal.flush()).rejects.toThrow();
  rmSync(inTheWay);
  await journal.add(point(1));
  await journal.flush();
  await journal.flush();
  expect((await readInterruptedSurface(file))?.points).toEqual([point(0), point(1)]);
});

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { createSets, loadComparedModule, openSweepComparison } from "../../src/cli/sweep-comparison.js";
import type { TensorData } from "../../src/loss/evaluation-data.js";
import type { SweepRun } from "../../src/training/run-sweep.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

/** What modules in a temporary folder can reach: TensorFlow.js, data, and how often they were called. */
const reached = { tf, tinyData, calls: 0 };
(globalThis as unknown as { reached: typeof reached }).reached = reached;

/** The path of a module with these exports. */
function moduleOf(text: string): string {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "sweep.mjs");
  writeFileSync(file, `const { reached } = globalThis;\n${text}\n`);
  reached.calls = 0;
  return file;
}

const xsOf = (data: unknown): tf.Tensor => (data as TensorData).xs as tf.Tensor;
const rows = (n: string) => `{ xs: reached.tf.ones([${n}, 1]), ys: reached.tf.ones([${n}, 1]) }`;

beforeAll(useTestBackend);

describe("evaluation sets", () => {
  test("a function without an argument is called once, whatever the settings", async () => {
    const file = moduleOf(`export async function loadData() { reached.calls++; return ${rows("2")}; }`);
    const setsOf = createSets(file);
    const first = await setsOf({ n: 1 });
    expect((await setsOf({ n: 2 })).data).toBe(first.data);
    expect([reached.calls, xsOf(first.data).isDisposed]).toEqual([1, false]);
  });

  test.each(["({ n })", "({ n } = { n: 7 })", "(...all)"])(
    "with %s it is called for other settings, and what it gave before stays",
    async (parameters) => {
      const n = parameters === "(...all)" ? "all[0].n" : "n";
      const setsOf = createSets(
        moduleOf(
          `export const loadData = ${parameters} => { reached.calls++; return ${rows(n)}; };
           export const loadTestData = () => (${rows("5")});`,
        ),
      );
      const before = tf.memory().numTensors;
      const first = await setsOf({ n: 2 });
      const other = await setsOf({ n: 3 });
      expect((await setsOf({ n: 3 })).data).toBe(other.data);
      expect([xsOf(first.data).isDisposed, xsOf(other.data).shape, reached.calls]).toEqual([
        false,
        [3, 1],
        2,
      ]);
      expect(other.testData).toBe(first.testData);
      expect(tf.memory().numTensors - before).toBe(6);
    },
  );

  test("a module may give tensors again that it gave for other settings", async () => {
    const setsOf = createSets(
      moduleOf(`const known = {};\nexport const loadData = ({ n }) => (known[n] ??= ${rows("n")});`),
    );
    const first = await setsOf({ n: 1 });
    await setsOf({ n: 2 });
    const again = await setsOf({ n: 1 });
    expect([again.data === first.data, xsOf(again.data).isDisposed]).toEqual([true, false]);
  });
});

test("a check ends where the command is ended", async () => {
  const directory = newFolder();
  const { xs, ys } = tinyData();
  await tinyModel().fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [trajectoryCallback({ directory })] });
  const file = moduleOf("export const loadData = () => { reached.calls++; return reached.tinyData(); };");
  const run = { directory, name: "a=1", settings: { a: 1 } } as unknown as SweepRun;
  const settings = [{ a: 1 }, { a: 2 }] as const;
  const module = await loadComparedModule(file, settings);
  const controller = new AbortController();
  const open = () =>
    openSweepComparison(file, module, settings[0], { best: 2, directory, signal: controller.signal });
  await (await open()).check([run]);
  const ended = await open();
  controller.abort(new Error("the end"));
  await expect(ended.check([run])).rejects.toThrow("the end");
});

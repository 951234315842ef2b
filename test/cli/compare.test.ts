import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { launchChromium, needChromium } from "../figure/chromium.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const dataModule = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));
const NAMES = ["SGD", '</script><img src=x onerror=alert(1)>"=1'];
const runs = [newFolder(), newFolder()] as const;
const out = newFolder();

function cli(...args: string[]): Promise<CommandResult> {
  return runCommand(...args);
}

/** The options of a small comparison. */
const SMALL = ["--data", dataModule, "--points", "5", "--seeds", "0,1", "--range=-1:1:5", "--engine", "tfjs"];

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  for (const [index, directory] of runs.entries()) {
    const model = tinyModel(index === 0 ? tf.train.momentum(0.1, 0.9) : tf.train.adam(0.02));
    const callbacks = [trajectoryCallback({ directory, name: NAMES[index] as string })];
    await model.fit(xs, ys, { epochs: 3, batchSize: 8, verbose: 0, callbacks });
  }
});

describe("compare", () => {
  test("--json has the runs, their distances and the files; every view is there", async () => {
    const { status, stdout, stderr } = await cli(
      "compare",
      ...runs,
      ...SMALL,
      "--test",
      "--out",
      out,
      "--json",
    );
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").length).toBe(1);
    const result = JSON.parse(stdout);
    expect(result.runs.map(({ name }: { name: string }) => name)).toEqual(NAMES);
    const [first] = result.runs;
    expect(first.scores.map(({ set }: { set: string }) => set)).toEqual(["train", "test"]);
    expect(first.straightness).toBeCloseTo(first.distance / first.pathLength, 12);
    expect(result.distance[0][0]).toBe(0);
    expect(result.distance[0][1]).toBe(result.distance[1][0]);
    expect(result.cosine[1][1]).toBe(1);
    expect(result.joint.explainedVarianceRatio.length).toBe(2);
    expect(result.whyNoJoint).toBeNull();
    const names = ["joint", "joint-3d", "planes", "lines", "table", "training"];
    const wanted = [
      ...names.flatMap((name) => [`${name}.svg`, `${name}.png`]),
      "table.csv",
      "compare.html",
    ].map((name) => join(out, name));
    expect(new Set(result.files)).toEqual(new Set(wanted));
    for (const file of wanted) expect(statSync(file).size, file).toBeGreaterThan(500);
    expect(readFileSync(join(out, "compare.html"), "utf8")).not.toContain("<img");
  });

  test("the page opens without a message, with the table and its definitions", async (context) => {
    needChromium(context);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const messages: string[] = [];
      page.on("console", (message) => messages.push(message.text()));
      page.on("pageerror", (error) => messages.push(error.message));
      page.on("request", (request) => {
        if (!/^(file|data|blob):/.test(request.url())) messages.push(request.url());
      });
      await page.goto(pathToFileURL(join(out, "compare.html")).href);
      await page.waitForSelector("[data-figure] svg");
      expect(await page.locator("table.values thead th").allTextContents()).toEqual(["Quantity", ...NAMES]);
      expect(await page.locator("table.values tbody tr").count()).toBeGreaterThan(20);
      await page.locator("table.values sup a").first().click();
      expect(await page.locator(".definitions li:target").count()).toBe(1);
      const colors = await page
        .locator("table.values .key")
        .evaluateAll((keys) =>
          keys.map((key) => key.ownerDocument.defaultView?.getComputedStyle(key).backgroundColor),
        );
      expect(colors).toEqual(["rgb(0, 114, 178)", "rgb(209, 123, 37)"]);
      expect(await page.locator("img").count()).toBe(0);
      expect(messages).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  test("one run, a rise of nothing: exit code 2, one line, nothing written", async () => {
    const cases: [string[], string][] = [
      [[runs[0]], "runs: expected at least 2 to compare, got 1"],
      [[...runs, "--rise", "0"], "--rise: expected a number above 0"],
    ];
    for (const [args, message] of cases) {
      const folder = newFolder();
      const { status, stderr, stdout } = await cli("compare", ...args, ...SMALL, "--out", folder);
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(message);
      expect(existsSync(folder)).toBe(false);
    }
  });
});

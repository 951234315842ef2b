import { expect, test } from "vitest";
import type { Figure } from "../../src/figure/figure.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { checkAccess } from "./axe.js";
import { needChromium, useChromium } from "./chromium.js";
import { CURVATURE_FIGURES } from "./sample-curvature.js";
import { sampleEmbedding } from "./sample-embedding.js";
import { arc, sampleFigure, samplePath, sampleSurface, stepped, uniform, valley } from "./sample-figures.js";

const chromium = useChromium();
const settings = [["optimizer", "Momentum: learningRate 0.1, momentum 0.9"]] as const;
const runs = [
  { ...samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)), settings },
  { ...samplePath("Adam", arc(7, [8, -4]), valley), settings },
];
const surface = sampleSurface(uniform(-4, 12, 9), uniform(-5, 6, 7), valley);
/** Every kind of panel. */
const FIGURES: readonly Figure[] = [
  sampleFigure((a, b) => (a > 9 && b > 4 ? Number.NaN : valley(a, b)), { paths: runs }),
  createMapsFigure({ title: "Maps", surfaces: [{ set: "train", surface }], labels: ["α", "β"] }),
  createTrainingFigure(runs),
  createEmbeddingFigure(sampleEmbedding()),
  createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }), { title: "In space" }),
  ...Object.values(CURVATURE_FIGURES),
];

test("axe-core finds nothing on a report, at three widths, in light, dark and forced colours", async (context) => {
  needChromium(context);
  const { page, heard } = await chromium.openFigures(FIGURES, { bypassCSP: true });
  await checkAccess(page);
  expect(heard).toEqual([]);
  // Twice as large on 1280 px is a page of 640 px.
  await page.setViewportSize({ width: 640, height: 450 });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(640);
  await page.context().close();
}, 240_000);

test("a phone shows tables as cards, and no word breaks letter by letter", async (context) => {
  needChromium(context);
  const { page } = await chromium.openFigures(FIGURES, { width: 360 });
  await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
  const cell = page.locator(".settings td").first();
  expect(await page.evaluate("getComputedStyle(document.querySelector('.settings td')).display")).toBe(
    "flex",
  );
  expect(await cell.getAttribute("data-label")).toBe("SGD");
  // Every word of a head or a cell stands on one line, unless it is wider than the card.
  const broken = await page.evaluate<string[]>(`(() => {
    const found = [];
    for (const cell of document.querySelectorAll("tbody th, tbody td, .tooltip dt, summary, h1, h2")) {
      const text = [...cell.childNodes].find((node) => node.nodeType === 3);
      for (const { index, 0: word } of text?.data.matchAll(/[^\\s]{2,20}/g) ?? []) {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) found.push(word);
      }
    }
    return found;
  })()`);
  expect(broken).toEqual([]);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  await page.context().close();
});

test("paper is light and as wide as the paper, and figures stay whole", async (context) => {
  needChromium(context);
  const { page } = await chromium.openFigures(FIGURES.slice(0, 1), { isDark: true });
  const fill = () => page.locator(".canvas svg rect").first().getAttribute("fill");
  expect(await fill()).toBe("#16181d");
  await page.emulateMedia({ media: "print" });
  await expect.poll(fill, { timeout: 30_000 }).toBe("#ffffff");
  await page.setViewportSize({ width: 700, height: 900 });
  const wide = await page.locator(".canvas svg").first().boundingBox();
  expect(wide?.width).toBeLessThanOrEqual(700);
  expect(await page.evaluate("getComputedStyle(document.querySelector('.chart')).breakInside")).toBe("avoid");
  expect(await page.locator(".toolbar").isVisible()).toBe(false);
  await page.emulateMedia({ media: "screen", colorScheme: "dark" });
  await expect.poll(fill, { timeout: 30_000 }).toBe("#16181d");
  await page.context().close();
});

test("a screen reader hears with a figure how far it can be trusted", async (context) => {
  needChromium(context);
  const { page } = await chromium.openFigures(FIGURES.slice(0, 1));
  const id = (await page.locator(".chart").getAttribute("aria-describedby")) ?? "";
  const { verdict, fidelity: [first] = [] } = FIGURES[0] as Figure;
  expect(verdict || first).toBeTruthy();
  expect(await page.locator(`#${id}`).textContent()).toContain(verdict || first);
  await page.context().close();
});

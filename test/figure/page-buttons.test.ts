import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Figure } from "../../src/figure/figure.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { needChromium, useChromium } from "./chromium.js";
import { difference } from "./png.js";
import { CURVATURE_FIGURES } from "./sample-curvature.js";
import { sampleEmbedding } from "./sample-embedding.js";
import { arc, sampleFigure, samplePath, sampleSurface, stepped, uniform, valley } from "./sample-figures.js";

const chromium = useChromium();

const runs = [
  samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)),
  samplePath("Adam", arc(7, [8, -4]), valley),
];
const surface = sampleSurface(uniform(-4, 12, 9), uniform(-5, 6, 7), valley);

/** Figures with every kind of panel that is drawn, and every button. */
const FIGURES: Readonly<Record<string, Figure>> = {
  path: sampleFigure((a, b) => (a > 9 && b > 4 ? Number.NaN : valley(a, b))),
  "two paths": sampleFigure(valley, { paths: runs }),
  map: createMapsFigure({
    title: "Map",
    surfaces: [{ set: "train", surface }],
    labels: ["α", "β"],
    path: runs[0],
  }),
  curves: createTrainingFigure(runs),
  scatter: createEmbeddingFigure(sampleEmbedding()),
  box: createEmbeddingFigure(sampleEmbedding({ dimensions: 3 })),
  curvature: CURVATURE_FIGURES.curvature,
  stability: CURVATURE_FIGURES.stability,
};

/** The whole page once it is still, as a picture. */
async function picture(page: Page): Promise<Buffer> {
  await page.mouse.move(1, 1);
  await page.evaluate(
    "new Promise((done) => { document.activeElement?.blur(); requestAnimationFrame(() => requestAnimationFrame(done)); })",
  );
  return await page.screenshot({ fullPage: true });
}

/** Presses a button; of a choice the other one and it again. */
async function pressTwice(page: Page, index: number): Promise<void> {
  const button = page.locator("button").nth(index);
  const group = button.locator("xpath=parent::*[@role='group' and contains(@class, 'choice')]");
  if (!(await button.isVisible()) || (await button.isDisabled())) return;
  const showAll = page.getByRole("button", { name: "Show all" });
  if ((await group.count()) === 0 || (await group.getAttribute("aria-label")) === "Zoom") {
    await button.click();
    await button.click();
    if ((await showAll.count()) > 0 && (await showAll.isEnabled())) await showAll.click();
    return;
  }
  const first = group.locator("button[aria-pressed=true]");
  const chosen = (await first.textContent()) ?? "";
  for (let round = 0; round < 2; round++) {
    await button.click();
    await page.waitForTimeout(150);
    await group.getByRole("button", { name: chosen, exact: true }).click();
  }
}

describe("every button pressed twice leaves the page as it was, pixel for pixel", () => {
  test.each(Object.keys(FIGURES))(
    "%s",
    async (name, context) => {
      needChromium(context as never);
      const { page, heard } = await chromium.openFigures([FIGURES[name] as Figure], { width: 720 });
      // The first picture of a page has other soft edges than all that follow.
      await picture(page);
      const fresh = await picture(page);
      const count = await page.locator("button").count();
      expect(count).toBeGreaterThan(2);
      for (let index = 0; index < count; index++) {
        const button = page.locator("button").nth(index);
        // What is in sight in 3-D only is pressed in page-space.test.ts.
        if (!(await button.isVisible())) continue;
        const label = (await button.getAttribute("aria-label")) ?? (await button.textContent());
        await pressTwice(page, index);
        // Playing has begun and ended: the slider goes back to where it was.
        const slider = page.locator(".player input");
        if ((await slider.count()) > 0) await slider.fill("0");
        expect(difference(fresh, await picture(page)), `after "${label}"`).toBe("");
      }
      expect(heard).toEqual([]);
      await page.context().close();
    },
    240_000,
  );
});

test("levels of the other kind are drawn as a page draws them that has begun with them", async (context) => {
  needChromium(context);
  const texts = async (page: Page) => await page.locator(".canvas svg text").allTextContents();
  const path = FIGURES.path as Figure;
  const { page } = await chromium.openFigures([path]);
  const before = await texts(page);
  await page.getByRole("button", { name: "Linear" }).click();
  const linear = await texts(page);
  expect(linear).not.toEqual(before);
  await page.getByRole("button", { name: "Logarithmic" }).click();
  expect(await texts(page)).toEqual(before);
  // Nothing but the names of upright axes and of the colour bar is turned.
  const turned = await page.locator(".canvas svg text").evaluateAll((all) =>
    all
      .filter((text) => {
        const [, b = "0"] =
          /matrix\(([^)]*)\)/.exec(text.getAttribute("transform") ?? "")?.[1]?.split(",") ?? [];
        return Math.abs(Number(b)) > 0.5;
      })
      .map((text) => text.textContent),
  );
  for (const text of turned) expect(text).not.toMatch(/^[\d.]+$/);
  await page.context().close();
});

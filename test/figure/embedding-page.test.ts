import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Figure } from "../../src/figure/figure.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { drawn, needChromium, snapshotPlace, useChromium } from "./chromium.js";
import { sampleEmbedding } from "./sample-embedding.js";

const HOSTILE = `</script><script>window.hacked=1</script><img src="http://127.0.0.1:9/x" onerror="window.hacked=1">`;
const FLAT = createEmbeddingFigure(sampleEmbedding());
const SPACE = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }), { title: "In space" });

const chromium = useChromium();

/** A page with the document open, and everything that it said or asked for. */
const open = (figures: readonly Figure[], title = "Embeddings") =>
  chromium.openFigures(figures, { title, width: 1000 });

/** Where a snapshot is on the screen. */
const placeOf = (page: Page, figure: Figure, run: number, snapshot: number) =>
  snapshotPlace(page, figure, { run, snapshot });

/** What the first chart draws once it is still, as text that changes with every place. */
async function drawing(page: Page): Promise<string> {
  await drawn(page);
  return page.locator(".chart").first().locator(".canvas:not([hidden]) svg").last().innerHTML();
}

describe("the page of embeddings", () => {
  test("pointing at a snapshot tells its run, epoch and loss, in two and three dimensions", async (context) => {
    needChromium(context);
    for (const figure of [FLAT, SPACE]) {
      const { page, heard } = await open([figure]);
      const { x, y } = await placeOf(page, figure, 1, 3);
      await page.mouse.move(x, y);
      const tooltip = page.locator(".tooltip").first();
      expect(await tooltip.locator("strong").textContent()).toBe("Adam, epoch 3");
      expect(await tooltip.textContent()).toContain("training loss as logged0.04642");
      await page.mouse.move(x, 5);
      expect(await tooltip.isHidden()).toBe(true);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });

  test("the slider and the button play the training: rings stand at the snapshots", async (context) => {
    needChromium(context);
    const { page, heard } = await open([FLAT]);
    const whole = await drawing(page);
    const slider = page.locator(".player input");
    const label = page.locator(".player output");
    const rings = async () =>
      await page
        .locator(".ring")
        .evaluateAll((all) =>
          all.map((ring) => [ring.getAttribute("cx"), ring.getAttribute("cy")].map(Number)),
        );
    expect(await label.textContent()).toBe("epoch 0 of 4");
    await slider.fill("1");
    expect(await label.textContent()).toBe("epoch 1 of 4");
    const places = await Promise.all([0, 1].map((run) => placeOf(page, FLAT, run, 1)));
    // Asking for a place scrolls the chart into view.
    const box = await page.locator(".chart").first().boundingBox();
    for (const [k, { x, y }] of places.entries()) {
      expect((await rings())[k]?.[0]).toBeCloseTo(x - (box?.x ?? 0), 1);
      expect((await rings())[k]?.[1]).toBeCloseTo(y - (box?.y ?? 0), 1);
    }
    // What has been drawn stands still, and every snapshot can be pointed at.
    expect(await drawing(page)).toBe(whole);
    const { x, y } = await placeOf(page, FLAT, 0, 3);
    await page.mouse.move(x, y);
    expect(await page.locator(".tooltip strong").textContent()).toBe("SGD, epoch 3");
    const button = page.locator(".player button");
    await button.click();
    expect(await button.getAttribute("aria-label")).toBe("Pause");
    await expect.poll(() => label.textContent(), { timeout: 20_000 }).toBe("epoch 4 of 4");
    await expect.poll(() => button.getAttribute("aria-label")).toBe("Play");
    await button.click();
    expect(await label.textContent()).toBe("epoch 0 of 4");
    await button.click();
    expect(await button.getAttribute("aria-label")).toBe("Play");
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("three dimensions turn by dragging and by Shift with the arrow keys; two do not", async (context) => {
    needChromium(context);
    for (const figure of [FLAT, SPACE]) {
      const { page, heard } = await open([figure]);
      const before = await drawing(page);
      const box = await page.locator(".chart").first().boundingBox();
      const [x, y] = [(box?.x ?? 0) + 60, (box?.y ?? 0) + 30];
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x + 80, y + 20, { steps: 4 });
      await page.mouse.up();
      const after = await drawing(page);
      expect(after === before).toBe(figure === FLAT);
      await page.mouse.move(x, y);
      expect(await drawing(page)).toBe(after);
      await page.locator(".chart").first().focus();
      await page.keyboard.press("Shift+ArrowLeft");
      expect((await drawing(page)) === after).toBe(figure === FLAT);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });

  test("the arrow keys walk along a path and to the next run, and say where they are", async (context) => {
    needChromium(context);
    const { page } = await open([FLAT, SPACE]);
    const chart = page.locator(".chart").first();
    const heading = chart.locator(".tooltip strong");
    await chart.focus();
    const seen: (string | null)[] = [];
    for (const key of ["Home", "ArrowRight", "End", "ArrowDown", "ArrowLeft", "ArrowUp"]) {
      await page.keyboard.press(key);
      seen.push(await heading.textContent());
    }
    expect(seen).toEqual([
      "SGD, epoch 0",
      "SGD, epoch 1",
      "SGD, epoch 4",
      "Adam, epoch 4",
      "Adam, epoch 3",
      "SGD, epoch 3",
    ]);
    expect(await page.locator("[aria-live]").first().textContent()).toContain("SGD, epoch 3: iteration 30");
    await page.keyboard.press("Escape");
    expect(await chart.locator(".tooltip").isHidden()).toBe(true);
    await page.context().close();
  });

  test("hostile names run nothing and load nothing", async (context) => {
    needChromium(context);
    const figure = createEmbeddingFigure(
      sampleEmbedding({ runs: [{ name: HOSTILE }, { name: HOSTILE }], lossName: HOSTILE }),
      { title: HOSTILE },
    );
    const { page, heard } = await open([figure], HOSTILE);
    const { x, y } = await placeOf(page, figure, 0, 2);
    await page.mouse.move(x, y);
    expect(await page.locator(".tooltip strong").textContent()).toBe(`${HOSTILE}, epoch 2`);
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
    expect(await page.locator("img").count()).toBe(0);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("every snapshot stands in the table", async (context) => {
    needChromium(context);
    const { page } = await open([FLAT]);
    expect(await page.locator("tbody tr").count()).toBe(10);
    const cells = await page.locator("tbody tr").nth(6).locator("td").allTextContents();
    expect(cells.slice(0, 5)).toEqual(["Adam", "1", "10", "1", "2"]);
    await page.context().close();
  });
});

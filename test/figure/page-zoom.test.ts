import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { drawn, needChromium, snapshotPlace, useChromium } from "./chromium.js";
import { mapOf, placedMap, pointsOf } from "./panels.js";
import { difference } from "./png.js";
import { sampleEmbedding } from "./sample-embedding.js";
import { arc, sampleFigure, samplePath, stepped, valley } from "./sample-figures.js";

const chromium = useChromium();
const FIGURE = sampleFigure(
  valley,
  {
    paths: [
      samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)),
      samplePath("Adam", arc(7, [8, -4]), valley),
    ],
  },
  [41, 31],
);
const EMBEDDING = createEmbeddingFigure(sampleEmbedding());

/** The chart of a page with its plot on the screen, as it is when all is shown. */
async function plotOf(page: Page) {
  const box = await page.locator(".chart").first().boundingBox();
  if (box === null) throw new Error("no place");
  const { rect } = placedMap(FIGURE, { width: Math.floor(box.width), parts: "chart", isPage: true });
  return { x: box.x + rect.x, y: box.y + rect.y, width: rect.width, height: rect.height };
}

/** Values of the tooltip, by name. */
async function told(page: Page): Promise<Record<string, string>> {
  const names = await page.locator(".tooltip dt").allTextContents();
  const values = await page.locator(".tooltip dd").allTextContents();
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
}

const number = (text = ""): number => Number(text.replace("−", "-"));

/** Turns the wheel over a place with Ctrl held. */
async function zoomAt(page: Page, x: number, y: number, notches = 4): Promise<void> {
  await page.mouse.move(x, y);
  await page.keyboard.down("Control");
  for (let k = 0; k < notches; k++) await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await page.locator("button:not([disabled])", { hasText: "Show all" }).first().waitFor();
  await drawn(page);
}

describe("a map or an embedding", () => {
  test("is enlarged with Ctrl and the wheel around the pointer, moved by a drag and whole after a double click", async (context) => {
    needChromium(context);
    const { page, heard } = await chromium.openFigures([FIGURE]);
    const plot = await plotOf(page);
    const texts = () => page.locator(".chart .canvas svg text").allTextContents();
    const whole = await texts();
    const [x, y] = [plot.x + plot.width * 0.3, plot.y + plot.height * 0.4];
    // The wheel alone scrolls.
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, 60);
    await expect.poll(() => page.evaluate("window.scrollY"), { timeout: 30_000 }).toBe(60);
    await page.mouse.wheel(0, -60);
    await expect.poll(() => page.evaluate("window.scrollY"), { timeout: 30_000 }).toBe(0);
    expect(await texts()).toEqual(whole);

    await page.mouse.move(x + 1, y);
    const before = await told(page);
    await zoomAt(page, x, y);
    await expect.poll(texts, { timeout: 30_000 }).not.toEqual(whole);
    expect(await page.evaluate("window.scrollY")).toBe(0);
    // What was under the pointer still is; its value is that of the stored point.
    await page.mouse.move(x + 1, y);
    const after = await told(page);
    expect(Math.abs(number(after["PC 1"]) - number(before["PC 1"]))).toBeLessThan(0.41);
    const { alpha, beta, values } = mapOf(FIGURE);
    const i = alpha.findIndex((a) => Math.abs(a - number(after["PC 1"])) < 1e-3);
    const j = beta.findIndex((b) => Math.abs(b - number(after["PC 2"])) < 1e-3);
    expect(number(after["training loss"])).toBeCloseTo(Number(values?.[j * alpha.length + i]), 3);
    // The grid point that is read is marked, and lies within half a step.
    const mark = await page.locator(".marker.point").boundingBox();
    const step = (plot.width / 40) * 4;
    expect(Math.abs((mark?.x ?? 0) + (mark?.width ?? 0) / 2 - x)).toBeLessThan(step / 2 + 2);

    const enlarged = await texts();
    await page.mouse.down();
    await page.mouse.move(x + 90, y + 40, { steps: 3 });
    await page.mouse.up();
    await expect.poll(texts, { timeout: 30_000 }).not.toEqual(enlarged);
    await page.mouse.move(x + 91, y + 40);
    await expect.poll(async () => (await told(page))["PC 1"], { timeout: 30_000 }).toBe(after["PC 1"]);
    await page.mouse.dblclick(x, y);
    await expect.poll(texts, { timeout: 30_000 }).toEqual(whole);
    expect(heard).toEqual([]);
    await page.context().close();
  }, 240_000);

  test("that has been enlarged by keys and buttons and shown whole again is a fresh page, pixel for pixel", async (context) => {
    needChromium(context);
    const { page, heard } = await chromium.openFigures([EMBEDDING], { width: 720 });
    const picture = async () => {
      await page.mouse.move(1, 1);
      await page.evaluate("document.activeElement?.blur()");
      await drawn(page);
      return await page.screenshot();
    };
    await picture();
    const fresh = await picture();
    await page.locator(".chart").focus();
    for (const key of ["+", "+", "Shift+ArrowLeft", "-"]) await page.keyboard.press(key);
    await page.getByRole("button", { name: "Zoom in" }).click();
    await drawn(page);
    expect(difference(fresh, await picture())).not.toBe("");
    await page.locator(".chart").focus();
    await page.keyboard.press("0");
    await page.locator("button[disabled]", { hasText: "Show all" }).waitFor();
    expect(difference(fresh, await picture())).toBe("");
    expect(heard).toEqual([]);
    await page.context().close();
  }, 240_000);

  test("is enlarged by two fingers; a tap keeps what it says", async (context) => {
    needChromium(context);
    const { page, heard } = await chromium.openFigures([FIGURE], {
      width: 360,
      hasTouch: true,
      isMobile: true,
    });
    // A phone sees a square map with its colours below.
    const { rect } = placedMap(FIGURE, { width: 336, parts: "chart", isPage: true });
    expect(rect.width / rect.height).toBeCloseTo(1, 1);
    const at = await snapshotPlace(page, FIGURE, { run: 1, snapshot: 2 });
    await page.touchscreen.tap(at.x, at.y);
    await page.locator(".tooltip:not([hidden]) strong", { hasText: "Adam, epoch 2" }).waitFor();
    expect(await page.locator(".tooltip").isVisible()).toBe(true);
    await page.touchscreen.tap(20, 20);
    await expect.poll(() => page.locator(".tooltip").isHidden(), { timeout: 30_000 }).toBe(true);

    const plot = await plotOf(page);
    const [x, y] = [plot.x + plot.width / 2, plot.y + plot.height / 2];
    const session = await page.context().newCDPSession(page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", half: number) =>
      session.send("Input.dispatchTouchEvent", {
        type,
        touchPoints:
          type === "touchEnd"
            ? []
            : [
                { x: x - half, y },
                { x: x + half, y },
              ],
      });
    await touch("touchStart", 20);
    for (const half of [30, 40, 60]) await touch("touchMove", half);
    await touch("touchEnd", 60);
    await page.locator("button:not([disabled])", { hasText: "Show all" }).waitFor();
    expect(heard).toEqual([]);
    await page.context().close();
  }, 240_000);
});

test("pointing at a curve or a snapshot marks the same moment in every panel", async (context) => {
  needChromium(context);
  const { page, heard } = await chromium.openFigures([FIGURE]);
  const box = await page.locator(".chart").first().boundingBox();
  if (box === null) throw new Error("no place");
  const layout = layoutFigure(FIGURE, { width: Math.floor(box.width), parts: "chart", isPage: true });
  const losses = layout.panels.find(({ panel }) => panel.title === "Loss along the path");
  if (losses === undefined) throw new Error("no losses");
  const { rect } = losses;
  const rings = () =>
    page
      .locator(".overlay .ring")
      .evaluateAll((all) =>
        all.map((ring) => [Number(ring.getAttribute("cx")), Number(ring.getAttribute("cy"))]),
      );
  const started = await rings();
  // Epoch 4 of 8.
  await page.mouse.move(box.x + rect.x + rect.width / 2, box.y + rect.y + 20);
  await page.locator(".tooltip:not([hidden]) strong", { hasText: "epoch 4" }).waitFor();
  const values = await told(page);
  const known = pointsOf(FIGURE)[4];
  expect(number(values["SGD, true loss"])).toBeCloseTo(known?.trueLoss ?? Number.NaN, 3);
  const { toPixel } = placedMap(FIGURE, { width: Math.floor(box.width), parts: "chart", isPage: true });
  for (const run of [0, 1]) {
    const point = pointsOf(FIGURE, run)[4];
    const { x, y } = toPixel([point?.alpha ?? 0, point?.beta ?? 0]);
    expect((await rings()).some(([cx = 0, cy = 0]) => Math.hypot(cx - x, cy - y) < 0.5)).toBe(true);
  }
  // And back: a snapshot on the map moves the lines of the curves.
  const at = await snapshotPlace(page, FIGURE, { run: 0, snapshot: 6 });
  await page.mouse.move(at.x, at.y);
  const line = Number(await page.locator(".overlay .cursor").first().getAttribute("x1"));
  expect(line).toBeCloseTo(rect.x + (rect.width * 6) / 8, 0);
  await page.mouse.move(2, 2);
  await expect.poll(rings, { timeout: 30_000 }).toEqual(started);
  expect(heard).toEqual([]);
  await page.context().close();
}, 240_000);

test("one legend hides a run, shows it alone, brings it back and lets it stand out", async (context) => {
  needChromium(context);
  const { page, heard } = await chromium.openFigures([FIGURE]);
  const shapes = () => page.locator(".chart .canvas svg").first().innerHTML();
  const run = (name: string) => page.locator(".runs").getByRole("button", { name, exact: true });
  const whole = await shapes();
  const rings = page.locator(".overlay .ring");
  const all = await rings.count();
  await run("Adam").click();
  expect(await run("Adam").getAttribute("aria-pressed")).toBe("false");
  expect(await shapes()).not.toBe(whole);
  expect(await rings.count()).toBeLessThan(all);
  await run("Adam").dblclick();
  expect(await run("SGD").getAttribute("aria-pressed")).toBe("false");
  expect(await run("Adam").getAttribute("aria-pressed")).toBe("true");
  await page.getByRole("button", { name: "All runs" }).click();
  expect(await rings.count()).toBe(all);
  await page.mouse.move(2, 2);
  expect(await page.locator(".trace").count()).toBe(0);
  await run("SGD").hover();
  expect(await page.locator(".trace").count()).toBeGreaterThan(3);
  expect(heard).toEqual([]);
  await page.context().close();
}, 240_000);

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Figure } from "../../src/figure/figure.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { needChromium, type OpenOptions, useChromium } from "./chromium.js";
import { difference } from "./png.js";
import { arc, sampleFigure, samplePath, valley } from "./sample-figures.js";

const FIGURE = sampleFigure(valley);
const chromium = useChromium();

const html = (figure: Figure = FIGURE): string => renderHtml({ title: "Report", figures: [figure] });

async function openSpace(options: OpenOptions = {}) {
  const opened = await chromium.open(html(), { width: 720, ...options });
  await opened.page.getByRole("button", { name: "Surface in 3-D" }).click();
  await opened.page.locator(".gl canvas").waitFor();
  return opened;
}

/** Where the texts around the box are: they tell the view. */
async function viewOf(page: Page): Promise<string> {
  return (
    await page
      .locator(".front text")
      .evaluateAll((all) => all.map((e) => `${e.getAttribute("transform")} ${e.textContent}`))
  ).join("|");
}

/** Length of the edges on the picture: they tell the zoom. */
async function sizeOf(page: Page): Promise<number> {
  const box = await page
    .locator(".back svg path")
    .evaluateAll((all) =>
      all.map((e) => e.getBoundingClientRect()).map(({ width, height }) => Math.hypot(width, height)),
    );
  return Math.max(...box);
}

describe("the surface in 3-D on a page", () => {
  test("takes at most 900 kB more than a page without, and none where there is none", () => {
    const chart = createTrainingFigure([samplePath("SGD", arc(4, [9, 4]), valley)]);
    const [deep, flat] = [html(), html(chart)];
    expect(flat).not.toContain('id="space-code"');
    expect(deep).toContain('<script type="text/plain" id="space-code">');
    expect(deep.length - flat.length).toBeLessThan(900_000);
  });

  test("buttons pressed twice leave it as it was, also those of the surface itself", async (context) => {
    needChromium(context);
    const { page, heard } = await openSpace();
    const picture = async () => {
      await page.mouse.move(1, 1);
      await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
      return await page.locator(".chart").screenshot();
    };
    await picture();
    const fresh = await picture();
    const press = async (name: string) => await page.getByRole("button", { name, exact: true }).click();
    await press("Grid as evaluated");
    expect(difference(fresh, await picture())).not.toBe("");
    await press("Smooth");
    expect(difference(fresh, await picture())).toBe("");
    await press("Map");
    await press("Surface in 3-D");
    expect(difference(fresh, await picture())).toBe("");
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("the wheel scrolls the page, and zooms with Ctrl or after a click; a double click resets", async (context) => {
    needChromium(context);
    const { page, heard } = await openSpace();
    const first = await sizeOf(page);
    const view = await viewOf(page);
    const box = await page.locator(".space").boundingBox();
    if (box === null) throw new Error("no place");
    await page.mouse.move(box.x + 300, box.y + 200);
    await page.mouse.wheel(0, 120);
    await expect.poll(async () => await page.evaluate<number>("scrollY")).toBeGreaterThan(0);
    expect(await sizeOf(page)).toBeCloseTo(first, 3);
    await page.evaluate("scrollTo(0, 0)");
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    await expect.poll(async () => await sizeOf(page)).toBeGreaterThan(1.3 * first);
    expect(await page.evaluate<number>("scrollY")).toBe(0);
    await page.mouse.dblclick(box.x + 300, box.y + 200);
    await expect.poll(async () => await viewOf(page)).toBe(view);
    // Clicked: the wheel is the picture's until the pointer leaves it.
    await page.mouse.wheel(0, -300);
    await expect.poll(async () => await sizeOf(page)).toBeGreaterThan(1.3 * first);
    await page.mouse.move(2, 2);
    await page.mouse.move(box.x + 300, box.y + 200);
    const near = await sizeOf(page);
    await page.mouse.wheel(0, 120);
    await expect.poll(async () => await page.evaluate<number>("scrollY")).toBeGreaterThan(0);
    expect(await sizeOf(page)).toBeCloseTo(near, 3);
    await page.locator(".chart").focus();
    await page.keyboard.press("-");
    await expect.poll(async () => await sizeOf(page)).toBeLessThan(near);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("turns by itself until it is touched, and not where less motion is asked for", async (context) => {
    needChromium(context);
    const { page, heard } = await openSpace({ isMoving: true });
    const first = await viewOf(page);
    await expect.poll(async () => await viewOf(page), { timeout: 20_000 }).not.toBe(first);
    const box = await page.locator(".space").boundingBox();
    await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 150);
    const still = async (): Promise<boolean> => {
      const before = await viewOf(page);
      await page.waitForTimeout(700);
      return before === (await viewOf(page));
    };
    await expect.poll(still, { timeout: 20_000 }).toBe(true);
    expect(heard).toEqual([]);
    await page.context().close();
    const calm = await openSpace();
    const before = await viewOf(calm.page);
    await calm.page.waitForTimeout(700);
    expect(await viewOf(calm.page)).toBe(before);
    await calm.page.context().close();
  });

  test("a finger turns it, two fingers zoom", async (context) => {
    needChromium(context);
    const { page, heard } = await openSpace({ hasTouch: true });
    const [first, view] = [await sizeOf(page), await viewOf(page)];
    const box = await page.locator(".space").boundingBox();
    const [x, y] = [(box?.x ?? 0) + 300, (box?.y ?? 0) + 200];
    const touch = await page.context().newCDPSession(page);
    const send = async (type: "touchStart" | "touchMove" | "touchEnd", points: [number, number][]) =>
      await touch.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })),
      });
    await send("touchStart", [[x, y]]);
    for (const shift of [20, 40, 60]) await send("touchMove", [[x + shift, y]]);
    await send("touchEnd", []);
    await expect.poll(async () => await viewOf(page)).not.toBe(view);
    await send("touchStart", [
      [x - 30, y],
      [x + 30, y],
    ]);
    for (const apart of [40, 50, 60])
      await send("touchMove", [
        [x - apart, y],
        [x + apart, y],
      ]);
    await send("touchEnd", []);
    await expect.poll(async () => await sizeOf(page)).toBeGreaterThan(1.4 * first);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("says in words where there is no WebGL 2, and shows the surface all the same", async (context) => {
    needChromium(context);
    const opened = await chromium.open(html(), { width: 480 });
    const { page, heard } = opened;
    await page.evaluate("HTMLCanvasElement.prototype.getContext = () => null");
    await page.getByRole("button", { name: "Surface in 3-D" }).click();
    await page.getByText("This browser has no WebGL 2").waitFor();
    await page.locator(".canvas svg image").waitFor();
    await page.getByRole("button", { name: "Map" }).click();
    await page.getByRole("button", { name: "Surface in 3-D" }).click();
    expect(await page.getByText("This browser has no WebGL 2").count()).toBe(1);
    expect(heard).toEqual([]);
    await page.context().close();
  });
});

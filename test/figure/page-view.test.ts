import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { layoutFigure } from "../../src/figure/draw/layout-figure.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import type { PlacedSpace as PlacedPanel } from "../../src/figure/space/space-panel.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import type { SurfaceScene } from "../../src/figure/space/surface-scene.js";
import { needChromium, useChromium } from "./chromium.js";
import { decodePng, type Picture } from "./png.js";
import { arc, sampleFigure, samplePath, sampleSurface, stepped, uniform, valley } from "./sample-figures.js";

/** A surface in 3-D at its place. */
type PlacedSpace = PlacedPanel & { readonly scene: SurfaceScene };

const HOSTILE = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">`;
const figure = sampleFigure((a, b) => (a > 9 && b > 4 ? Number.NaN : valley(a, b)));
const JOINT = sampleFigure(valley, {
  paths: [samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)), samplePath("Adam", arc(7, [8, -4]), valley)],
});
const chromium = useChromium();

async function ringOf(page: Page, place: string): Promise<number[]> {
  const ring = page.locator(`${place} .ring`).first();
  return [Number(await ring.getAttribute("cx")), Number(await ring.getAttribute("cy"))];
}

/** Number of different colours in a picture, counted roughly. */
function coloursOf({ width, height, at }: Picture): number {
  const found = new Set<string>();
  for (let y = 0; y < height; y += 4)
    for (let x = 0; x < width; x += 4)
      found.add(
        at(x, y)
          .map((v) => v >> 3)
          .join(),
      );
  return found.size;
}

describe("the player", () => {
  test("moves the marks on map, panels and curves with slider, keys and time", async (context) => {
    needChromium(context);
    const { page, heard } = await chromium.open(renderHtml({ title: "Report", figures: [figure] }));
    const main = ".chart";
    const start = await ringOf(page, main);
    const cursors = async (): Promise<number[]> =>
      (await page.locator(".cursor").all()).reduce<Promise<number[]>>(
        async (known, line) => [...(await known), Number(await line.getAttribute("x1"))],
        Promise.resolve([]),
      );
    // Losses along the path, share of the plane, learning rate; nothing is logged before the first epoch.
    expect((await cursors()).length).toBe(3);
    await page.locator(".player input").focus();
    await page.keyboard.press("ArrowRight");
    const before = await cursors();
    // The logged losses, too.
    expect(before.length).toBe(4);
    for (let k = 0; k < 2; k++) await page.keyboard.press("ArrowRight");
    expect(await page.locator(".player output").textContent()).toBe("epoch 3 of 12");
    expect(await ringOf(page, main)).not.toEqual(start);
    for (const [k, x] of (await cursors()).entries()) expect(x).toBeGreaterThan(before[k] as number);
    await page.locator(main).focus();
    await page.keyboard.press("End");
    expect(await page.locator(".player output").textContent()).toBe("epoch 12 of 12");
    await page.keyboard.press(" ");
    expect(await page.locator(".play").getAttribute("aria-label")).toBe("Pause");
    await expect
      .poll(async () => await page.locator(".player output").textContent())
      .toMatch(/^epoch [1-5] /);
    await page.locator(".play").click();
    const stopped = await page.locator(".player output").textContent();
    await page.waitForTimeout(900);
    expect(await page.locator(".player output").textContent()).toBe(stopped);
    expect(heard).toEqual([]);
    await page.context().close();
  });
});

describe("the surface in space", () => {
  test("is drawn by WebGL where the labels are, turns with keys and mouse, and says what it shows", async (context) => {
    needChromium(context);
    const { page, heard } = await chromium.open(renderHtml({ title: "Report", figures: [figure] }));
    await page.getByRole("button", { name: "Surface in 3-D" }).click();
    await page.waitForTimeout(800);
    const canvas = page.locator(".gl canvas").last();
    const drawn = decodePng(await page.locator(".space").screenshot());
    expect(coloursOf(drawn)).toBeGreaterThan(60);

    const chart = page.locator(".chart");
    const box = await chart.boundingBox();
    if (box === null) throw new Error("no place");
    const options = { width: Math.floor(box.width), parts: "chart", isPage: true } as const;
    const placed = layoutFigure(inSpace(figure) as Figure, options).panels[0] as PlacedSpace;
    const { projection } = placed;
    const { scene } = placed;
    // In the middle of the wall behind, far from the path: WebGL has drawn the surface there, in viridis.
    const k = 100 * scene.x.length + 60;
    const place = [scene.x[60], scene.y[100], scene.z[k]] as [number, number, number];
    const [x, y] = projection.toScreen(place);
    const [red = 0, green = 0, blue = 0] = drawn.at(x, y);
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeGreaterThan(25);
    await page.mouse.move(box.x + x, box.y + y);
    expect(await chart.locator(".tooltip strong").textContent()).toBe("Nearest grid point");

    const point = scene.paths[0]?.points[2]?.plane ?? [0, 0, 0];
    const [px, py] = projection.toScreen(point);
    await page.mouse.move(box.x + px, box.y + py);
    expect(await chart.locator(".tooltip strong").textContent()).toBe("SGD, epoch 2");

    const labels = async (): Promise<string[]> =>
      await page.evaluate<string[]>(
        "[...document.querySelectorAll('.front text')].map((e) => e.getAttribute('transform') + e.getAttribute('x') + ',' + e.getAttribute('y'))",
      );
    const first = await labels();
    await chart.focus();
    await page.keyboard.press("Shift+ArrowLeft");
    const second = await labels();
    expect(second).not.toEqual(first);
    await page.mouse.move(box.x + box.width / 2, box.y + 200);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 120, box.y + 220, { steps: 6 });
    await page.mouse.up();
    await expect.poll(labels).not.toEqual(second);
    expect(await canvas.count()).toBe(1);
    await page.getByRole("button", { name: "Linear" }).click();
    await page.waitForTimeout(300);
    expect(await page.locator(".caption").first().textContent()).toContain("linear levels");
    await page.getByRole("button", { name: "Map" }).click();
    expect(await page.locator(".space").isVisible()).toBe(false);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("has no label that is cut, on a screen and on a phone, in light and dark", async (context) => {
    needChromium(context);
    const html = renderHtml({ title: "Report", figures: [JOINT] });
    for (const options of [{ width: 1200 }, { width: 360, isDark: true }]) {
      const { page, heard } = await chromium.open(html, options);
      await page.getByRole("button", { name: "Surface in 3-D" }).click();
      await page.waitForTimeout(500);
      const cut = await page.evaluate<string[]>(`(() => {
        const frame = document.querySelector(".front svg").getBoundingClientRect();
        return [...document.querySelectorAll(".front text")].filter((text) => {
          const box = text.getBoundingClientRect();
          return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
        }).map((text) => text.textContent);
      })()`);
      expect(cut).toEqual([]);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(options.width);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });
});

test("charts and maps say the values under the pointer", async (context) => {
  needChromium(context);
  const surface = sampleSurface(uniform(-1, 1, 5), uniform(-1, 1, 5), (a, b) => 1 + a * a + b * b);
  const maps = createMapsFigure({ title: "Maps", surfaces: [{ set: "train", surface }], labels: ["α", "β"] });
  const chart = createTrainingFigure([
    { name: "SGD", snapshots: samplePath("SGD", arc(4, [9, 4]), valley).snapshots },
  ]);
  const { page, heard } = await chromium.open(renderHtml({ title: HOSTILE, figures: [chart, maps] }));
  // Nothing in space: the smaller script.
  expect(await page.content()).not.toContain("three.js authors");
  for (const [index, heading] of [
    [0, /^epoch \d$/],
    [1, /./],
  ] as const) {
    const place = page.locator(".chart").nth(index);
    await place.scrollIntoViewIfNeeded();
    const box = await place.boundingBox();
    await page.mouse.move((box?.x ?? 0) + (index === 0 ? 200 : 300), (box?.y ?? 0) + 120);
    expect(await place.locator(".tooltip strong").textContent()).toMatch(heading);
    expect(await place.locator(".tooltip dd").count()).toBeGreaterThan(0);
  }
  expect(heard).toEqual([]);
  await page.context().close();
});

test("a figure is saved as SVG and as PNG, with its font and in light colours", async (context) => {
  needChromium(context);
  const { page, heard } = await chromium.open(renderHtml({ title: "Report", figures: [figure] }), {
    isDark: true,
  });
  const saved = async (name: string): Promise<Buffer> => {
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name }).first().click();
    const download = await waiting;
    expect(download.suggestedFilename()).toMatch(/^lenet-on-mnist-sgd-with-momentum\.(svg|png)$/);
    return readFileSync(await download.path());
  };
  const svg = (await saved("Save SVG")).toString("utf8");
  expect(svg).toMatch(/^<svg[^>]*width="1100"/);
  expect(svg).toContain("@font-face");
  expect(svg).toContain("#0072b2");
  const flat = decodePng(await saved("Save PNG"));
  expect(flat.width).toBe(3300);
  expect(coloursOf(flat)).toBeGreaterThan(20);
  expect(flat.at(2, 2).slice(0, 3)).toEqual([255, 255, 255]);
  await page.getByRole("button", { name: "Surface in 3-D" }).click();
  expect((await saved("Save SVG")).toString("utf8")).toContain("plane − true");
  expect(heard).toEqual([]);
  await page.context().close();
});

test("texts stand out from their ground by 4.5 to 1 or more, in light and dark, and the reader chooses", async (context) => {
  needChromium(context);
  const settings = [["optimizer", "Momentum"]] as const;
  const path = { ...samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)), settings };
  const { page, heard } = await chromium.open(
    renderHtml({ title: "Report", figures: [sampleFigure(valley, { paths: [path] })] }),
  );
  for (const background of ["rgb(255, 255, 255)", "rgb(22, 24, 29)"]) {
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(background);
    for (const view of ["Map", "Surface in 3-D"]) {
      await page.getByRole("button", { name: view }).click();
      const weak = await page.evaluate<string[]>(WEAK_TEXTS);
      expect(weak, `${background}, ${view}`).toEqual([]);
    }
    await page.getByRole("button", { name: /colours/ }).click();
  }
  expect(await page.locator(".settings td").first().textContent()).toBe("Momentum");
  expect(heard).toEqual([]);
  await page.context().close();
});

/** Texts whose contrast with their ground is below 4.5, by WCAG 2's relative luminance; names on a map have a rim of their own. */
const WEAK_TEXTS = `(() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => parse(color).slice(0, 3)
    .map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e !== null; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (parse(color)[3] !== 0) return color;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const texts = [...document.querySelectorAll("h1,h2,p,li,td,th,button,summary,output,.canvas text")]
    .filter((e) => e.textContent.trim() !== "" && e.getClientRects().length > 0);
  return texts.filter((e) => {
    const style = getComputedStyle(e);
    const color = e.tagName === "text" ? style.fill : style.color;
    const [a, b] = [luminance(color), luminance(ground(e))].sort((p, q) => q - p);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map((e) => e.tagName + " " + e.textContent);
})()`;

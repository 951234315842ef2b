import fc from "fast-check";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Figure } from "../../src/figure/figure.js";
import { escapeHtml, scriptJson } from "../../src/figure/files/page-data.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { needChromium, useChromium } from "./chromium.js";
import { placedMap, pointsOf } from "./panels.js";
import {
  arc,
  bowl,
  sampleFigure,
  samplePath,
  sampleSurface,
  stepped,
  uniform,
  valley,
} from "./sample-figures.js";

const HOSTILE = `</script><script>window.hacked=1</script><img src="http://127.0.0.1:9/x" onerror="window.hacked=1">"'\u2028<!--{{x}}&lt;`;
const SGD = sampleFigure(valley, { title: "SGD on its own plane" });
const JOINT = sampleFigure(valley, {
  title: "SGD and Adam",
  paths: [samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)), samplePath("Adam", arc(7, [8, -4]), valley)],
});

const chromium = useChromium();
const open = chromium.open;

/** Moves the pointer to a place of the plane of the n-th figure. */
async function pointAt(page: Page, figure: Figure, place: readonly [number, number], index = 0) {
  const chart = page.locator(".chart").nth(index);
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  const width = Math.floor(box?.width ?? 0);
  const { x, y } = placedMap(figure, { width, parts: "chart", isPage: true }).toPixel(place);
  await page.mouse.move((box?.x ?? 0) + x, (box?.y ?? 0) + y);
  return chart.locator(".tooltip");
}

async function rows(page: Page, index = 0): Promise<Record<string, string>> {
  const box = page.locator(".chart").nth(index).locator(".tooltip");
  const names = await box.locator("dt").allTextContents();
  const values = await box.locator("dd").allTextContents();
  return Object.fromEntries(names.map((name, k) => [name, values[k] as string]));
}

describe("escaping", () => {
  test("leaves no text that could begin markup", () => {
    expect(escapeHtml(`<a href="x" id='y'>&</a>`)).toBe(
      "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&lt;/a&gt;",
    );
  });

  test("keeps any data in its script element, and unchanged", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: false }), fc.string({ unit: "binary" }), (value, text) => {
        const data = { value: JSON.parse(JSON.stringify(value ?? null) ?? "null"), text, hostile: HOSTILE };
        const json = scriptJson(data);
        expect(json).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });
});

describe("renderHtml", () => {
  test("is one document, declared as UTF-8, that loads nothing", () => {
    const html = renderHtml({ title: "Report", figures: [SGD, JOINT] });
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    expect(html).toContain("default-src 'none'");
    // echarts-gl writes "@import" in its shaders: the script itself is left out.
    expect(html.replace(/<script>.*?<\/script>/s, "").match(/\ssrc="|<link|@import/)).toBeNull();
    for (const figure of [SGD, JOINT]) {
      for (const text of [
        figure.title,
        figure.caption,
        figure.provenance,
        figure.description,
        ...figure.fidelity,
      ]) {
        expect(html).toContain(escapeHtml(text));
      }
    }
  });

  test("stays small: the page's code, and a large run on a large grid", () => {
    expect(chromium.scripts.flat).toBeLessThan(660_000);
    expect(chromium.scripts.deep).toBeLessThan(1_250_000);
    const big = sampleFigure(
      valley,
      { paths: [samplePath("SGD", arc(300, [9, 4]), valley, stepped(300))] },
      [251, 251],
    );
    expect(renderHtml({ title: "big", figures: [big] }).length).toBeLessThan(3_000_000);
  });

  test("escapes every string of the data", () => {
    const html = renderHtml({ title: HOSTILE, introduction: HOSTILE, figures: [hostileFigure()] });
    expect(html.match(/<script/g)?.length).toBe(3);
    expect(html.match(/<\/script/g)?.length).toBe(3);
    expect(html).not.toContain("<img");
    expect(html).not.toContain("<!--");
  });

  test("refuses a report without figures", () => {
    expect(() => renderHtml({ title: "x", figures: [] })).toThrow(
      /figures: expected at least one figure, got none/,
    );
  });
});

describe("the page in Chromium", () => {
  test("draws every figure without a message or a request", async (context) => {
    needChromium(context);
    const { page, heard } = await open(renderHtml({ title: "Report", figures: [SGD, JOINT] }));
    expect(await page.locator(".chart .canvas svg").count()).toBe(2);
    for (const color of ["#0072b2", "#d00000", "#d17b25"]) {
      expect(await page.locator(`.canvas svg [fill="${color}"]`).count(), color).toBeGreaterThan(0);
    }
    const font = await page.evaluate("document.fonts.check(\"12px 'Landscape Sans'\")");
    expect(font).toBe(true);
    await page.locator("summary").first().click();
    expect(await page.locator("section").first().locator("details").last().locator("tbody tr").count()).toBe(
      13,
    );
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("draws charts and maps beside trajectories, in light and dark, and says what they are", async (context) => {
    needChromium(context);
    const surface = sampleSurface(uniform(-1, 1, 5), uniform(-1, 1, 4), (a, b) => 1 + a * a + b * b);
    const maps = createMapsFigure({
      title: HOSTILE,
      surfaces: [
        { set: "train", surface },
        { set: "test", surface },
      ],
      labels: ["α", "β"],
    });
    const chart = createTrainingFigure([
      { name: HOSTILE, snapshots: samplePath("SGD", arc(4, [9, 4]), valley).snapshots },
    ]);
    const html = renderHtml({ title: "Report", figures: [SGD, chart, maps] });
    for (const isDark of [false, true]) {
      const { page, heard } = await open(html, { isDark, width: isDark ? 400 : 1200 });
      await page.locator(".chart .canvas svg").nth(2).waitFor();
      expect(await page.locator("[role=img]").nth(0).getAttribute("aria-label")).toBe(chart.description);
      expect(await page.locator("figcaption .caption").nth(2).textContent()).toBe(maps.caption);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });

  test("says the right numbers of a snapshot and of the surface", async (context) => {
    needChromium(context);
    const { page, heard } = await open(renderHtml({ title: "Report", figures: [SGD, JOINT] }));
    const point = pointsOf(SGD)[3];
    const tooltip = await pointAt(page, SGD, [Number(point?.alpha), Number(point?.beta)]);
    expect(await tooltip.locator("strong").textContent()).toBe("SGD, epoch 3");
    const shown = await rows(page);
    expect(shown).toMatchObject({ iteration: "189", "learning rate": "0.1", "logged loss": "1.178" });
    expect(Number(shown["true loss"])).toBeCloseTo(Number(point?.trueLoss), 3);
    expect(Number(shown["loss on the plane"])).toBeCloseTo(Number(point?.planeLoss), 3);

    await pointAt(page, SGD, [-2.1, -3.4]);
    expect(await rows(page)).toEqual({ "PC 1": "−2", "PC 2": "−3.429", "training loss": "2.248" });
    expect(valley(-2, -5 + 2 * (11 / 14))).toBeCloseTo(2.248, 3);

    await page.mouse.move(5, 5);
    expect(await tooltip.isVisible()).toBe(false);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("is walked through with the keyboard, and spoken", async (context) => {
    needChromium(context);
    const { page } = await open(renderHtml({ title: "Report", figures: [JOINT] }));
    const chart = page.locator(".chart");
    await chart.focus();
    for (const key of ["ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
    expect(await chart.locator("strong").textContent()).toBe("SGD, epoch 2");
    expect((await page.locator("[aria-live]").allTextContents()).join("")).toContain(
      "SGD, epoch 2: iteration 126",
    );
    await page.keyboard.press("ArrowDown");
    expect(await chart.locator("strong").textContent()).toBe("Adam, epoch 2");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("End");
    expect(await chart.locator("strong").textContent()).toBe("SGD, epoch 8");
    await page.keyboard.press("ArrowDown");
    expect(await chart.locator("strong").textContent()).toBe("Adam, epoch 6");
    await page.keyboard.press("Home");
    expect(await chart.locator("strong").textContent()).toBe("Adam, epoch 0");
    await page.keyboard.press("Escape");
    expect(await chart.locator(".tooltip").isVisible()).toBe(false);
    expect(await chart.getAttribute("aria-label")).toBe(JOINT.description);
    await page.context().close();
  });

  test("fits a phone and the dark, without scrolling sideways", async (context) => {
    needChromium(context);
    const { page, heard } = await open(renderHtml({ title: "Report", figures: [SGD] }), {
      width: 360,
      isDark: true,
    });
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(360);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(22, 24, 29)");
    expect(await page.locator('svg [fill="#56b4e9"]').count()).toBeGreaterThan(0);
    const last = pointsOf(SGD)[1];
    const tooltip = await pointAt(page, SGD, [Number(last?.alpha), Number(last?.beta)]);
    const box = await tooltip.boundingBox();
    expect(box?.x).toBeGreaterThanOrEqual(0);
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(360);
    await page.setViewportSize({ width: 900, height: 700 });
    await expect
      .poll(async () => (await page.locator(".canvas svg").first().boundingBox())?.width)
      .toBeGreaterThan(800);
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("lets no string of a run run", async (context) => {
    needChromium(context);
    const figure = hostileFigure();
    const { page, heard } = await open(
      renderHtml({ title: HOSTILE, introduction: HOSTILE, figures: [figure] }),
    );
    const point = pointsOf(figure)[1];
    const tooltip = await pointAt(page, figure, [Number(point?.alpha), Number(point?.beta)]);
    expect(await tooltip.locator("strong").textContent()).toContain("<img src=");
    expect(Object.keys(await rows(page)).join(" ")).toContain("</script>");
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.evaluate("'hacked' in window")).toBe(false);
    expect(await page.locator("h1").textContent()).toContain("<script>");
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("blocks a script that had got in all the same", async (context) => {
    needChromium(context);
    const html = renderHtml({ title: "Report", figures: [SGD] });
    const injected = html.replace("</main>", "<script>window.hacked=1</script></main>");
    const { page, heard } = await open(injected);
    expect(await page.evaluate("'hacked' in window")).toBe(false);
    expect(heard.join(" ")).toContain("Content Security Policy");
    await page.context().close();
  });
});

/** A figure whose every string tries to break out. */
function hostileFigure(): Figure {
  return sampleFigure(bowl, {
    title: HOSTILE,
    caption: HOSTILE,
    lossName: HOSTILE,
    dataName: HOSTILE,
    centerName: HOSTILE,
    axes: { labels: [HOSTILE, HOSTILE], explainedVarianceRatio: null, randomWalkBaseline: null },
    paths: [
      {
        ...samplePath(HOSTILE, arc(4, [9, 4]), bowl, () => ({
          logs: { [HOSTILE]: 1, ["__proto__"]: 2, constructor: 3, loss: 1 },
        })),
        settings: [[HOSTILE, HOSTILE]],
      },
      samplePath("__proto__", arc(4, [8, -4]), bowl),
    ],
  });
}

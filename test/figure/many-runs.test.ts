import { describe, expect, test } from "vitest";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { renderSvg } from "../../src/figure/files/render-picture.js";
import { createPlanesFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { createTrajectoryFigure } from "../../src/figure/make/create-trajectory-figure.js";
import { needChromium, useChromium } from "./chromium.js";
import { arc, samplePath, sampleSurface, stepped, uniform, valley } from "./sample-figures.js";

const chromium = useChromium();

const AXES = {
  labels: ["PC 1", "PC 2"],
  explainedVarianceRatio: [0.832, 0.121],
  randomWalkBaseline: [0.611, 0.152],
};

/** Paths that end on a circle, each from a place of its own. */
const pathsOf = (count: number) =>
  Array.from({ length: count }, (_, k) => {
    const [c, s] = [Math.cos((2 * Math.PI * k) / count), Math.sin((2 * Math.PI * k) / count)];
    const points = arc(7, [9 + 2 * c, 3 + 2 * s]).map(([x, y]): [number, number] => [
      x + 2.5 * c,
      y + 2.2 * s,
    ]);
    return samplePath(`optimizer number ${k + 1}`, points, valley, stepped(7));
  });

function figuresOf(count: number) {
  const paths = pathsOf(count);
  const surface = sampleSurface(uniform(-5, 15, 17), uniform(-5, 9, 17), valley);
  return {
    joint: createTrajectoryFigure({
      title: `${count} runs: all paths on one plane`,
      surface,
      axes: AXES,
      paths,
    }),
    planes: createPlanesFigure({
      title: `${count} runs: each on its own plane`,
      planes: paths.map((path) => ({ ...path, axes: AXES, surface })),
    }),
    training: createTrainingFigure(paths),
  };
}

test("maps side by side name the runs that a warning concerns", () => {
  const warnings = [{ code: "odd", message: "the surface is odd" }];
  const surface = { ...sampleSurface(uniform(-5, 15, 17), uniform(-5, 9, 17), valley), warnings };
  const planes = pathsOf(2).map((path) => ({ ...path, axes: AXES, surface }));
  expect(createPlanesFigure({ title: "planes", planes }).notes).toEqual([
    'the surface is odd (in "optimizer number 1" and "optimizer number 2")',
  ]);
});

describe("many runs", { timeout: 240_000 }, () => {
  test("twelve have a picture that is not mostly words: those the plane shows worst, and how many others", () => {
    const { joint } = figuresOf(12);
    const described = joint.fidelity.filter((text) => text.startsWith("optimizer number"));
    expect(described.length).toBe(2);
    expect(joint.fidelity.at(-1)).toBe("The plane holds more of the other 10 runs at their median snapshot.");
    const size = figureSize(joint);
    expect(size.height).toBeLessThan(0.9 * size.width);
    expect(figuresOf(6).joint.fidelity.filter((text) => text.startsWith("optimizer number")).length).toBe(6);
  });

  test("fifty are all named in the legend, inside the picture", () => {
    const { training } = figuresOf(50);
    const { legend, width, height } = layoutFigure(training);
    const names = new Set(legend.map(({ text }) => text));
    for (let k = 1; k <= 50; k++) expect(names).toContain(`optimizer number ${k}`);
    for (const { x, y } of legend) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(width);
      expect(y).toBeLessThan(height);
    }
    expect(renderSvg(figureOption(training), figureSize(training))).toContain("optimizer number 50");
  });

  test("fifty have a legend on the page that stays low, and hides and shows each", async (context) => {
    needChromium(context);
    const { joint } = figuresOf(50);
    const { page, heard } = await chromium.open(renderHtml({ title: "50 runs", figures: [joint] }), {
      width: 1280,
    });
    const legend = page.locator(".runs");
    expect((await legend.boundingBox())?.height).toBeLessThan(200);
    const last = legend.getByRole("button", { name: "optimizer number 50" });
    await last.click();
    await expect.poll(async () => await last.getAttribute("aria-pressed")).toBe("false");
    await last.click();
    await expect.poll(async () => await last.getAttribute("aria-pressed")).toBe("true");
    expect(heard).toEqual([]);
    await page.context().close();
  });

  test("twelve on a page: maps and curves take less than five screens, and nothing is wider than a phone", async (context) => {
    needChromium(context);
    const { joint, planes, training } = figuresOf(12);
    const html = renderHtml({ title: "12 runs", figures: [joint, planes, training] });
    for (const width of [1280, 360]) {
      const { page, heard } = await chromium.open(html, { width });
      const [wide, high] = await page.evaluate<[number, number]>(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]",
      );
      expect(wide).toBeLessThanOrEqual(width);
      if (width === 1280) expect(high).toBeLessThan(5 * 800);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });
});

import { expect, test } from "vitest";
import type { Connection } from "../../src/between/connection.js";
import type { Figure } from "../../src/figure/figure.js";
import { createConnectionFigure } from "../../src/figure/make/create-connection-figure.js";
import { createCurveFigure } from "../../src/figure/make/create-curve-figure.js";
import { needChromium, snapshotPlace, useChromium } from "./chromium.js";
import { sampleSurface, uniform } from "./sample-figures.js";

const chromium = useChromium();
const POINTS = 13;
const t = Float64Array.from({ length: POINTS }, (_, i) => i / (POINTS - 1));

/** A quarter of a ring-shaped valley: the curve stays in it, the line leaves it. */
const radius = (alpha: number, beta: number): number => Math.hypot(alpha - 2, beta + 2);
const valley = (alpha: number, beta: number): number => 0.05 + (radius(alpha, beta) - Math.SQRT2 * 2) ** 2;

const at = (of: ArrayLike<number>): Float64Array =>
  Float64Array.from(Array.from(of).flatMap((one) => [4 * one, 2 * one * (1 - one) * 1.6]));

function pathOf(name: string, places: Float64Array, policy: "none" = "none") {
  const loss = t.map((_, i) => valley(places[2 * i], places[2 * i + 1]));
  const arcLength = new Float64Array(POINTS);
  for (let i = 1; i < POINTS; i++) {
    const [x, y] = [0, 1].map((axis) => places[2 * i + axis] - places[2 * i - 2 + axis]);
    arcLength[i] = arcLength[i - 1] + Math.hypot(x, y);
  }
  return {
    name,
    policy,
    t,
    arcLength,
    values: [{ set: "test", loss, metrics: { acc: loss.map((x) => 1 - x / 9) } }],
  };
}

const connection: Connection = {
  names: ["first", "second"],
  alignment: null,
  paths: [pathOf("line", Float64Array.from([...t].flatMap((one) => [4 * one, 0]))), pathOf("curve", at(t))],
  curve: { kind: "bezier", bends: 1, epochs: 30, iterations: 900, seconds: 12, losses: [] },
  warnings: [],
};

const surface = sampleSurface(uniform(-1, 5, 13), uniform(-1.5, 2.5, 9), valley);
const figure: Figure = createCurveFigure({
  connection,
  surfaces: [{ set: "test", surface }],
  labels: ["from first to second", "away from the line"],
  at,
  held: 1,
  isRecalibrated: false,
});

test("the curve is played from one model to the other, on the map and along both panels", async (context) => {
  needChromium(context);
  const { page, heard } = await chromium.openFigures([figure, createConnectionFigure(connection)]);
  const player = page.locator(".player").first();
  const slider = player.locator("input");
  const output = player.locator("output");
  const rings = page.locator(".chart").first().locator(".ring");
  await slider.focus();
  for (const [key, point] of [
    ["Home", 0],
    ["End", POINTS - 1],
  ] as const) {
    await page.keyboard.press(key);
    await expect.poll(() => slider.inputValue()).toBe(String(point));
    const wanted = await snapshotPlace(page, figure, { run: 1, snapshot: point });
    const box = await page.locator(".chart").first().boundingBox();
    const found = await rings.evaluateAll((all) =>
      all.map((ring) => [Number(ring.getAttribute("cx")), Number(ring.getAttribute("cy"))]),
    );
    // Line and curve meet at both models.
    expect(found.length).toBeGreaterThanOrEqual(2);
    const [x, y] = [wanted.x - (box?.x ?? 0), wanted.y - (box?.y ?? 0)];
    expect(found.some(([cx, cy]) => Math.hypot(cx - x, cy - y) < 2)).toBe(true);
  }
  const last = await output.textContent();
  await page.keyboard.press("Home");
  await player.getByRole("button").first().click();
  await expect.poll(() => output.textContent(), { timeout: 60_000 }).toBe(last);
  // The table of barriers stands on the page of the connection.
  await expect.poll(() => page.getByText("Barriers").first().isVisible()).toBe(true);
  expect(heard).toEqual([]);
}, 120_000);

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Figure } from "../../../src/figure/figure.js";
import { encodeMp4, renderMp4 } from "../../../src/figure/files/encode-movie.js";
import { inSpace } from "../../../src/figure/space/surface-panel.js";
import { chromiumPath, launchChromium, needChromium } from "../../figure/chromium.js";
import { sampleFigure, valley } from "../../figure/sample-figures.js";

const FIGURE = sampleFigure(valley);
let browser: Browser;

beforeAll(async () => {
  if (chromiumPath() !== undefined) browser = await launchChromium();
});
afterAll(async () => await browser?.close());

/** What a browser makes of a movie: its size, its length, and the mean colour of the frames at these shares of it. */
async function played(bytes: Uint8Array, shares: readonly number[]) {
  const page = await browser.newPage();
  try {
    return await page.evaluate<{
      width: number;
      height: number;
      duration: number;
      colors: number[][];
    }>(`(async () => {
      const bytes = Uint8Array.from(atob("${Buffer.from(bytes).toString("base64")}"), (c) => c.charCodeAt(0));
      const video = document.body.appendChild(document.createElement("video"));
      await new Promise((done, fail) => {
        video.onloadeddata = done;
        video.onerror = () => fail(new Error(video.error?.message));
        video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
      });
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
      const context = canvas.getContext("2d");
      const colors = [];
      for (const share of ${JSON.stringify(shares)}) {
        const found = Promise.all([
          new Promise((done) => { video.onseeked = done; }),
          new Promise((done) => video.requestVideoFrameCallback(done)),
        ]);
        video.currentTime = share * video.duration;
        await found;
        context.drawImage(video, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        const sums = [0, 0, 0];
        for (let k = 0; k < data.length; k += 4) for (let c = 0; c < 3; c++) sums[c] += data[k + c];
        colors.push(sums.map((sum) => sum / (data.length / 4)));
      }
      return { width: canvas.width, height: canvas.height, duration: video.duration, colors };
    })()`);
  } finally {
    await page.close();
  }
}

describe("encodeMp4", () => {
  const one = (red: number): Uint8Array =>
    Uint8Array.from({ length: 4 * 64 * 48 }, (_, k) => [red, 90, 40, 255][k % 4] as number);
  const frames = Array.from({ length: 60 }, (_, k) => one(4 * k));

  test("plays: size, length, and the frame that is asked for, wherever it is", async (context) => {
    needChromium(context);
    const bytes = await encodeMp4({ width: 64, height: 48, frames });
    const shares = [0.9, 0.1, 0.55, 0.3];
    const { width, height, duration, colors } = await played(bytes, shares);
    expect([width, height]).toEqual([64, 48]);
    expect(duration).toBeCloseTo(60 / 25, 2);
    for (const [k, share] of shares.entries())
      expect(Math.abs((colors[k]?.[0] ?? 0) - 240 * share), `at ${share}`).toBeLessThan(16);
  });

  test("gives the same bytes twice, whatever the time", async () => {
    const short = frames.slice(0, 8);
    const first = await encodeMp4({ width: 64, height: 48, frames: short });
    await new Promise((done) => setTimeout(done, 1100));
    const second = await encodeMp4({ width: 64, height: 48, frames: short });
    expect(Buffer.compare(first, second)).toBe(0);
  });

  test("refuses frames of another size, and sides that are odd", async () => {
    await expect(encodeMp4({ width: 64, height: 46, frames: [one(1)] })).rejects.toThrow(
      "frame: expected 64 × 46 pixels, got 3072 pixels",
    );
    await expect(encodeMp4({ width: 63, height: 46, frames: [] })).rejects.toThrow(
      "movie: expected an even width and height, got 63 × 46 pixels",
    );
  });
});

describe("renderMp4", () => {
  test("shows the path growing, over the map and on the surface, and stands at the end", async (context) => {
    needChromium(context);
    for (const figure of [FIGURE, inSpace(FIGURE) as Figure]) {
      const bytes = await renderMp4(figure, { width: 321, duration: 120 });
      const { width, height, duration, colors } = await played(bytes, [0.03, 0.6, 0.95]);
      expect(width).toBe(322);
      expect(height % 2).toBe(0);
      expect(duration).toBeGreaterThan(1.6);
      const change = (a = 0, b = 0): number =>
        Math.hypot(...[0, 1, 2].map((c) => (colors[a]?.[c] ?? 0) - (colors[b]?.[c] ?? 0)));
      expect(change(0, 1)).toBeGreaterThan(4 * change(1, 2));
    }
  });

  test.each([
    [{ scale: 5 }, /scale: expected a number in \(0, 4\], got 5/],
    [{ duration: 0 }, /duration: expected a number of ms in \(0, 600000\], got 0/],
  ])("refuses %o", async (options, message) => {
    await expect(renderMp4(FIGURE, options)).rejects.toThrow(message);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Figure } from "../../../src/figure/figure.js";
import { encodeMp4 } from "../../../src/figure/files/encode-mp4.js";
import { encodeWebp } from "../../../src/figure/files/encode-webp.js";
import { renderMp4, renderWebp } from "../../../src/figure/files/render-movie.js";
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

/** What a browser makes of an animated WebP: the mean colour and the milliseconds of each frame. */
async function decoded(bytes: Uint8Array) {
  const folder = mkdtempSync(join(tmpdir(), "landscape-webp-"));
  const page = await browser.newPage();
  try {
    // Codecs need a page from a place that browsers trust.
    writeFileSync(join(folder, "page.html"), "<!doctype html><title>movie</title>");
    await page.goto(pathToFileURL(join(folder, "page.html")).href);
    return await page.evaluate<{
      frames: { width: number; height: number; ms: number; color: number[]; corner: number[] }[];
      repeats: number;
    }>(`(async () => {
      const data = Uint8Array.from(atob("${Buffer.from(bytes).toString("base64")}"), (c) => c.charCodeAt(0));
      const decoder = new ImageDecoder({ data, type: "image/webp" });
      await decoder.completed;
      await decoder.tracks.ready;
      const { frameCount, repetitionCount } = decoder.tracks.selectedTrack;
      const frames = [];
      for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
        const { image } = await decoder.decode({ frameIndex });
        const [width, height] = [image.displayWidth, image.displayHeight];
        const context = new OffscreenCanvas(width, height).getContext("2d");
        context.drawImage(image, 0, 0);
        const { data: pixels } = context.getImageData(0, 0, width, height);
        const sums = [0, 0, 0];
        for (let k = 0; k < pixels.length; k += 4) for (let c = 0; c < 3; c++) sums[c] += pixels[k + c];
        frames.push({ width, height, ms: image.duration / 1000, color: sums.map((s) => s / (pixels.length / 4)), corner: [...pixels.subarray(0, 3)] });
      }
      return { frames, repeats: repetitionCount };
    })()`);
  } finally {
    await page.close();
    rmSync(folder, { recursive: true });
  }
}

describe("animated WebP", () => {
  /** A grey picture with a white square of 5 × 3 pixels at an odd place. */
  const withSquare = (x: number): Uint8Array => {
    const pixels = Uint8Array.from({ length: 4 * 63 * 41 }, (_, k) => [90, 80, 70, 255][k % 4] as number);
    for (let j = 7; j < 10; j++) pixels.fill(255, 4 * (63 * j + x), 4 * (63 * j + x + 5));
    return pixels;
  };

  test("holds every frame as it was drawn, each as long as it stands, and plays for ever", async (context) => {
    needChromium(context);
    const [a, b] = [withSquare(9), withSquare(31)];
    const bytes = await encodeWebp({ width: 63, height: 41, frames: [a, a, b, a] }, { isLossless: true });
    const { frames, repeats } = await decoded(bytes);
    expect(repeats).toBe(Number.POSITIVE_INFINITY);
    expect(frames.map(({ ms }) => ms)).toEqual([80, 40, 40]);
    const share = 15 / (63 * 41);
    for (const { width, height, color, corner } of frames) {
      expect([width, height]).toEqual([63, 41]);
      expect(corner).toEqual([90, 80, 70]);
      // The square before is gone where the next one stands.
      for (const [c, grey] of [90, 80, 70].entries())
        expect(color[c]).toBeCloseTo(grey + share * (255 - grey), 3);
    }
    expect(
      Buffer.compare(
        bytes,
        await encodeWebp({ width: 63, height: 41, frames: [a, a, b, a] }, { isLossless: true }),
      ),
    ).toBe(0);
    await expect(encodeWebp({ width: 16_384, height: 1, frames: [] })).rejects.toThrow(
      "movie: expected at most 16383 pixels a side for WebP, got 16384 × 1",
    );
    await expect(encodeWebp({ width: 63, height: 40, frames: [a] })).rejects.toThrow(
      "frame: expected 63 × 40 pixels, got 2583 pixels",
    );
    await expect(encodeWebp({ width: 63, height: 41, frames: [] })).rejects.toThrow(
      "frames: expected at least one, got none",
    );
  });

  test("shows the path growing, over the map and on the surface, and stands at the end", async (context) => {
    needChromium(context);
    for (const figure of [FIGURE, inSpace(FIGURE) as Figure]) {
      const { frames } = await decoded(await renderWebp(figure, { width: 321, duration: 120 }));
      expect(frames.length).toBeGreaterThan(1);
      expect(frames[0]?.width).toBe(322);
      expect(frames.at(-1)?.ms).toBeGreaterThanOrEqual(1500);
      expect(frames[0]?.color).not.toEqual(frames.at(-1)?.color);
    }
    await expect(renderWebp(FIGURE, { scale: 5 })).rejects.toThrow("scale: expected a number in (0, 4]");
  });
});

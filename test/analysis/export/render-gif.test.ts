import { describe, expect, test } from "vitest";
import { figureOption } from "../../../src/figure/draw/layout-figure.js";
import { encodeGif, pathAnimation, renderGif } from "../../../src/figure/files/encode-gif.js";
import { renderPng, renderSvg } from "../../../src/figure/files/render-picture.js";
import { decodePng } from "../../figure/png.js";
import { arc, sampleFigure, samplePath, stepped, valley } from "../../figure/sample-figures.js";
import { parseGif } from "./gif-blocks.js";

const FIGURE = sampleFigure(valley);

describe("encodeGif", () => {
  const picture = (...colors: number[]) => Uint8Array.from(colors.flatMap((c) => [c, 0, 255 - c, 255]));

  test("decodes to the frames that went in; what has not changed is not written again", () => {
    const frames = [picture(0, 0, 0, 200), picture(0, 200, 0, 200), picture(0, 200, 200, 200)];
    const last = frames[2] as Uint8Array;
    const gif = parseGif(
      encodeGif({ width: 2, height: 2, frames, count: 3, colors: last, delay: 120, lastDelay: 900 }),
    );
    expect([gif.width, gif.height, gif.loop]).toEqual([2, 2, 0]);
    expect(gif.frames.map(({ delay }) => delay)).toEqual([120, 120, 900]);
    expect(gif.frames[0]?.transparent).toBe(null);
    const shown = new Uint8Array(4);
    gif.frames.forEach(({ indices, transparent }, f) => {
      indices.forEach((index, i) => {
        if (index !== transparent) shown[i] = index;
      });
      const reds = [...shown].map((index) => gif.palette[3 * index]);
      const expected = [...(frames[f] as Uint8Array)].filter((_, i) => i % 4 === 0);
      reds.forEach((red, i) => {
        expect(Math.abs((red ?? 0) - (expected[i] ?? 0))).toBeLessThan(9);
      });
    });
    expect(
      [...(gif.frames[1]?.indices ?? [])].filter((index) => index !== gif.frames[1]?.transparent).length,
    ).toBe(1);
  });

  test("refuses frames of another size or number", () => {
    const shared = { width: 2, height: 1, colors: picture(1, 2), delay: 40, lastDelay: 40 };
    expect(() => encodeGif({ ...shared, frames: [picture(1)], count: 1 })).toThrow(
      "expected 2 × 1 pixels, got 1",
    );
    expect(() => encodeGif({ ...shared, frames: [picture(1, 2)], count: 2 })).toThrow(
      "expected 2 frames, got 1",
    );
  });
});

describe("pathAnimation", () => {
  test("the path grows by a snapshot a frame, and the curves with it, on axes that stand still", () => {
    const { times, overlay, background } = pathAnimation(FIGURE);
    expect(times).toEqual(Array.from({ length: 13 }, (_, i) => i));
    const overlays = times.map(overlay);
    // A path is a line over two rims.
    const countOf = (option: (typeof overlays)[number]) => {
      const series = option.series as {
        type: string;
        data: unknown[];
        name: string;
        renderItem?: () => { children: { type: string }[] };
      }[];
      const shapes = series.find(({ name }) => name === "paths")?.renderItem?.().children ?? [];
      const lengths = series.filter(({ type }) => type === "line").map(({ data }) => data.length);
      return [shapes.filter(({ type }) => type === "polyline").length, ...new Set(lengths.slice(0, 2))];
    };
    expect(countOf(overlays[0] as never)).toEqual([0, 1]);
    expect(countOf(overlays[5] as never)).toEqual([3, 6]);
    expect(new Set(overlays.map(({ grid }) => JSON.stringify(grid)))).toEqual(
      new Set([JSON.stringify(background.grid)]),
    );
  });

  test("a long path has 120 frames at most, its end among them", () => {
    const path = samplePath("long", arc(500, [9, 4]), valley, stepped(500));
    const { times } = pathAnimation(sampleFigure(valley, { paths: [path] }));
    expect(times.length).toBeLessThanOrEqual(121);
    expect([times[0], times.at(-1)]).toEqual([0, 499]);
  });
});

describe("renderGif", () => {
  test("has a frame for each snapshot, the size asked for, and less than 2 MB", () => {
    const bytes = renderGif(FIGURE, { width: 640, duration: 1300 });
    const gif = parseGif(bytes);
    const { width, height } = pathAnimation(FIGURE, { width: 640 });
    expect([gif.width, gif.height]).toEqual([width, height]);
    expect(gif.frames.length).toBe(13);
    expect(gif.frames.slice(0, -1).every(({ delay }) => delay === 100)).toBe(true);
    expect(gif.frames.at(-1)?.delay).toBe(2500);
    expect(bytes.length).toBeLessThan(2e6);
  });

  test("the last frame looks as the still picture does", () => {
    const shown = { ...FIGURE, fidelity: [], caption: "", provenance: "" };
    const { width, height } = pathAnimation(FIGURE, { width: 640 });
    const still = decodePng(
      renderPng(renderSvg(figureOption(shown, { width: 640 }), { width, height }), { scale: 1 }),
    );
    const gif = parseGif(renderGif(FIGURE, { width: 640 }));
    const screen = new Uint8Array(width * height);
    for (const { indices, transparent } of gif.frames) {
      for (const [i, index] of indices.entries()) if (index !== transparent) screen[i] = index;
    }
    let far = 0;
    for (let y = 45; y < height; y += 3) {
      for (let x = 0; x < width; x += 3) {
        const index = 3 * (screen[y * width + x] as number);
        const color = still.at(x, y);
        const off = [0, 1, 2].map((c) => Math.abs((gif.palette[index + c] as number) - (color[c] as number)));
        if (Math.max(...off) > 64) far++;
      }
    }
    // Soft edges are rounded to the nearest of 255 colours; nothing else differs below the label.
    expect(far / ((width * height) / 9)).toBeLessThan(0.005);
  });

  test.each([
    [{ scale: 0 }, "scale: expected a number in (0, 4], got 0"],
    [{ duration: -1 }, "duration: expected a positive number of ms, got -1"],
  ])("refuses %j", (options, message) => {
    expect(() => renderGif(FIGURE, options)).toThrow(message);
  });
});

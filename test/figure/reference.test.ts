import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { figureOption, figureSize } from "../../src/figure/draw/layout-figure.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import { decodePng } from "./png.js";
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

const folder = join(dirname(fileURLToPath(import.meta.url)), "reference");
const figure = sampleFigure((a, b) => (a > 9 && b > 4 ? Number.NaN : valley(a, b)));
const surface = inSpace(figure) as Figure;
const size = { width: 560 };

const pictures: Readonly<Record<string, () => string>> = {
  trajectory: () => renderSvg(figureOption(figure, size), figureSize(figure, size)),
  surface: () => renderSvg(figureOption(surface, size), figureSize(surface, size)),
  chart: () => {
    const { snapshots } = samplePath("SGD", arc(12, [9, 4]), valley, stepped(12));
    const chart = createTrainingFigure([{ name: "SGD", snapshots }]);
    return renderSvg(figureOption(chart, size), figureSize(chart, size));
  },
  maps: () => {
    const maps = createMapsFigure({
      title: "Slices",
      surfaces: ["train", "test"].map((set, k) => ({
        set,
        surface: sampleSurface(uniform(-1, 1, 9), uniform(-1, 1, 9), (a, b) => bowl(3 * a + k / 2, 3 * b)),
      })),
      labels: ["α", "β"],
    });
    return renderSvg(figureOption(maps, size), figureSize(maps, size));
  },
};

/** Share of pixels that may differ by more than a little, for another version of the renderer. */
const TOLERANCE = 0.002;

describe("pictures look as they did", () => {
  // To renew them after a wanted change: RENEW_REFERENCE=1, then look at each.
  test.each(Object.keys(pictures))("%s", (name) => {
    const png = renderPng(pictures[name]?.() ?? "", { scale: 1 });
    const file = join(folder, `${name}.png`);
    if (process.env.RENEW_REFERENCE === "1") {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, png);
    }
    expect(existsSync(file), `${file}: make it with RENEW_REFERENCE=1`).toBe(true);
    const [now, then] = [decodePng(png), decodePng(readFileSync(file))];
    expect([now.width, now.height]).toEqual([then.width, then.height]);
    let different = 0;
    for (let y = 0; y < now.height; y++) {
      for (let x = 0; x < now.width; x++) {
        const [a, b] = [now.at(x, y), then.at(x, y)];
        if (a.some((value, channel) => Math.abs(value - (b[channel] as number)) > 24)) different++;
      }
    }
    expect(different / (now.width * now.height)).toBeLessThan(TOLERANCE);
  });
});

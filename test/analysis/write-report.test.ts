import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { moviesOf, writeReport } from "../../src/analysis/write-report.js";
import { bowl, sampleFigure } from "../figure/sample-figures.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

describe("names of a report's files", () => {
  test.each(["../elsewhere.html", "/tmp/elsewhere.html", "a/b.html", "..", "", "NUL.html"])(
    "a page %j would leave the folder: refused, and nothing is written",
    async (page) => {
      const folder = join(newFolder(), "report");
      await expect(
        writeReport(folder, [{ name: "plot", figure: sampleFigure(bowl) }], { page }),
      ).rejects.toThrow(/page: expected/);
      expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
    },
  );

  test("so would a figure's name", async () => {
    const folder = join(newFolder(), "report");
    await expect(
      writeReport(folder, [{ name: "../plot", figure: sampleFigure(bowl) }], { formats: ["svg"] }),
    ).rejects.toThrow(/figures.name: expected/);
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  });
});

describe("movies of a report", () => {
  test("are one over the contours and one in 3-D, of a figure with a path", async () => {
    const folder = newFolder();
    const figure = sampleFigure(bowl);
    const short = moviesOf({ name: "plot", figure }, "mp4", { width: 320, scale: 0.5, duration: 80 });
    expect(short.map(({ file }) => file)).toEqual(["plot.mp4", "plot-3d.mp4"]);
    const [flat] = short;
    const bytes = Buffer.from((await flat?.bytes()) ?? []);
    expect(bytes.toString("latin1", 4, 8)).toBe("ftyp");
    const still = { ...figure, panels: figure.panels.slice(1) };
    expect(moviesOf({ name: "plot", figure: still }, "mp4")).toEqual([]);
    expect(moviesOf({ name: "plot", figure }, "webp").map(({ file }) => file)).toEqual([
      "plot.webp",
      "plot-3d.webp",
    ]);
    await expect(
      writeReport(folder, [{ name: "plot", figure: still }], { formats: ["mp4"] }),
    ).rejects.toThrow("formats: expected a figure with a path on a plane or in 3-D, for mp4, got none");
    expect(existsSync(folder)).toBe(false);
  });
});

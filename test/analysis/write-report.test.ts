import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeReport } from "../../src/analysis/write-report.js";
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

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { analyzePlane } from "../../../src/analysis/analyze-plane.js";
import { EXPORT_FORMATS, exportRun } from "../../../src/analysis/export/export-run.js";
import { readFigures } from "../../../src/analysis/read-figures.js";
import { writeReport } from "../../../src/analysis/write-report.js";
import { createFileNamer } from "../../../src/figure/files/export-table.js";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import { readSurface, writeSurface } from "../../../src/store/kinds/surface-file.js";
import { writeSnapshotFile } from "../../../src/store/run/encode-snapshot.js";
import { openRun } from "../../../src/store/run/open-run.js";
import { bowl, sampleSurface, uniform } from "../../figure/sample-figures.js";
import { sampleProvenance, sampleSnapshot, temporaryFolder } from "../../store/sample-run.js";
import { runCommand } from "../../support/command-line.js";
import { plainLinearAlgebra } from "../../support/plain-linear-algebra.js";
import { parseGif } from "./gif-blocks.js";
import { lossOf, SIZE, storedName, writeSpiral, writeStoredResults } from "./stored-results.js";

describe("exportRun", () => {
  test("writes every stored surface, line and path in every format", async () => {
    const directory = await temporaryFolder();
    const run = await writeStoredResults(directory);
    const pca = storedName(directory, "surfaces", "pca-");
    const [fidelity, trajectory] = ["fidelity", "trajectories"].map((folder) =>
      storedName(directory, folder, "pca-"),
    );
    const before = readFileSync(join(directory, "surfaces", `${pca}.arrow`));
    const { files, warnings } = await exportRun(run, {
      // Movies have a test of their own: they take long.
      formats: EXPORT_FORMATS.filter((format) => format !== "mp4" && format !== "webp"),
      width: 500,
      duration: 960,
    });
    expect(warnings).toEqual([]);
    const names = files.map(({ file }) => file.slice(join(directory, "export").length + 1));
    const tables = [
      `fidelity-${fidelity}`,
      "lines-random-1",
      `surfaces-${pca}`,
      "surfaces-random-train",
      `trajectories-${trajectory}`,
      "snapshots",
    ];
    expect(names.sort()).toEqual(
      [
        ...tables.flatMap((name) => [`${name}.csv`, `${name}.npz`]),
        "units.json",
        ...[`surfaces-${pca}.vts`, "surfaces-random-train.vts", `fidelity-${fidelity}.vtp`],
        ...["plane-pca", "plane-random", "lines-random-1"].flatMap((name) => [
          `${name}.svg`,
          `${name}.png`,
          `${name}.pdf`,
        ]),
        "plane-pca.gif",
      ].sort(),
    );
    expect(readdirSync(join(directory, "export")).sort()).toEqual(names);
    for (const { file, bytes } of files) expect(readFileSync(file).length).toBe(bytes);
    expect(readFileSync(join(directory, "surfaces", `${pca}.arrow`)).equals(before)).toBe(true);
    const { frames } = parseGif(readFileSync(join(directory, "export/plane-pca.gif")));
    expect(frames.map(({ delay }) => delay)).toEqual([...Array(7).fill(120), 2500]);
  });

  test("movies show the path on the map and on the surface", async () => {
    const run = await writeStoredResults(await temporaryFolder());
    const options = { formats: ["mp4"], width: 320, scale: 0.5, duration: 80 } as const;
    const { files, warnings } = await exportRun(run, options);
    expect(warnings).toEqual([]);
    expect(files.map(({ file }) => basename(file))).toEqual(["plane-pca.mp4", "plane-pca-3d.mp4"]);
    for (const { file, bytes } of files) {
      expect(readFileSync(file).length).toBe(bytes);
      expect(readFileSync(file).subarray(4, 8).toString()).toBe("ftyp");
    }
  });

  test("VTK: surfaces of a plane on two grids and the path on it have one scale of heights", async () => {
    const directory = await temporaryFolder();
    const run = await writeStoredResults(directory);
    const sets = [{ name: "train", evaluator: functionEvaluator(lossOf, SIZE) }];
    const spec = { kind: "pca" } as const;
    await analyzePlane([run], spec, { sets, linearAlgebra: plainLinearAlgebra, grid: "-9:9:4,-9:9:4" });
    const { files } = await exportRun(await openRun(directory), { formats: ["vtk"] });
    const scales = files
      .filter(({ file }) => file.includes("-pca-"))
      .map(({ file }) => /Name="unitsPerDecade"[^>]*>([^<]*)</.exec(readFileSync(file, "utf8"))?.[1]);
    expect(scales.length).toBe(3);
    expect(scales[0]).toMatch(/^[\w+/=]+$/);
    expect(new Set(scales).size).toBe(1);
  });

  test("an approximate PCA surface is drawn with the path, as the exact one is", async () => {
    const directory = await temporaryFolder();
    const run = await writeSpiral(directory, 8);
    const sets = [{ name: "train", evaluator: functionEvaluator(lossOf, SIZE) }];
    const options = {
      sets,
      linearAlgebra: plainLinearAlgebra,
      size: [9, 9],
      approximate: { share: 1 },
    } as const;
    await analyzePlane([run], { kind: "pca" }, options);
    expect(readdirSync(join(directory, "surfaces")).length).toBe(1);
    const { files, warnings } = await exportRun(run, { formats: ["svg", "gif"] });
    expect(warnings).toEqual([]);
    expect(files.map(({ file }) => basename(file)).sort()).toEqual(["plane-pca.gif", "plane-pca.svg"]);
  });

  test("pictures are those that plot draws, in every byte", async () => {
    const directory = await temporaryFolder();
    const run = await writeStoredResults(directory);
    await exportRun(run, { formats: ["svg"] });
    const { figures } = await readFigures(run);
    await writeReport(join(directory, "plotted"), figures, { formats: ["svg"] });
    for (const [name, exported] of [
      ["plot", "plane-pca"],
      ["plot-random", "plane-random"],
      ["plot-random-1", "lines-random-1"],
    ]) {
      const [a, b] = [join("plotted", `${name}.svg`), join("export", `${exported}.svg`)].map((file) =>
        readFileSync(join(directory, file), "utf8"),
      );
      expect([name, a === b]).toEqual([name, true]);
    }
  });

  test("tables hold the stored numbers, paths with the epoch of each point", async () => {
    const directory = await temporaryFolder();
    const run = await writeStoredResults(directory);
    await exportRun(run, { formats: ["csv", "npz"], directory: join(directory, "elsewhere") });
    const read = (name: string) => readFileSync(join(directory, "elsewhere", name), "utf8");
    const pca = storedName(directory, "surfaces", "pca-");
    const surface = await readSurface(join(directory, "surfaces", `${pca}.arrow`));
    const rows = read(`surfaces-${pca}.csv`).trim().split("\r\n");
    expect(rows[0]).toBe("alpha,beta,loss");
    expect(JSON.parse(read("units.json"))[`surfaces-${pca}`]).toEqual({
      alpha: "coefficient of direction 1",
      beta: "coefficient of direction 2",
      loss: "mean per sample",
    });
    expect(rows.slice(1).map((row) => Number(row.split(",")[2]))).toEqual([...(surface?.loss ?? [])]);
    expect(read(`fidelity-${storedName(directory, "fidelity", "pca-")}.csv`)).toMatch(
      /^step,epoch,iteration/,
    );
    expect(read("surfaces-random-train.csv")).toContain(",NaN\r\n");
    expect(read("lines-random-1.csv")).toContain(",'=1+1,");
    expect(read("snapshots.csv")).toContain("log:loss");
    const files = unzipSync(readFileSync(join(directory, "elsewhere", `surfaces-${pca}.npz`)));
    expect(Object.keys(files)).toEqual(["alpha.npy", "beta.npy", "loss.npy", "provenance.npy"]);
  });

  test("what is chosen is written, and nothing else", async () => {
    const directory = await temporaryFolder();
    const run = await writeStoredResults(directory);
    const { files } = await exportRun(run, { formats: ["csv", "svg"], what: ["line"], width: 500 });
    expect(files.map(({ file }) => file.slice(file.lastIndexOf("/") + 1))).toEqual([
      "lines-random-1.csv",
      "units.json",
      "lines-random-1.svg",
    ]);
  });

  test("results of other snapshots: tables with a warning, no picture", async () => {
    const directory = await temporaryFolder();
    const { manifest } = await writeStoredResults(directory);
    const target = { directory, layoutDigest: manifest.layout.digest, dtype: "float32" } as const;
    await writeSnapshotFile(target, sampleSnapshot(8, SIZE));
    const run = await openRun(directory);
    const { files, warnings } = await exportRun(run, { formats: ["csv", "gif"] });
    expect(warnings.filter(({ code }) => code === "stale-result").length).toBe(2);
    expect(
      warnings.some(({ code, message }) => code === "not-drawn" && message.includes("other snapshots")),
    ).toBe(true);
    expect(files.every(({ format }) => format === "csv")).toBe(true);
    await expect(exportRun(run, { formats: ["gif"] })).rejects.toThrow("expected results to write as gif");
  });

  test("a run without results gives its snapshots, and says what it lacks", async () => {
    const run = await writeSpiral(await temporaryFolder(), 3);
    const { files, warnings } = await exportRun(run, { formats: ["csv", "vtk"] });
    expect(files.map(({ file }) => basename(file))).toEqual(["snapshots.csv", "units.json"]);
    expect(warnings).toEqual([
      { code: "nothing-to-export", message: "Nothing stored in the run can be written as vtk." },
    ]);
    await expect(exportRun(run, { formats: ["svg", "gif"] })).rejects.toThrow(
      "expected results to write as svg, gif, got none",
    );
  });

  test("a damaged result is an error; a foreign file in a folder of its own is left out with a warning", async () => {
    const directory = await temporaryFolder();
    await writeStoredResults(directory);
    await writeSurface(
      join(directory, "extra", "own.arrow"),
      sampleSurface(uniform(0, 1, 3), uniform(0, 1, 2), bowl),
      { ...sampleProvenance(), inputs: {} },
    );
    writeFileSync(join(directory, "extra", "foreign.arrow"), "no Arrow");
    const run = await openRun(directory);
    const { files, warnings } = await exportRun(run, { formats: ["csv"], what: ["other"] });
    expect(files.map(({ file }) => basename(file))).toEqual(["extra-own.csv", "units.json"]);
    expect(warnings.map(({ code }) => code)).toEqual(["not-exported"]);
    writeFileSync(join(directory, "surfaces", "broken.arrow"), "no Arrow");
    await expect(exportRun(run, { formats: ["csv"] })).rejects.toThrow("broken.arrow");
  });

  test("hostile names of runs and files stay in the folder and out of the markup", async () => {
    const directory = await temporaryFolder();
    const hostile = `../../<script>alert(1)</script>"&\u0000`;
    const run = await writeStoredResults(directory, hostile);
    const surface = sampleSurface(uniform(0, 1, 3), uniform(0, 1, 2), bowl);
    const provenance = {
      ...sampleProvenance(),
      options: { plane: "../../directions/x", sets: [{ name: hostile }] },
    };
    for (const name of ["...", "a b;rm -rf", "..\\up", "CON"]) {
      await writeSurface(join(directory, "surfaces", `${name}.arrow`), surface, provenance);
    }
    const out = join(directory, "out");
    const { files } = await exportRun(run, { formats: ["csv", "svg"], directory: out, width: 500 });
    expect(readdirSync(out).length).toBe(files.length);
    for (const { file } of files) expect(file.slice(out.length + 1)).toMatch(/^[\w][\w.-]*\.(csv|svg|json)$/);
    for (const { file } of files.filter(({ format }) => format === "svg")) {
      expect(readFileSync(file, "utf8")).not.toContain("<script");
    }
  });

  test.each([
    [{ formats: [] }, "formats: expected some of svg, png, pdf, gif, mp4, webp, csv, npz, vtk, got none"],
    [
      { formats: ["bmp"] },
      'formats: expected some of svg, png, pdf, gif, mp4, webp, csv, npz, vtk, got "bmp"',
    ],
    [{ formats: ["csv"], what: ["x"] }, "what: expected some of surface"],
    [
      { formats: ["png"], width: -1 },
      "width: expected a length: one-column, two-column, 3.25in, 82mm, 8.2cm, 234pt, 800px or a number above 0, got -1",
    ],
    [{ formats: ["gif"], duration: 0 }, "duration: expected a positive number, got 0"],
    [{ formats: ["gif"], scale: 9 }, "scale: expected at most 4, got 9"],
    [{ formats: ["svg"], theme: "pink" }, 'theme: expected "light" or "dark", got "pink"'],
  ])("refuses %j", async (options, message) => {
    const run = await writeSpiral(await temporaryFolder(), 2);
    await expect(exportRun(run, options as never)).rejects.toThrow(message);
  });
});

test("file names: plain, never twice, whatever the case of letters", () => {
  const nameOf = createFileNamer();
  const names = ["a", "A", "../a", "..", "", "nul", "x".repeat(300), "é"].map(nameOf);
  expect(names).toEqual(["a", "A-2", "a-3", "_", "_-2", "_nul", "x".repeat(80), "_-3"]);
});

describe("tfjs-landscape export", () => {
  test("--json lists the files on stdout and nothing else", async () => {
    const directory = await temporaryFolder();
    await writeStoredResults(directory);
    const { status, stdout } = await runCommand("export", directory, "--to", "csv", "vtk", "--json");
    expect(status).toBe(0);
    const { files } = JSON.parse(stdout) as { files: { file: string; format: string; bytes: number }[] };
    expect(files.filter(({ format }) => format === "vtk").length).toBe(3);
    expect(files.filter(({ format }) => format === "csv").length).toBeGreaterThan(3);
    for (const { file, bytes } of files) expect(readFileSync(file).length).toBe(bytes);
  });

  test.each([
    [["--to", "bmp"], "bmp"],
    [[], "--format"],
    [["--to", "svg", "--scale", "x"], "--scale: expected a number above 0"],
  ])("bad input ends with 2 (%j)", async (args, said) => {
    const { status, stderr } = await runCommand("export", "none", ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });
});

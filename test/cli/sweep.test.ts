import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { ownFigures, sweepReport } from "../../src/analysis/sweep-report.js";
import { loadSweepFigures } from "../../src/cli/load-module.js";
import type { SweepStudy } from "../../src/training/run-sweep.js";
import { importSweep, planSweep, type Sweep } from "../../src/training/sweep-module.js";
import { type CommandResult, runCommandProcess } from "../support/command-line.js";
import { temporaryFolders } from "../support/tiny-training.js";

// Runs the compiled command: `npm run build` first.
const newFolder = temporaryFolders();
const module = fileURLToPath(new URL("./fixtures/sweep.ts", import.meta.url));
const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));
const backend = ["--backend", "wasm"];

const sweep = (out: string, ...args: string[]): CommandResult =>
  runCommandProcess("sweep", module, "--out", out, ...backend, ...args);
const trained = (out: string): string[] =>
  readFileSync(join(out, "trained.txt"), "utf8").trim().split("\n").sort();
const statuses = (out: string): string[] =>
  readdirSync(join(out, "results")).map(
    (name) => (JSON.parse(readFileSync(join(out, "results", name), "utf8")) as { status: string }).status,
  );

/** A sweep with one failed setting, made once; tests copy it. */
const first = newFolder();
let made: CommandResult;
beforeAll(() => {
  made = sweep(first, "--json", "--workers", "2");
}, 300_000);

function copied(): string {
  const out = newFolder();
  cpSync(first, out, { recursive: true });
  writeFileSync(join(out, "trained.txt"), "");
  return out;
}

describe("sweep", { timeout: 300_000 }, () => {
  test("trains each combination into a run of its own; one that fails is reported, and the others are compared", () => {
    expect(made.status, made.stderr).toBe(0);
    const answer = JSON.parse(made.stdout) as {
      score: string;
      files: string[];
      runs: {
        settings: object;
        status: string;
        error: string | null;
        epochs: number;
        figures: Record<string, number>;
      }[];
    };
    expect(trained(first)).toEqual([
      ...[
        "optimizer=adam, units=2",
        "optimizer=adam, units=3",
        "optimizer=sgd, units=2",
        "optimizer=sgd, units=3",
      ],
    ]);
    expect(answer.score).toBe("test error");
    expect(answer.runs.map(({ status }) => status)).toEqual(["made", "made", "made", "failed"]);
    const accuracies = answer.runs.slice(0, 3).map(({ figures }) => figures.test_acc as number);
    expect([...accuracies].sort((a, b) => b - a)).toEqual(accuracies);
    expect(answer.runs[3]).toMatchObject({ settings: { optimizer: "adam", units: 3 } });
    expect(answer.runs[3]?.error).toContain("no such luck");
    expect(made.stderr).toContain(
      "warning (sweep-failed): optimizer=adam, units=3 failed: an error in a worker",
    );
    // Once.
    expect(made.stderr.split("no such luck")).toHaveLength(2);
    expect(readdirSync(join(first, "runs")).sort()).toEqual([
      ...["optimizer=adam_units=2", "optimizer=sgd_units=2", "optimizer=sgd_units=3"],
    ]);
    const page = readFileSync(join(first, "sweep.html"), "utf8");
    for (const text of ["test error", "optimizer", "units"]) expect(page).toContain(text);
    expect(readFileSync(join(first, "settings.csv"), "utf8")).toContain("optimizer");
    expect(answer.files.map((file) => existsSync(file))).not.toContain(false);
  });

  test("in a program each training that failed is a warning, which names it once", async () => {
    const { runs } = JSON.parse(made.stdout) as SweepStudy;
    const others = runs
      .filter(({ status }) => status === "failed")
      .map((run) => ({ ...run, name: "another" }));
    const { warnings } = await sweepReport({ directory: first, runs: [...runs, ...others] });
    const failed = "failed: an error in a worker";
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining(`optimizer=adam, units=3 ${failed}`),
      expect.stringContaining(`another ${failed}`),
    ]);
    for (const { message } of warnings) expect(message).not.toContain('in "');
  });

  test("again it finds what is complete and tries the failed one; --compare adds the landscapes", () => {
    const out = copied();
    writeFileSync(join(out, "mended"), "");
    const { status, stdout, stderr } = sweep(
      out,
      "--compare",
      "--best",
      "2",
      "--loss",
      "logits",
      "--format",
      "html",
      "--set",
      "units=2,3",
    );
    expect(status, stderr).toBe(0);
    expect(trained(out)).toEqual(["optimizer=adam, units=3"]);
    expect(stdout).not.toContain("failed");
    expect(stderr).toContain("1/4 found: ");
    expect(readFileSync(join(out, "sweep.html"), "utf8")).toContain("around each solution");
    const compared = readdirSync(join(out, "comparison"), { recursive: true, encoding: "utf8" });
    const surfaces = compared.filter((name) => /surfaces.*\.arrow$/.test(name));
    expect(surfaces).not.toEqual([]);
    for (const name of surfaces)
      expect(readFileSync(join(out, "comparison", name), "latin1")).toContain('"lossMode":"logits"');
  });

  test("ended by kill -9 or by Ctrl-C, it begins anew what was under way, and nothing else", async () => {
    const out = copied();
    rmSync(join(out, "results", "optimizer=sgd_units=2.json"));
    rmSync(join(out, "runs", "optimizer=sgd_units=2"), { recursive: true });
    for (const name of ["hang", "mended"]) writeFileSync(join(out, name), "");
    for (const signal of ["SIGKILL", "SIGINT"] as const) {
      writeFileSync(join(out, "trained.txt"), "");
      const args = [bin, "sweep", module, "--out", out, ...backend, "--workers", "2"];
      const command = spawn(process.execPath, args, { stdio: "ignore" });
      while (trained(out).length < 2) await sleep(100);
      // Half a run, as a training leaves it.
      mkdirSync(join(out, "runs", "optimizer=sgd_units=2"), { recursive: true });
      writeFileSync(join(out, "runs", "optimizer=sgd_units=2", "half.arrow"), "");
      command.kill(signal);
      const [code] = (await once(command, "exit")) as [number | null];
      expect(code).toBe(signal === "SIGINT" ? 130 : null);
      expect(statuses(out).sort()).toEqual(["complete", "complete", "started", "started"]);
    }
    rmSync(join(out, "hang"));
    writeFileSync(join(out, "trained.txt"), "");
    const { status, stderr } = sweep(out, "--format", "csv");
    expect(status, stderr).toBe(0);
    expect(trained(out)).toEqual(["optimizer=adam, units=3", "optimizer=sgd, units=2"]);
    expect(statuses(out)).toEqual(Array(4).fill("complete"));
  });

  test("runs of another train() are refused before anything is trained, or kept and named", () => {
    const out = copied();
    const record = join(out, "results", "optimizer=sgd_units=3.json");
    const stored = JSON.parse(readFileSync(record, "utf8")) as object;
    writeFileSync(record, JSON.stringify({ ...stored, trainDigest: "0".repeat(64) }));
    const refused = sweep(out);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("got 1 of another text or backend (optimizer=sgd, units=3)");
    expect(trained(out)).toEqual([""]);
    const kept = JSON.parse(sweep(out, "--changed", "keep", "--json", "--format", "csv").stdout) as {
      runs: { name: string; isOutdated: boolean }[];
    };
    expect(kept.runs.filter(({ isOutdated }) => isOutdated).map(({ name }) => name)).toEqual([
      "optimizer=sgd, units=3",
    ]);
  });

  test("a folder that holds something else is refused before anything is trained", () => {
    const out = newFolder();
    mkdirSync(out);
    writeFileSync(join(out, "trained.txt"), "");
    mkdirSync(join(out, "runs", "optimizer=sgd_units=3"), { recursive: true });
    writeFileSync(join(out, "runs", "optimizer=sgd_units=3", "thesis.txt"), "years of work");
    const { status, stderr } = sweep(out);
    expect([status, trained(out)]).toEqual([2, [""]]);
    expect(stderr).toContain("expected an empty directory or a run, got other files (thesis.txt)");
    const wrong = sweep(newFolder(), "--set", "epochs=3");
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('(optimizer, units), got "epochs"'),
    ]);
    const plain = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));
    const other = runCommandProcess("sweep", plain, "--out", out, ...backend);
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringContaining("expected a sweep with a function train(settings, task), got exports dataName"),
    ]);
  });
});

describe("figures of the module's own", { timeout: 300_000 }, () => {
  test("stand on the page after the others; runs are named by what varies now, with their test error", () => {
    const out = copied();
    writeFileSync(join(out, "norms"), "");
    const compare = ["--compare", "--best", "2", "--set", "optimizer=sgd"];
    const { status, stderr } = sweep(out, ...compare, "--format", "html", "csv");
    expect(status, stderr).toBe(0);
    expect(trained(out)).toEqual([""]);
    const page = readFileSync(join(out, "sweep.html"), "utf8");
    expect(page).toContain("Weights along the path");
    // The runs themselves are called "optimizer=sgd, units=2".
    expect(page).toMatch(/"units=2 \([\d.]+ %\)"/);
  });

  test("an error of theirs is a warning, and the page is written; what is no function is refused at once", () => {
    const out = copied();
    writeFileSync(join(out, "norms-fail"), "");
    const { status, stderr } = sweep(out, "--set", "optimizer=sgd", "--format", "html");
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("warning (sweep-figures): createFigures() failed: no figures today");
    // Whoever is sent the page reads it, too.
    const page = readFileSync(join(out, "sweep.html"), "utf8");
    expect(page).toContain("<p>createFigures() failed: no figures today</p>");
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const bare = join(folder, "bare.mjs");
    writeFileSync(
      bare,
      "export const grid = { a: [1] };\nexport async function train() {}\nexport const createFigures = 3;\n",
    );
    const refused = runCommandProcess("sweep", bare, "--out", newFolder(), ...backend);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringContaining("expected createFigures to be a function, got a number"),
    ]);
  });

  test("are found beside a default export, as docs/sweep.md has them, and in it", async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const bare = "{ grid: { a: [1] }, async train() {} }";
    const own = "export const createFigures = async () => [];";
    const texts = {
      "beside.ts": `export default ${bare};\n${own}\n`,
      "beside.mjs": `export default ${bare};\n${own}\n`,
      "beside-data.mjs": `export default ${bare};\n${own}\nexport const loadData = () => null;\n`,
      "inside.mjs": "export default { grid: { a: [1] }, async train() {}, createFigures: async () => [] };\n",
      "inside-data.mjs":
        "export default { grid: { a: [1] }, async train() {}, createFigures: async () => [] };\nexport const loadData = () => null;\n",
      "common.cjs":
        "module.exports = { grid: { a: [1] }, async train() {}, createFigures: async () => [] };\n",
    };
    for (const [name, text] of Object.entries(texts)) {
      const file = join(folder, name);
      writeFileSync(file, text);
      expect(await loadSweepFigures(file), name).toBeTypeOf("function");
      expect(planSweep(await importSweep(file), name).settings, name).toHaveLength(1);
    }
  });

  test("where the command was ended, that is what is reported, whatever the module makes of it", async () => {
    const controller = new AbortController();
    const end = new Error("the end");
    const create = async (): Promise<never> => {
      controller.abort(end);
      throw new Error("something of the module's");
    };
    const task = { directory: "", signal: controller.signal };
    await expect(ownFigures(create, { runs: [] }, task, [])).rejects.toBe(end);
  });

  test("names that are taken or lead out of the folder are named", async () => {
    const named = (name: string) => [{ name, figure: { panels: [] } }];
    const answers = [named("settings"), named("Settings"), named("a/b")];
    const task = { directory: "", signal: new AbortController().signal };
    const messages = answers.map(
      async (answer) =>
        (await ownFigures(async () => answer as never, { runs: [] }, task, ["settings"])).warnings[0],
    );
    expect((await Promise.all(messages)).map((one) => one?.message)).toEqual([
      'createFigures(): figures[0] ("settings"): expected a name of its own, got "settings" twice',
      'createFigures(): figures[0] ("Settings"): expected a name of its own, got "Settings" twice',
      'createFigures(): figures[0] ("a/b"): expected a file name, without a folder, got "a/b"',
    ]);
  });
});

/** The sweep of regressions, whose line of each training goes into `trained.txt`. */
function regression(out: string, ...args: string[]): CommandResult {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "trained.txt"), "");
  const file = fileURLToPath(new URL("./fixtures/sweep-regression.ts", import.meta.url));
  return runCommandProcess("sweep", file, "--out", out, "--workers", "1", ...backend, ...args);
}

describe("what can be wrong is found before work is done", { timeout: 300_000 }, () => {
  test("a broken module, and one without loadData() for --compare, before a backend is started", () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const broken = join(folder, "broken.mjs");
    writeFileSync(broken, "export const grid = { a: [1] };\nexport const train = nothing;\n");
    const { status, stderr } = runCommandProcess("sweep", broken, "--out", newFolder(), ...backend);
    expect([status, stderr]).toEqual([2, expect.stringContaining("nothing is not defined")]);
    expect(stderr).not.toContain("backend wasm");
    const bare = join(folder, "bare.mjs");
    writeFileSync(bare, "export const grid = { a: [1, 2] };\nexport async function train() {}\n");
    const compared = runCommandProcess("sweep", bare, "--out", newFolder(), "--compare", ...backend);
    expect([compared.status, compared.stderr]).toEqual([2, expect.stringContaining("loadData()")]);
    expect(compared.stderr).not.toContain("backend wasm");
    for (const name of ["loadLoss", "loadModel"]) {
      const own = join(folder, `${name}.mjs`);
      const names = ["loadData", name].map((one) => `export const ${one} = () => null;\n`).join("");
      writeFileSync(own, `export const grid = { a: [1, 2] };\nexport async function train() {}\n${names}`);
      const refused = runCommandProcess("sweep", own, "--out", newFolder(), "--compare", ...backend);
      expect([refused.status, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`--compare: expected no ${name}() in ${own}, got one`),
      ]);
      expect(refused.stderr).not.toContain("backend wasm");
    }
    const stray = runCommandProcess("sweep", bare, "--out", newFolder(), "--loss", "logits", ...backend);
    expect([stray.status, stray.stderr]).toEqual([
      2,
      expect.stringContaining("--loss: expected --compare, got none"),
    ]);
  });

  test("a figure that no run has: at once where runs are found, otherwise after the first training", () => {
    const out = copied();
    const found = sweep(out, "--by", "test_accuracy");
    expect([found.status, found.stderr]).toEqual([
      2,
      expect.stringMatching(/by: expected one of .*test_acc.*, got "test_accuracy"/),
    ]);
    expect(trained(out)).toEqual([""]);
    const fresh = newFolder();
    mkdirSync(fresh, { recursive: true });
    writeFileSync(join(fresh, "trained.txt"), "");
    const made = sweep(fresh, "--by", "nonsense", "--workers", "1", "--set", "optimizer=sgd");
    expect([made.status, made.stderr]).toEqual([2, expect.stringContaining('got "nonsense"')]);
    expect(trained(fresh)).toEqual(["units=2"]);
    // What was trained stays.
    expect(statuses(fresh)).toEqual(["complete"]);
  });

  test("what --compare cannot do: at once where it can be known, otherwise at the first run", () => {
    const cases: [string[], string, string][] = [
      [["--compare", "--set", "columns=0"], "loadData(): expected data, got an error: no columns", ""],
      [["--compare", "--set", "units=2"], "--compare: expected at least 2 settings to train, got 1", ""],
      [["--format", "mp4"], "--format: expected --compare or createFigures()", ""],
      [["--compare", "--set", "columns=4"], "(units=2): expected shape [*, 3], got [6, 4]", "units=2"],
    ];
    for (const [args, message, lines] of cases) {
      const out = newFolder();
      const { status, stderr } = regression(out, ...args);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
      expect(trained(out)).toEqual([lines]);
    }
    const out = newFolder();
    const form =
      "--loss logits: expected a crossentropy loss on its final softmax or sigmoid, got meanSquaredError";
    for (const lines of ["units=2", ""]) {
      const { status, stderr } = regression(out, "--compare", "--loss", "logits");
      expect([status, stderr]).toEqual([2, expect.stringContaining(form)]);
      expect(trained(out)).toEqual([lines]);
      expect(statuses(out)).toEqual(["complete"]);
    }
    // A comparison that fails all the same does not cost the page, nor does a movie that it would have given.
    const failed = "a part of the path is a file";
    writeFileSync(join(out, "comparison"), "");
    const { status, stdout, stderr } = regression(out, "--compare", "--format", "html", "mp4");
    expect([status, stderr]).toEqual([2, expect.stringContaining(failed)]);
    expect(stderr).toContain("warning (no-movie): There is no mp4: no figure has a path");
    expect(stdout.trim().split("\n").at(-1)).toBe(join(out, "sweep.html"));
    const page = readFileSync(join(out, "sweep.html"), "utf8");
    expect(page).toContain("The landscapes could not be compared: ");
    expect(page).toContain("There is no mp4: ");
    const told = regression(out, "--compare", "--format", "html", "--json");
    expect(JSON.parse(told.stdout)).toMatchObject({
      files: [join(out, "sweep.html")],
      error: { code: expect.any(String), message: expect.stringContaining(failed) },
    });
    // Where only movies were asked for nothing is written, and what was trained is told all the same.
    const neither = regression(out, "--compare", "--format", "mp4");
    expect(neither.stderr).toContain("warning (no-movie): There is no mp4: ");
    expect([neither.status, `${neither.stdout}${join(out, "sweep.html")}\n`]).toEqual([2, stdout]);
    expect(neither.stderr.trim().split("\n").at(-1)).toContain(failed);
  });

  test("a run that cannot be compared is left out and named; the first one ends the sweep", () => {
    const out = newFolder();
    const mixed = ["--compare", "--set", "inputs=3,4", "--format", "html"];
    const { status, stderr } = regression(out, ...mixed);
    expect(status, stderr).toBe(0);
    expect(trained(out)).toHaveLength(4);
    const page = readFileSync(join(out, "sweep.html"), "utf8");
    expect(page).toContain("around each solution");
    for (const name of ["units=2, inputs=4", "units=3, inputs=4"])
      for (const text of [stderr, page])
        expect(text).toMatch(
          new RegExp(`Left out of the comparison: .*\\(${name}\\): expected shape \\[\\*, 4\\]`),
        );
    // The same command again: the first in the order of the grid cannot be compared, others can.
    const first = newFolder();
    regression(first, "--compare", "--set", "inputs=3", "--format", "html");
    const again = regression(first, "--compare", "--set", "inputs=4,3", "--format", "html");
    expect(again.status, again.stderr).toBe(0);
    expect(regression(first, "--compare", "--set", "inputs=4,3", "--format", "html").status).toBe(0);
    const swapped = newFolder();
    const ended = regression(swapped, "--compare", "--set", "inputs=4,3");
    expect([ended.status, ended.stderr]).toEqual([
      2,
      expect.stringContaining("(units=2, inputs=4): expected"),
    ]);
    expect(trained(swapped)).toEqual(["units=2, inputs=4"]);
  });

  test("a folder that is a run: nothing is written into it", () => {
    const run = join(copied(), "runs", "optimizer=sgd_units=2");
    const before = readdirSync(run).sort();
    const { status, stderr } = sweep(run);
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining("expected a folder for the runs of a sweep, got a run (run.json)"),
    ]);
    expect(readdirSync(run).sort()).toEqual(before);
  });
});

describe("the settings of a sweep", () => {
  const train = async (): Promise<void> => {};
  const plan = (sweep: object) => planSweep({ ...sweep, train } as Sweep, "s.ts").settings;

  test("a grid gives every combination, the last setting fastest; folders do not depend on the order of settings", () => {
    expect(plan({ grid: { a: [1, 2], b: ["x", "y"] } }).map(({ name }) => name)).toEqual([
      ...["a=1, b=x", "a=1, b=y", "a=2, b=x", "a=2, b=y"],
    ]);
    const [one] = plan({ list: [{ b: "x", a: 1 }] });
    expect([one?.name, one?.folder]).toEqual(["b=x, a=1", "a=1_b=x"]);
  });

  test("values may be given in place of the grid's; names say what varies, folders say everything", () => {
    const sweep = { grid: { a: [1, 2], b: ["x", "y"] }, train };
    const { settings } = planSweep(sweep, "s.ts", { a: [7] });
    expect(settings.map(({ name, folder }) => [name, folder])).toEqual([
      ["b=x", "a=7_b=x"],
      ["b=y", "a=7_b=y"],
    ]);
    expect(() => planSweep(sweep, "s.ts", { c: [1] })).toThrow(
      'set: expected settings of s.ts (a, b), got "c"',
    );
    expect(() => planSweep({ list: [{ a: 1 }], train }, "s.ts", { a: [1] })).toThrow(
      "expected a sweep with a grid",
    );
  });

  test("values that read alike have folders of their own, and no value leads out of the folder", () => {
    const folders = plan({ grid: { a: [1, "1", true, "true", null, "null", "../up", "x".repeat(300)] } }).map(
      ({ folder }) => folder,
    );
    expect(new Set(folders).size).toBe(8);
    for (const folder of folders) expect(folder).toMatch(/^a=[\w.+-]{1,120}$/);
    expect(folders.slice(0, 1)).toEqual(["a=1"]);
  });

  test.each([
    [{ grid: {} }, "s.ts: grid: expected at least one setting, got none"],
    [{ grid: { a: [] } }, "s.ts: grid.a: expected a list of values, got none"],
    [{ grid: { a: 3 } }, "s.ts: grid.a: expected a list of values, got 3"],
    [{ grid: { a: [Number.NaN] } }, "expected a string, a finite number, a boolean or null, got NaN"],
    [{ grid: { a: [{}] } }, "expected a string, a finite number, a boolean or null, got an object"],
    [{ grid: { a: [1, 1] } }, "s.ts: expected each combination of settings once, got a=1 twice"],
    [{ grid: { a: ["SGD", "sgd"] } }, "got a=SGD and a=sgd, which share a folder"],
    [{ list: [] }, "s.ts: list: expected at least one combination of settings, got none"],
    [{ list: [{ a: 1 }, { b: 1 }] }, "s.ts: list[1]: expected the settings a, got b"],
  ])("%j is refused", (sweep, message) => {
    expect(() => plan(sweep)).toThrow(message);
  });
});

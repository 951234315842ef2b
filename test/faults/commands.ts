import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { createUniform } from "../../src/math/random.js";
import { readArtifact } from "../../src/store/results/artifact.js";
import { openRun } from "../../src/store/run/open-run.js";
import { removeFolder } from "../support/tiny-training.js";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
export const BIN = here("../../bin/tfjs-landscape.js");
const DATA = here("../cli/fixtures/tiny-data.js");
const TRAIN = here("train.mjs");

/** Kills of each command: LANDSCAPE_FAULT_CASES, else a few; more with CI=true. Other faults follow from it. */
export const CASES = Number(process.env.LANDSCAPE_FAULT_CASES ?? (process.env.CI === "true" ? 2 : 1));
/** Cases of each command under the other faults. */
export const FEW = Math.max(1, Math.floor(CASES / 5));
const SEED = Number(process.env.LANDSCAPE_FAULT_SEED ?? 1);

/** Random moments of a class of faults, the same for each run of a seed. */
export const randomOf = (name: string): (() => number) => createUniform(SEED, name);
/** In the title of each test. */
export const SEEDED = `seed ${SEED}`;

/** What is disturbed: arguments of Node.js by the folder that it works in. */
export interface Command {
  readonly name: string;
  readonly args: (folder: string) => readonly string[];
}

const engine = [
  "--data",
  DATA,
  "--engine",
  "tfjs",
  "--batch-size",
  "7",
  "--threads",
  "1",
  "--backend",
  "wasm",
];

/** Every command that writes, on tiny runs: `one` and `two` in the folder, of which `one` has a surface. */
export const COMMANDS: readonly Command[] = [
  { name: "capture", args: (folder) => [TRAIN, join(folder, "new")] },
  { name: "surface", args: (folder) => surfaceArgs(folder) },
  { name: "surface --workers 2", args: (folder) => [...surfaceArgs(folder), "--workers", "2"] },
  {
    name: "compare",
    args: (folder) => [
      ...[BIN, "compare", join(folder, "one"), join(folder, "two"), ...engine, "--size", "7", "--seeds", "0"],
      ...["--grid=-1:1:5", "--format", "svg", "--out", join(folder, "compared")],
    ],
  },
  {
    name: "embed",
    args: (folder) => [
      ...[BIN, "embed", join(folder, "one"), join(folder, "two"), "--method", "pca", "--backend", "wasm"],
      ...["--data", DATA, "--format", "svg", "html", "--out", join(folder, "embedded")],
    ],
  },
  {
    name: "jump",
    args: (folder) => [
      ...[
        BIN,
        "jump",
        join(folder, "one"),
        "--data",
        DATA,
        "--seeds",
        "0,1",
        "--steps",
        "0.5",
        "--epochs",
        "3",
      ],
      ...["--backend", "wasm", "--out", join(folder, "jumps")],
    ],
  },
  {
    name: "curvature",
    args: (folder) => [
      ...curvatureArgs(folder),
      ...["--top", "3", "--trace", "--density", "--steps", "8", "--probes", "2", "--per-layer"],
    ],
  },
  {
    name: "report",
    args: (folder) => [
      BIN,
      "plot",
      join(folder, "one"),
      "--format",
      "svg",
      "html",
      "--out",
      join(folder, "report"),
    ],
  },
];

function surfaceArgs(folder: string): string[] {
  return [BIN, "surface", join(folder, "one"), ...engine, "--size", "45"];
}

function curvatureArgs(folder: string): string[] {
  return [
    ...[BIN, "curvature", join(folder, "one"), "--data", DATA, "--loss", "logits", "--backend", "wasm"],
    ...["--format", "svg"],
  ];
}

/** Curvature in many places: one that was interrupted goes on from other vectors, and agrees within the residuals. */
export const CURVATURE_PATHS: readonly Command[] = [
  {
    name: "curvature --map",
    args: (folder) => [
      ...curvatureArgs(folder),
      "--top",
      "0",
      "--map",
      "--size",
      "9",
      "--map-products",
      "60",
    ],
  },
  {
    name: "curvature --trajectory",
    args: (folder) => [...curvatureArgs(folder), "--trajectory", "--snapshots", "9"],
  },
];

export const commandOf = (name: string): Command => COMMANDS.find((one) => one.name === name) as Command;

/** How a process is disturbed. */
export interface Disturbance {
  readonly signal?: NodeJS.Signals;
  /** Milliseconds after its start. */
  readonly after?: number;
  /** For inject.mjs. */
  readonly fault?: object;
  /** Words before `node`, such as those that limit it. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Something else to be done at that moment. */
  readonly act?: (pid: number) => void | Promise<void>;
}

/** How a process ended. */
export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly milliseconds: number;
}

const HANG = 240_000;

/** Runs a command in a folder, and disturbs it. A process that does not end fails the test. */
export async function run(command: Command, folder: string, how: Disturbance = {}): Promise<Ending> {
  const { signal, after = 0, fault, under = [], env, act } = how;
  const options = fault === undefined ? {} : { NODE_OPTIONS: `--import ${here("inject.mjs")}` };
  const [program, ...args] = [...under, process.execPath, ...command.args(folder)] as [string, ...string[]];
  const begin = performance.now();
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...options, LANDSCAPE_FAULT: JSON.stringify(fault ?? {}), ...env },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    stderr += part;
  });
  const timers = [setTimeout(() => child.kill("SIGKILL"), HANG)];
  if (signal !== undefined) timers.push(setTimeout(() => child.kill(signal), after));
  const acts: Promise<unknown>[] = [];
  if (act !== undefined) {
    const disturb = async () => act(child.pid as number);
    timers.push(setTimeout(() => acts.push(disturb().catch((error: unknown) => error)), after));
  }
  // Workers of a killed process hold its stderr for a moment: its own end counts.
  const [status, by] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  for (const timer of timers) clearTimeout(timer);
  for (const failure of await Promise.all(acts)) if (failure !== undefined) throw failure;
  const milliseconds = performance.now() - begin;
  expect(milliseconds, `${command.name} hangs: ${stderr}`).toBeLessThan(HANG);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { status, signal: by, stderr, milliseconds };
}

/** The last line that a user saw. */
export function lastLine({ stderr, signal }: Ending): string {
  const lines = stderr.trim().split("\n");
  return lines.at(-1) || (signal === null ? "nothing" : `nothing (${signal})`);
}

function sha256(...parts: readonly (string | NodeJS.ArrayBufferView)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

const root = mkdtempSync(join(tmpdir(), "landscape-faults-"));
afterAll(() => removeFolder(root));
let count = 0;

/** Runs `one` and `two`, made once for a test file. */
function base(): string {
  const folder = join(root, "base");
  if (existsSync(folder)) return folder;
  const made = join(root, "making");
  const node = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
  };
  node(TRAIN, join(made, "one"), "8");
  node(TRAIN, join(made, "two"), "9");
  node(BIN, "surface", join(made, "one"), ...engine, "--size", "5");
  cpSync(made, folder, { recursive: true });
  return folder;
}

/** A new folder with the two runs. */
export function newFolder(): string {
  const folder = join(root, `case-${count++}`);
  cpSync(base(), folder, { recursive: true });
  return folder;
}

/** All files below a folder. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(file) : [file];
  });
}

const ENDS: Readonly<Record<string, string>> = { svg: "</svg>", html: "</html>", json: "}" };

/**
 * Reads everything that can be seen in a folder: every run opens and its weights have their digests, every result and
 * tile has its digest, every picture is whole.
 *
 * @returns contents by path: what an undisturbed run gives again. Times of snapshots and tiles are left out.
 */
export async function readEverything(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const file of filesIn(folder)) {
    const name = relative(folder, file);
    if (file.endsWith("run.json")) found[name] = await contentOfRun(file.slice(0, -"/run.json".length));
    else if (file.endsWith(".tmp") || /\/(snapshots\/|\.writer\.lock)/.test(file)) continue;
    else if (file.endsWith(".arrow")) {
      const artifact = await readArtifact(file);
      if (artifact === null) throw new Error(`${file} is gone`);
      const columns = Object.entries(artifact.columns).flatMap(([key, { values, width }]) => {
        return [`${key} ${width}`, ArrayBuffer.isView(values) ? values : JSON.stringify(values)];
      });
      const content = sha256(JSON.stringify([artifact.details, artifact.provenance]), ...columns);
      if (!file.includes(".tiles")) found[name] = content;
    } else {
      const text = readFileSync(file, "utf8");
      const end = ENDS[file.slice(file.lastIndexOf(".") + 1)] ?? "";
      if (!text.trimEnd().endsWith(end)) throw new Error(`${file} is not whole`);
      found[name] = sha256(text);
    }
  }
  return found;
}

/** Weights and logs of a run; a snapshot that says again what the one before says does not count. */
async function contentOfRun(directory: string): Promise<string> {
  const opened = await openRun(directory);
  const contents: string[] = [];
  for (const { step, epoch, logs } of opened.snapshots) {
    const theta = sha256(await opened.readTheta(step));
    if (contents.at(-1)?.startsWith(theta) !== true)
      contents.push(`${theta} ${epoch} ${JSON.stringify(logs)}`);
  }
  await opened.close();
  return contents.join("\n");
}

/** What a command gives where nothing disturbs it, and how long it takes. */
export interface Undisturbed {
  readonly milliseconds: number;
  readonly content: Readonly<Record<string, string>>;
  /** Bytes of the files that it wrote. */
  readonly bytes: number;
}

const known = new Map<string, Undisturbed>();

/** Runs a command undisturbed, once for a test file. */
export async function undisturbed(command: Command): Promise<Undisturbed> {
  const found = known.get(command.name);
  if (found !== undefined) return found;
  const folder = newFolder();
  const before = sizeOf(folder);
  const { status, stderr, milliseconds } = await run(command, folder);
  expect(status, stderr).toBe(0);
  const made = { milliseconds, content: await readEverything(folder), bytes: sizeOf(folder) - before };
  known.set(command.name, made);
  return made;
}

function sizeOf(folder: string): number {
  return filesIn(folder).reduce((sum, file) => sum + readFileSync(file).length, 0);
}

/** Gives the command once more, undisturbed: it ends well, with the bits of an undisturbed run, and leaves nothing over. */
export async function expectRecovery(command: Command, folder: string): Promise<void> {
  const { content } = await undisturbed(command);
  const { status, stderr } = await run(command, folder);
  expect(status, stderr).toBe(0);
  expect(await readEverything(folder)).toEqual(content);
  expect(filesIn(folder).filter((file) => file.endsWith(".tmp"))).toEqual([]);
}

/** Adds a line to the table that LANDSCAPE_FAULT_REPORT names. */
export function report(fault: string, command: string, cases: number, saw: string): void {
  const file = process.env.LANDSCAPE_FAULT_REPORT;
  const row = { fault, command, cases, lost: 0, saw: saw.replaceAll(root, "").trim() };
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

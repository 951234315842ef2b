import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Cases of all targets together: LANDSCAPE_FUZZ_CASES, else 50,000 with CI=true, else a few. */
const CASES = Number(process.env.LANDSCAPE_FUZZ_CASES ?? (process.env.CI === "true" ? 50_000 : 2_000));
const SEED = process.env.LANDSCAPE_FUZZ_SEED ?? "1";
/** A case that computes for longer hangs; on a busy machine the clock alone tells nothing before the second limit. */
const HANG_SECONDS = 5;
const ASLEEP_SECONDS = 30;
const MEGABYTES = 512;

const program = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

interface Counts {
  readonly name: string;
  readonly cases: number;
  readonly refused: number;
  readonly accepted: number;
  readonly findings: number;
  readonly megabytes: number;
}

/** What became of a target: its counts, and what it found, each with the command that shows it again. */
interface Outcome extends Counts {
  readonly found: readonly string[];
}

/**
 * Tries one target in a process of its own, which this one watches: it ends it at a case that takes longer than five
 * seconds, and has the others tried by a new one.
 */
async function runTarget(sample: string, name: string, cases: number): Promise<Outcome> {
  const state = join(sample, `${name}.state`);
  const found: string[] = [];
  const total = { name, cases: 0, refused: 0, accepted: 0, findings: 0, megabytes: 0 };
  for (let from = 0; from < cases; ) {
    const { lines, hungAt, exit } = await watch(sample, name, from, cases - from, state);
    for (const line of lines) {
      if ("finding" in line) found.push(`${line.finding}: ${again(sample, name, line.case)}\n${line.text}`);
      else {
        for (const key of ["cases", "refused", "accepted", "findings"] as const) total[key] += line[key];
        total.megabytes = Math.max(total.megabytes, line.megabytes);
      }
    }
    if (lines.some((line) => "cases" in line)) break;
    const last = hungAt ?? Number(readFileSync(state, "utf8"));
    found.push(`${hungAt === null ? `process ended (${exit})` : "hang"}: ${again(sample, name, last)}`);
    total.findings++;
    total.cases += last + 1 - from;
    from = last + 1;
  }
  return { ...total, found };
}

type Line = Counts | { readonly finding: string; readonly case: number; readonly text: string };

async function watch(sample: string, name: string, from: number, count: number, state: string) {
  const args = [program("fuzzer.mjs"), sample, name, SEED, String(from), String(count), state];
  const child = spawn(process.execPath, ["--max-old-space-size=1024", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    output += part;
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    said = `${said}${part}`.slice(-1000);
  });
  const clock = () => ({ wall: performance.now() / 1000, computed: computedSeconds(child.pid) });
  let [seen, since, hungAt] = ["", clock(), null as number | null];
  const timer = setInterval(() => {
    const [text, now] = [readState(state), clock()];
    if (text !== seen) [seen, since] = [text, now];
    const isOver = now.computed - since.computed > HANG_SECONDS || now.wall - since.wall > ASLEEP_SECONDS;
    if (text === "" || !isOver) return;
    hungAt = Number(text);
    child.kill("SIGKILL");
  }, 250);
  const [code, signal] = await once(child, "close");
  clearInterval(timer);
  if (readState(state) === "") throw new Error(`${name} did not begin: ${said}`);
  const lines = output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
  return { lines, hungAt, exit: signal ?? code };
}

/** Seconds that a process has computed; the clock's where the system does not tell. */
function computedSeconds(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return performance.now() / 1000;
  }
}

function readState(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It has not begun.
    return "";
  }
}

function again(sample: string, name: string, index: number): string {
  return `node test/fuzz/fuzzer.mjs ${sample} ${JSON.stringify(name)} ${SEED} ${index} 1`;
}

/**
 * Declares a test for each target, with its share of the cases in thousandths. Every case is either refused with an
 * error of this package or accepted with the original's facts, within five seconds and 512 MB. Counts are added, as
 * lines of JSON, to the file that LANDSCAPE_FUZZ_REPORT names.
 */
export function fuzzTargets(shares: Readonly<Record<string, number>>): void {
  const sample = mkdtempSync(join(tmpdir(), "landscape-fuzz-sample-"));
  beforeAll(() => {
    const made = spawnSync(process.execPath, [program("sample.mjs"), sample], { encoding: "utf8" });
    expect(made.status, made.stderr).toBe(0);
  }, 180_000);
  afterAll(() => rmSync(sample, { recursive: true, force: true }));
  for (const [name, share] of Object.entries(shares)) {
    const cases = Math.max(10, Math.round((CASES * share) / 1000));
    test(`${name}: ${cases} cases, seed ${SEED}`, { timeout: 60_000 + cases * 200 }, async () => {
      const { found, ...counts } = await runTarget(sample, name, cases);
      const report = process.env.LANDSCAPE_FUZZ_REPORT;
      if (report !== undefined) appendFileSync(report, `${JSON.stringify(counts)}\n`);
      expect(found.join("\n\n")).toBe("");
      expect(counts.cases).toBe(cases);
      expect(counts.megabytes).toBeLessThanOrEqual(MEGABYTES);
    });
  }
}

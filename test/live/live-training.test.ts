import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { openRun } from "../../src/store/run/open-run.js";
import { launchChromium, needChromium } from "../figure/chromium.js";
import { temporaryFolder, writeSampleRun } from "../store/sample-run.js";
import { ask, statesUntil } from "./events.js";

// The thread of the live view exists in the compiled package only: `npm run build` first.
const script = fileURLToPath(new URL("./live-training.mjs", import.meta.url));
const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));
const execute = promisify(execFile);
const HOSTILE = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">`;

/** Starts a process and returns its first line of output, and a promise of its end. */
async function start(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error("the process said nothing")));
  });
  return { first, ended, child, train: (epochs: number) => child.stdin.write("\n".repeat(epochs)) };
}

describe("a training with a live page", () => {
  test("a browser sees the path grow, and hears nothing", async (context) => {
    needChromium(context);
    const started = await start([script, "paced", await temporaryFolder(), HOSTILE]);
    const { first: url, ended, child, train } = started;
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
      const heard: string[] = [];
      page.on("console", (message) => heard.push(message.text()));
      page.on("pageerror", (error) => heard.push(error.message));
      const asked = new Set<string>();
      page.on("request", (request) => asked.add(new URL(request.url()).origin));
      await page.goto(url);
      const label = () => page.locator("#plane").getAttribute("aria-label");
      const countOf = async () => Number(/Path of (\d+) snapshots/.exec((await label()) ?? "")?.[1] ?? 0);
      train(3);
      await expect.poll(countOf, { timeout: 60_000 }).toBe(4);
      const dots = () => page.locator('#plane svg path[fill="#0072b2"]').count();
      const drawn = await dots();
      train(2);
      await expect.poll(countOf, { timeout: 60_000 }).toBe(6);
      expect(await dots()).toBeGreaterThan(drawn);
      expect(await page.locator("#curves svg").count()).toBe(1);
      // Every second snapshot is measured; the curves grow as well.
      await expect.poll(() => page.locator("#stability svg").count(), { timeout: 60_000 }).toBe(1);
      expect(await page.locator("#stability").getAttribute("aria-label")).toContain("Share of the threshold");
      expect(await page.locator("#stability-caption").textContent()).toContain("its edge of stability");
      expect(await page.locator("#status").textContent()).toMatch(/^trainingepoch 5 of 12/);
      expect(await page.locator("h1").textContent()).toBe(HOSTILE);
      expect(await page.evaluate("window.hacked")).toBe(undefined);
      // Nothing wider than the screen of a phone.
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      expect(heard).toEqual([]);
      expect([...asked].filter((origin) => origin !== "null")).toEqual([new URL(url).origin]);
    } finally {
      await browser.close();
      child.stdin.end();
    }
    expect(await ended).toBe(0);
  }, 120_000);

  test("the process ends by itself although somebody is reading, and the run is complete", async () => {
    const directory = await temporaryFolder();
    const { first: url, ended, child, train } = await start([script, "paced", directory, "read"]);
    train(4);
    const grown = await statesUntil(url, ({ plane }) => (plane?.steps.length ?? 0) >= 4);
    expect(new Set(grown.map(({ snapshots }) => snapshots)).size).toBeGreaterThan(1);
    child.stdin.end();
    const reading = ask(`${url}events`).catch(() => null);
    expect(await ended).toBe(0);
    await reading;
    expect((await openRun(directory)).snapshots.length).toBe(13);
  }, 120_000);

  test("the address is said where nobody asks for it; a port in use costs the page, not the training", async () => {
    const { stdout } = await execute(process.execPath, [script, "silent", await temporaryFolder(), "x"]);
    const { url, heard, warnings } = JSON.parse(stdout) as {
      url: string;
      heard: string[];
      warnings: unknown[];
    };
    expect(heard).toEqual([expect.stringMatching(new RegExp(`^live-view: live page of .*: ${url}$`))]);
    expect(warnings).toEqual([]);
    const blocker = createServer();
    const port = await new Promise<number>((resolve) => {
      blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port));
    });
    const directory = await temporaryFolder();
    const env = { ...process.env, TAKEN_PORT: String(port) };
    const taken = await execute(process.execPath, [script, "taken", directory, "x"], { env });
    expect(JSON.parse(taken.stdout)).toMatchObject({ url: null, warnings: [{ code: "live-failed" }] });
    expect((await openRun(directory)).snapshots.length).toBe(5);
    blocker.close();
  }, 120_000);

  test.each([
    [{ live: 3 }, "live: expected true, false or { port } with a port from 0 to 65535, got 3"],
    [{ live: { port: 70_000 } }, 'got {"port":70000}'],
    [{ onLive: "x" }, "onLive: expected a function, got x"],
  ])("refuses %j before anything is written", (options, message) => {
    expect(() => trajectoryCallback({ directory: "never", ...(options as object) })).toThrow(message);
  });
});

describe("tfjs-landscape watch", () => {
  test("serves a finished run until it is interrupted", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 4, 3);
    const { first, ended, child } = await start([bin, "watch", directory, "--json"]);
    const { url } = JSON.parse(first) as { url: string };
    const states = await statesUntil(url, ({ plane }) => plane?.steps.length === 4);
    expect(states.at(-1)).toMatchObject({ status: "idle", snapshots: 4 });
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
  }, 120_000);

  test("a folder that is no run ends with 2", async () => {
    const error = await execute(process.execPath, [bin, "watch", await temporaryFolder()]).catch((e) => e);
    expect(error.code).toBe(2);
    expect(error.stderr).toContain("run.json");
  });
});

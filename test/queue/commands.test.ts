import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolders } from "../support/tiny-training.js";
import { HAS_REDIS, NEEDS_REDIS, startRedis } from "./redis-server.js";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const BIN = here("../../bin/tfjs-landscape.js");
const DATA = here("../cli/fixtures/tiny-data.js");
const TIMEOUT = { timeout: 300_000 };
const SECRET = "s3cret-of-the-server";

const newFolder = temporaryFolders();
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

describe("commands over a queue, as processes", () => {
  let env: Record<string, string | undefined> = process.env;
  let run: string;

  beforeAll(async () => {
    run = join(newFolder(), "run");
    const training = spawn(process.execPath, [here("../faults/train.mjs"), run, "4"], { stdio: "ignore" });
    expect(await once(training, "exit")).toEqual([0, null]);
  }, 300_000);

  const startWorker = async (...where: string[]) => {
    const worker = spawn(process.execPath, [BIN, "worker", ...where, "--processes", "1"], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.add(worker);
    let said = "";
    worker.stderr.on("data", (part: Buffer) => {
      said += part;
    });
    await expect.poll(() => said, { timeout: 120_000 }).toContain("waiting for work");
    return { worker, said: () => said };
  };

  const command = async (name: string, ...args: string[]) => {
    const folder = join(newFolder(), "run");
    cpSync(run, folder, { recursive: true });
    const common = ["--data", DATA, "--backend", "wasm", "--json", "--format", "svg"];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [BIN, name, folder, ...common, ...args],
      {
        env,
      },
    );
    return { folder, printed: JSON.parse(stdout) as Record<string, unknown>, said: stdout + stderr };
  };

  test("surface --spool prints what --workers prints, and a folder that was not there is named", {
    ...TIMEOUT,
  }, async () => {
    const spool = join(newFolder(), "spool");
    const { worker, said } = await startWorker("--spool", spool);
    expect(said()).toContain(`waiting for work in ${spool}, a folder that was not there before`);
    const surface = (...where: string[]) => command("surface", "--plane", "random", "--size", "5", ...where);
    const [there, pool] = [await surface("--spool", spool), await surface("--workers", "1")];
    const numbers = ({ printed: { engine, ...printed }, folder }: typeof there) =>
      JSON.stringify(printed).replaceAll(folder, "FOLDER");
    expect(numbers(there)).toBe(numbers(pool));
    worker.kill("SIGTERM");
    expect(await once(worker, "exit")).toEqual([0, null]);
    const again = await startWorker("--spool", spool);
    expect(again.said()).not.toContain("a folder that was not there");
    again.worker.kill("SIGKILL");
  });

  test.skipIf(!HAS_REDIS)(
    `curvature --map --redis prints what --workers prints; the password stands nowhere; SIGTERM ends a worker${NEEDS_REDIS}`,
    TIMEOUT,
    async () => {
      const { url } = await startRedis(["--requirepass", SECRET], `default:${SECRET}@`);
      env = { ...process.env, REDIS_URL: url };
      const store = newFolder();
      const { worker, said } = await startWorker("--redis", "--store", store);
      const map = (...where: string[]) =>
        command(
          "curvature",
          ...["--loss", "logits", "--map", "--grid", "-1:1:3,-1:1:3", "--top", "0", "--map-products", "20"],
          ...where,
        );
      const there = await map("--redis", "--store", store);
      const pool = await map("--workers", "1");
      expect(there.printed.map).toBeDefined();
      expect(there.printed.map).toEqual(pool.printed.map);
      worker.kill("SIGTERM");
      expect(await once(worker, "exit")).toEqual([0, null]);
      expect(said()).toContain("SIGTERM: finishing what is under way");
      const files = [there.folder, store].flatMap((folder) =>
        readdirSync(folder, { recursive: true })
          .map((name) => join(folder, String(name)))
          .filter((file) => statSync(file).isFile()),
      );
      expect(files.length).toBeGreaterThan(5);
      expect(files.filter((file) => readFileSync(file).includes(SECRET))).toEqual([]);
      expect(there.said + said()).not.toContain(SECRET);
    },
  );
});

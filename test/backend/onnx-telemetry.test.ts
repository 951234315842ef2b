import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { packageFile } from "../../src/base/package-files.js";

/** Uses ONNX Runtime for the first time; which model it is given does not matter. */
const PROGRAM = `
const { requireOnnxRuntime } = await import(process.argv[1]);
const { InferenceSession } = requireOnnxRuntime();
await InferenceSession.create(new Uint8Array(8)).catch(() => null);
`;

/** The files that a process leaves in its home and temporary folders. */
async function filesLeft(folder: string, environment: Readonly<Record<string, string>>): Promise<string[]> {
  const home = join(folder, "home");
  await rm(home, { recursive: true, force: true });
  await mkdir(home);
  const module = packageFile("dist/src/backend/onnx-runtime.js", "run npm run build");
  // It is silent where CI or a test is said to run.
  const { CI: _ci, ORT_DISABLE_TELEMETRY: _off, XDG_CACHE_HOME: _cache, ...rest } = process.env;
  const env = { ...rest, HOME: home, TMPDIR: home, ...environment };
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", PROGRAM, module], { env });
  return (await readdir(home, { recursive: true })).filter((name) =>
    /deviceid|onnxruntime\.db|mat-debug/.test(name),
  );
}

test("ONNX Runtime counts nothing, writes no identifier and sends nothing, unless the user asks it to", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tfjs-landscape-"));
  try {
    expect(await filesLeft(folder, {})).toEqual([]);
    const asked = await filesLeft(folder, { ORT_DISABLE_TELEMETRY: "0" });
    // Elsewhere than on Linux its files have other places, or there are none.
    if (process.platform === "linux") expect(asked.some((name) => name.endsWith("deviceid"))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

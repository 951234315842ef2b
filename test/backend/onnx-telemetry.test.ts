import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { packageFile } from "../../src/base/package-files.js";

/** Loads ONNX Runtime, uses it where told to (which model it is given does not matter), and says how it was asked. */
const PROGRAM = `
const [, module, isUsed] = process.argv;
const { requireOnnxRuntime } = await import(module);
const { InferenceSession } = requireOnnxRuntime();
if (isUsed === "used") await InferenceSession.create(new Uint8Array(8)).catch(() => null);
process.stdout.write(process.env.ORT_DISABLE_TELEMETRY);
`;

/** Runs the program in a home of its own, and with nothing else: it would be silent where a build server is named. */
async function run(
  home: string,
  isUsed: boolean,
  asked: Readonly<Record<string, string>> = {},
): Promise<string> {
  const module = packageFile("dist/src/backend/onnx-runtime.js", "run npm run build");
  const { PATH = "" } = process.env;
  const env = { PATH, HOME: home, TMPDIR: home, ...asked };
  const args = ["--input-type=module", "-e", PROGRAM, module, isUsed ? "used" : "loaded"];
  return (await promisify(execFile)(process.execPath, args, { env })).stdout;
}

test("ONNX Runtime sends nothing and writes no identifier of the computer, unless the user asks it to", async () => {
  const home = await mkdtemp(join(tmpdir(), "tfjs-landscape-"));
  try {
    expect(await run(home, true)).toBe("1");
    const left = await readdir(home, { recursive: true });
    expect(left.filter((name) => /deviceid|onnxruntime|mat-debug/.test(name))).toEqual([]);
    // Not used: the test would send something.
    expect(await run(home, false, { ORT_DISABLE_TELEMETRY: "0" })).toBe("0");
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

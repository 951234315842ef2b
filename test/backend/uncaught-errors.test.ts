import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

// The compiled package in processes of their own: `npm run build` first.
const entry = new URL("../../dist/src/backend/select-backend.js", import.meta.url).href;
const program = (start: string, end: string) => `
  import * as tf from "@tensorflow/tfjs";
  import { selectBackend } from ${JSON.stringify(entry)};
  ${start}
  await selectBackend(${JSON.stringify({ backend: "wasm" })});
  tf.tidy(() => tf.scalar(1).add(1).dataSync());
  function theUsersOwnFunction() { ${end} }
  theUsersOwnFunction();
  await new Promise((resolve) => setTimeout(resolve, 50));`;

describe.each([
  ["chosen by selectBackend", ""],
  ["set by the program", 'await import("@tensorflow/tfjs-backend-wasm"); await tf.setBackend("wasm");'],
])("WebAssembly %s", (_how, start) => {
  test.each([
    ["an exception", 'throw new Error("the user\'s own error");'],
    ["one in a timer", 'setTimeout(() => { throw new Error("the user\'s own error"); }, 1);'],
    ["a rejection", 'void Promise.reject(new Error("the user\'s own error"));'],
  ])("%s that nobody catches is printed as it is, and the exit code is 1", (_what, end) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "--eval", program(start, end)],
      { encoding: "utf8", env: { ...process.env, TFJS_LANDSCAPE_BACKEND: "" } },
    );
    expect(stderr).toContain("Error: the user's own error");
    expect(stderr).toContain("theUsersOwnFunction");
    expect(stderr).not.toContain("tf-backend-wasm");
    expect(status).toBe(1);
  });
});

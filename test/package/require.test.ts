import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a program in a process of its own, in the repository's root, and returns what it prints. */
function evaluate(program: string, flags: string[]): string {
  const args = ["--disable-warning=ExperimentalWarning", ...flags, "-e", program];
  return execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trim();
}

test("require() and import give the same functions from both entry points", () => {
  const program = `
    const names = (entry) => Object.keys(entry).filter((name) => name !== "default" && name !== "__esModule").sort().join();
    const required = [require("tfjs-landscape"), require("tfjs-landscape/callbacks")];
    Promise.all([import("tfjs-landscape"), import("tfjs-landscape/callbacks")]).then((imported) => {
      for (const i of [0, 1]) if (names(required[i]) !== names(imported[i])) throw new Error(names(imported[i]));
      console.log(typeof required[0].openRun, typeof required[1].trajectoryCallback);
    });`;
  expect(evaluate(program, ["--input-type=commonjs"])).toBe("function function");
});

test("importing the library prints nothing and chooses no backend", () => {
  const program = `
    const tf = require("@tensorflow/tfjs");
    const before = Object.keys(tf.engine().registryFactory).sort().join();
    require("tfjs-landscape");
    require("tfjs-landscape/callbacks");
    const after = Object.keys(tf.engine().registryFactory).sort().join();
    console.log(before === after);`;
  expect(evaluate(program, ["--input-type=commonjs"])).toBe("true");
});

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { BackendInfo } from "../../src/backend/current-backend.js";
import { restoreRemovedNodeUtil } from "../../src/backend/native-package.js";

vi.setConfig({ testTimeout: 180_000 });

/** A choice is made once for a process, so each case is a process of its own. */
const require = createRequire(import.meta.url);
const runner = join(dirname(require.resolve("jiti/package.json")), "lib", "jiti-cli.mjs");
const source = join(import.meta.dirname, "..", "..", "src", "backend");

/** TensorFlow.js is loaded as it is and not translated first, which would take most of the time. */
const RUNNER_ENVIRONMENT = {
  JITI_FS_CACHE: "false",
  JITI_NATIVE_MODULES: JSON.stringify(["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"]),
};

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "backend-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What a case reports. */
interface Outcome {
  readonly info?: BackendInfo;
  readonly error?: { readonly name: string; readonly message: string };
  readonly active: string | null;
  readonly extra?: unknown;
}

let cases = 0;

/** Runs `before; extra = await choose(select)` in a new process in an empty folder; nothing else may be on stdout. */
function run(
  body: string,
  { env = {}, packages = {} }: { env?: Record<string, string>; packages?: Record<string, string> } = {},
): Outcome & { stderr: string } {
  const cwd = join(folder, `case-${cases++}`);
  mkdirSync(cwd);
  for (const [file, text] of Object.entries(packages)) {
    mkdirSync(dirname(join(cwd, "node_modules", file)), { recursive: true });
    writeFileSync(join(cwd, "node_modules", file), text);
  }
  const script = join(cwd, "case.ts");
  writeFileSync(
    script,
    `import { createRequire } from "node:module";
    import { selectBackend } from ${JSON.stringify(join(source, "select-backend.ts"))};
    import { currentBackend } from ${JSON.stringify(join(source, "current-backend.ts"))};
    const require = createRequire(${JSON.stringify(join(source, "case.ts"))});
    const tf = require("@tensorflow/tfjs");
    const report = (outcome) => console.log(JSON.stringify({ ...outcome, active: tf.getBackend() ?? null }));
    try { ${body} } catch (error) { report({ error: { name: error.name, message: error.message } }); }`,
  );
  const result = spawnSync(process.execPath, [runner, script], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, TFJS_LANDSCAPE_BACKEND: "", ...RUNNER_ENVIRONMENT, ...env },
  });
  expect(result.stdout, result.stderr).toMatch(/^\{.*\}\n$/);
  return { ...(JSON.parse(result.stdout) as Outcome), stderr: result.stderr };
}

const CHOOSE = "report({ info: await selectBackend() });";

/** The native package that is installed and works here, if any: decides what "auto" must choose. */
const nativePackage = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"].find((name) => {
  const check = `require("${name}").scalar(1).dataSync()`;
  return spawnSync(process.execPath, ["-e", check], { cwd: join(source, "..", "..") }).status === 0;
});
const hasNative = nativePackage !== undefined;

describe("selectBackend", () => {
  it("chooses the best that works, and says why", () => {
    const { info, active } = run(CHOOSE);
    if (hasNative) {
      expect(info).toMatchObject({ name: "native", package: nativePackage, version: "4.22.0" });
      expect(info?.library).toMatch(/^TensorFlow \d.* on the (CPU|GPU)$/);
      expect(active).toBe("tensorflow");
    } else {
      expect(info).toMatchObject({
        name: "wasm",
        package: "@tensorflow/tfjs-backend-wasm",
        version: "4.22.0",
      });
    }
    expect(info?.reason).toMatch(/^the best that works/);
  });

  it("starts WebAssembly from any folder, with its gradients", () => {
    const outcome = run(
      `const info = await selectBackend({ backend: "wasm" });
       const gradient = tf.grad((f) => tf.conv2d(tf.ones([1, 3, 3, 1]), f, 1, "valid").sum())(tf.ones([2, 2, 1, 1]));
       report({ info, extra: Array.from(gradient.dataSync()) });`,
    );
    expect(outcome.info).toMatchObject({ name: "wasm", reason: "asked for", warnings: [] });
    expect(outcome.extra).toEqual([4, 4, 4, 4]);
  });

  it("takes the choice of TFJS_LANDSCAPE_BACKEND; plain JavaScript comes with a warning and without a greeting", () => {
    const { info, stderr } = run(
      `const info = await selectBackend(); tf.ones([2]).dataSync(); report({ info });`,
      {
        env: { TFJS_LANDSCAPE_BACKEND: "js" },
      },
    );
    expect(info).toMatchObject({ name: "js", reason: "asked for by TFJS_LANDSCAPE_BACKEND" });
    expect(info?.warnings.map(({ code }) => code)).toEqual(["slow-backend"]);
    expect(stderr).toBe("");
  });

  it("prefers the option to the environment variable", () => {
    const { info } = run(`report({ info: await selectBackend({ backend: "wasm" }) });`, {
      env: { TFJS_LANDSCAPE_BACKEND: "js" },
    });
    expect(info?.name).toBe("wasm");
  });

  it("refuses unknown choices by name", () => {
    expect(run(`await selectBackend({ backend: "gpu" });`).error).toEqual({
      name: "InvalidOptionError",
      message: 'backend: expected one of auto, native, tfjs-node-gpu, tfjs-node, wasm, js, got "gpu"',
    });
    expect(run(CHOOSE, { env: { TFJS_LANDSCAPE_BACKEND: "cuda" } }).error?.message).toMatch(
      /^TFJS_LANDSCAPE_BACKEND: expected one of/,
    );
  });

  it("may choose again, also while a choice is under way", () => {
    const { extra, active } = run(
      `const infos = await Promise.all([selectBackend({ backend: "wasm" }), selectBackend({ backend: "js" })]);
       infos.push(await selectBackend({ backend: "wasm" }), await selectBackend());
       report({ extra: infos.map(({ name }) => name) });`,
    );
    expect(extra).toEqual(["wasm", "js", "wasm", "wasm"]);
    expect(active).toBe("wasm");
  });
});

describe("a backend that the program has set", () => {
  const SET_WASM = `require("@tensorflow/tfjs-backend-wasm"); await tf.setBackend("wasm");`;

  it("is kept and completed", () => {
    const outcome = run(
      `${SET_WASM} const info = await selectBackend();
       report({ info, extra: tf.getKernel("Conv2DBackpropFilter", "wasm") !== undefined });`,
    );
    expect(outcome.info).toMatchObject({ name: "wasm", reason: "set by the program", warnings: [] });
    expect(outcome.extra).toBe(true);
  });

  it("is an error against another option", () => {
    expect(run(`${SET_WASM} await selectBackend({ backend: "js" });`)).toMatchObject({
      error: {
        name: "BackendError",
        message:
          'backend: expected "js" to be free to start, got "wasm" set by the program; leave the choice to one of the two',
      },
      active: "wasm",
    });
  });

  it("stays one that the program has set after it was kept", () => {
    expect(
      run(`${SET_WASM} await selectBackend(); await selectBackend({ backend: "js" });`).error?.name,
    ).toBe("BackendError");
  });

  it("is kept against the environment variable, with a warning", () => {
    const { info, active } = run(`${SET_WASM} ${CHOOSE}`, { env: { TFJS_LANDSCAPE_BACKEND: "js" } });
    expect(active).toBe("wasm");
    expect(info?.warnings.map(({ code }) => code)).toEqual(["backend-kept"]);
  });

  it.runIf(hasNative)("is kept when it is tfjs-node", () => {
    const { info } = run(`require("${nativePackage}"); ${CHOOSE}`);
    expect(info).toMatchObject({ name: "native", reason: "set by the program", warnings: [] });
  });

  it("is kept with a warning when TensorFlow.js fell back to plain JavaScript, and replaced on demand", () => {
    const { extra } = run(
      `tf.ones([2]).square();
       const kept = await selectBackend();
       const asked = await selectBackend({ backend: "wasm" });
       report({ extra: [kept.name, kept.warnings[0].code, asked.name] });`,
    );
    expect(extra).toEqual(["js", "slow-backend", "wasm"]);
  });
});

describe("a native package", () => {
  const FAKE = {
    "@tensorflow/tfjs-node/package.json": '{ "name": "@tensorflow/tfjs-node", "version": "4.22.0" }',
    "@tensorflow/tfjs-node/index.js": 'throw new Error("loaded");',
    "@mapbox/node-pre-gyp/index.js": 'exports.find = () => __dirname + "/addon.node";',
  };

  it("that is asked for and not installed is an error with the command to run", () => {
    const { error } = run(`await selectBackend({ backend: "tfjs-node" });`);
    expect(error?.name).toBe("MissingDependencyError");
    expect(error?.message).toMatch(
      /expected @tensorflow\/tfjs-node to be installed, got none; npm install @tensorflow\/tfjs-node/,
    );
  });

  it("without its addon is an error that says so when asked for; it is found in the working directory", () => {
    const { error } = run(`await selectBackend({ backend: "tfjs-node" });`, { packages: FAKE });
    expect(error?.name).toBe("BackendError");
    expect(error?.message).toMatch(
      /@tensorflow\/tfjs-node: its addon is missing \(.*addon\.node\); repair it with "npm re/,
    );
  });

  it("whose addon does not load is an error with the reason", () => {
    const packages = { ...FAKE, "@mapbox/node-pre-gyp/addon.node": "not a library" };
    const { error } = run(`await selectBackend({ backend: "tfjs-node" });`, { packages });
    expect(error?.message).toMatch(/its addon does not load \(.+\); repair it/);
  });

  it("that is broken makes the next best the choice, with a warning; it does not matter behind one that works", () => {
    const { info } = run(CHOOSE, { packages: FAKE });
    expect(info?.name).toBe(hasNative ? "native" : "wasm");
    expect(info?.warnings.map(({ code }) => code)).toEqual(hasNative ? [] : ["native-backend-broken"]);
  });
});

describe("currentBackend", () => {
  it("tells what computes now, and whose choice it was", () => {
    const { extra } = run(
      `const before = currentBackend();
       await selectBackend({ backend: "wasm" });
       const after = currentBackend();
       report({ extra: [before.name, before.reason, after.name, after.reason] });`,
    );
    expect(extra).toEqual(["js", "set by the program", "wasm", "asked for"]);
  });

  it("is not called for by an import: that starts and registers nothing", () => {
    const { active, extra } = run(`report({ extra: tf.engine().backendNames() });`);
    expect(active).toBeNull();
    expect(extra).not.toContain("wasm");
    expect(extra).not.toContain("tensorflow");
  });
});

describe("restoreRemovedNodeUtil", () => {
  it("puts isNullOrUndefined back where it is missing", () => {
    const target: { isNullOrUndefined?: (value: unknown) => boolean } = {};
    restoreRemovedNodeUtil(target);
    expect([undefined, null, 0, ""].map((value) => target.isNullOrUndefined?.(value))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("leaves an existing one alone", () => {
    const isNullOrUndefined = () => true;
    const target = { isNullOrUndefined };
    restoreRemovedNodeUtil(target);
    expect(target.isNullOrUndefined).toBe(isNullOrUndefined);
  });
});

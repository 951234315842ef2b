#!/usr/bin/env node
import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";

// Node.js from 22.8 keeps compiled code for the next start.
nodeModule.enableCompileCache?.();

const main = new URL("../dist/src/cli/main.js", import.meta.url);
if (existsSync(fileURLToPath(main))) {
  // A reader that has seen enough, such as `head`, is no error.
  process.stdout.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  process.stderr.write("tfjs-landscape: the package is not built; run `npm run build` in its folder\n");
  process.exitCode = 2;
}

import { defineConfig } from "vitest/config";

/** One TF.js backend a run: `TFJS_LANDSCAPE_BACKEND=wasm|native` (default: the best that is installed). */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/seeded-random.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

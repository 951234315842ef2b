import { configDefaults, defineConfig } from "vitest/config";

/**
 * Folders whose subject computes nothing on a TF.js backend, or is the same code above any of them: files,
 * pictures, pages, the command line, documentation. `npm test` runs them once, with the last backend.
 */
const aboveBackends = [
  "analysis/export",
  "base",
  "cli",
  "docs",
  "embedding",
  "examples",
  "faults",
  "figure",
  "fuzz",
  "jobs",
  "live",
  "math",
  "package",
  "queue",
  "store",
  "surface/approximate",
];

/**
 * One TF.js backend per run: `TFJS_LANDSCAPE_BACKEND=wasm|native` (default: the best that is installed).
 * `TFJS_LANDSCAPE_TESTS=backend` leaves out what does not depend on it.
 */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.TFJS_LANDSCAPE_TESTS === "backend"
        ? aboveBackends.map((folder) => `test/${folder}/**`)
        : []),
    ],
    setupFiles: ["test/support/seeded-random.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

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

/** Files that take a minute or more on two cores begin first, so that no worker waits for the last of them. */
const longest = [
  "docs/readme",
  "faults/disk",
  "faults/kill",
  "fuzz/",
  "figure/embedding-page",
  "queue/",
  "faults/",
  "cli/sweep",
  "cli/workers",
  "package/",
  "examples/studies",
  "figure/page-buttons",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((start) => moduleId.includes(`/test/${start}`));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

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
    sequence: { sequencer: LongestFirst },
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Pages answer when a busy machine lets them.
    expect: { poll: { timeout: 20_000 } },
  },
});

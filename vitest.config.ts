import { readdirSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Folders and files whose subject computes nothing on a TF.js backend, or is the same code above any of them: files,
 * pictures, pages, the command line, processes, documentation. `npm test` runs them once, with the last backend.
 */
const aboveBackends = [
  "analysis/compare-page",
  "analysis/export",
  "backend/select-backend",
  "base",
  "capture/compiled",
  "capture/kill",
  "cli",
  "docs",
  "embedding",
  "examples",
  "faults",
  "figure",
  "fuzz",
  "jobs",
  "live",
  "loss/workers/worker-evaluator",
  "math",
  "package",
  "queue",
  "store",
  "surface/approximate",
  "training/jump-processes",
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
    const place = ({ moduleId, project }: TestSpecification): number => {
      const found = longest.findIndex((start) => moduleId.includes(`/test/${start}`));
      // Files that share a process come last: one between two of them would end it.
      return found === -1 ? longest.length + (project.config.isolate ? 0 : 1) : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/**
 * Folders whose files run one after another in one process for each worker: loading TensorFlow.js anew for each takes
 * longer than most of them. The others start processes, change what a process has, or look at it; so do some files.
 */
const inOneProcess = [
  "analysis",
  "base",
  "between",
  "curvature",
  "directions",
  "embedding",
  "math",
  "model",
  "surface",
  "training",
];

const inOwnProcess = [
  "analysis/abort-within-batch",
  "analysis/parts-of-runs",
  "curvature/create-curvature",
  "curvature/second-order-javascript",
].map((name) => `test/${name}.test.ts`);

const others = readdirSync(new URL("test", import.meta.url)).filter((name) => !inOneProcess.includes(name));

const inFolders = (folders: readonly string[]) =>
  folders.flatMap((folder) => [`test/${folder}/**/*.test.ts`, `test/${folder}.test.ts`]);

const excluded = [
  ...configDefaults.exclude,
  ...(process.env.TFJS_LANDSCAPE_TESTS === "backend" ? inFolders(aboveBackends) : []),
];

/**
 * One TF.js backend per run: `TFJS_LANDSCAPE_BACKEND=wasm|native` (default: the best that is installed).
 * `TFJS_LANDSCAPE_TESTS=backend` leaves out what does not depend on it.
 */
export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "a process each",
          include: [...inFolders(others), ...inOwnProcess],
          exclude: excluded,
        },
      },
      {
        extends: true,
        test: {
          name: "one process",
          include: inFolders(inOneProcess),
          exclude: [...excluded, ...inOwnProcess],
          isolate: false,
        },
      },
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

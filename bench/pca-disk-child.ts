import { pathToFileURL } from "node:url";
import { rowSourceOfRuns } from "../src/analysis/row-source.js";
import { createLinearAlgebra } from "../src/backend/linear-algebra/create-linear-algebra.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { pcaDirections } from "../src/directions/pca.js";
import { projectTrajectory } from "../src/directions/project.js";
import { openRun } from "../src/store/run/open-run.js";

/** What the measuring process reports. */
export interface DiskResult {
  readonly backend: string;
  readonly pcaSeconds: number;
  readonly projectSeconds: number;
  /** Resident memory in 10⁶ bytes: after loading the backend, and the peak of the whole process. */
  readonly baseMegabytes: number;
  readonly peakMegabytes: number;
  readonly explainedVarianceRatio: readonly number[];
  readonly randomWalkBaseline: readonly number[];
}

/** Measures PCA and projection of a run on disk in this process. */
export async function measureRun(directory: string): Promise<DiskResult> {
  const { name } = await selectBackend();
  const linearAlgebra = createLinearAlgebra();
  const run = await openRun(directory);
  const source = rowSourceOfRuns([run]);
  const baseMegabytes = process.memoryUsage.rss() / 1e6;
  const begin = performance.now();
  const pca = await pcaDirections(source, { linearAlgebra });
  const pcaSeconds = (performance.now() - begin) / 1000;
  await projectTrajectory(source, pca);
  await run.close();
  return {
    backend: name,
    pcaSeconds,
    projectSeconds: (performance.now() - begin) / 1000 - pcaSeconds,
    baseMegabytes,
    peakMegabytes: (process.resourceUsage().maxRSS * 1024) / 1e6,
    explainedVarianceRatio: [...pca.explainedVarianceRatio],
    randomWalkBaseline: [...pca.randomWalkBaseline],
  };
}

const [, program, directory] = process.argv;
if (program !== undefined && directory !== undefined && import.meta.url === pathToFileURL(program).href) {
  measureRun(directory).then(
    (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exitCode = 1;
    },
  );
}

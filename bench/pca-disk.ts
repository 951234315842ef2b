import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ParameterLayout } from "../src/model/layout.js";
import { createRunWriter } from "../src/store/run/run-writer.js";
import type { DiskResult } from "./pca-disk-child.js";
import { createPath } from "./pca-path.js";

/** A run directory on disk: seconds and peak of resident memory of a process that does nothing else. */
export interface PcaDiskCase extends DiskResult {
  readonly case: string;
  readonly source: "disk";
  readonly ours: number;
  readonly peer: null;
  readonly ratio: null;
  /** Seconds to write the run to the disk itself, for scale. */
  readonly writeSeconds: number;
  /** The files were written just before, to the disk itself: those that fit are in the system's page cache. */
  readonly cache: "warm";
}

/** Size and place of a run to be made up. */
export interface DiskSettings {
  readonly rows: number;
  readonly columns: number;
  readonly directory: string;
}

/** Writes a run of the given size and measures PCA and projection on it in a process of their own. */
export async function runFromDisk(settings: DiskSettings, log: (line: string) => void): Promise<PcaDiskCase> {
  const { rows, columns } = settings;
  const directory = await mkdtemp(join(settings.directory, "run-"));
  try {
    const begin = performance.now();
    await writeRun(join(directory, "run"), rows, columns, log);
    // What the system has yet to write to a slow disk would be measured with the reading; some systems have no `sync`.
    spawnSync("sync");
    const writeSeconds = (performance.now() - begin) / 1000;
    log(`pca ${rows}x${columns} from disk: written in ${writeSeconds.toFixed(1)} s`);
    const result = await measureInChild(join(directory, "run"));
    log(
      `pca ${rows}x${columns} from disk: ${result.pcaSeconds.toFixed(2)} s, projection ` +
        `${result.projectSeconds.toFixed(2)} s, peak ${result.peakMegabytes.toFixed(0)} MB resident`,
    );
    const ours = result.pcaSeconds;
    const name = `${rows}x${columns}-disk`;
    return {
      case: name,
      ...result,
      source: "disk",
      ours,
      peer: null,
      ratio: null,
      writeSeconds,
      cache: "warm",
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeRun(
  directory: string,
  rows: number,
  columns: number,
  log: (line: string) => void,
): Promise<void> {
  const layout = singleWeight(columns);
  const writer = await createRunWriter(directory, {
    name: "bench",
    createdAt: new Date().toISOString(),
    packages: {},
    model: null,
    layout,
    dtype: "float32",
    optimizer: null,
    loss: null,
    metrics: null,
    fit: {},
    backend: { name: "none", package: "none", reason: "made up" },
    seed: null,
  });
  const next = createPath(rows, columns);
  const theta = new Float32Array(columns);
  try {
    for (let step = 0; step < rows; step++) {
      next(theta);
      await writer.writeSnapshot({
        step,
        epoch: step,
        iteration: step,
        time: 0,
        learningRate: 0.1,
        logs: {},
        theta,
      });
      if (step % 50 === 49) log(`pca ${rows}x${columns}: ${step + 1} snapshots written`);
    }
  } finally {
    await writer.close();
  }
}

function singleWeight(size: number): ParameterLayout {
  const weight = { name: "w", shape: [size], offset: 0, size, role: "kernel", trainable: true } as const;
  return {
    parameters: [{ ...weight, layerType: "Variable", filterAxes: null }],
    parameterCount: size,
    trainableCount: size,
    digest: `bench-${size}`,
  };
}

function measureInChild(directory: string): Promise<DiskResult> {
  const program = fileURLToPath(new URL("./pca-disk-child.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (part) => {
      output += part;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(output.trim().split("\n").at(-1) ?? "") as DiskResult);
      else reject(new Error(`bench/pca-disk-child: expected exit code 0, got ${code}`));
    });
  });
}

/**
 * One training on three kinds of planes (Li et al. 2018, figures 18 and 19): two random directions; the way from start to end
 * with a random direction; the principal components of the path. Beside each plane stands how much of the path's variance
 * it holds, and beside the last how much the components of a random walk with the same steps would hold.
 *
 * `npx jiti examples/studies/trajectories.ts [--quick] [--out DIR]` trains a LeNet by SGD and by Adam, with three drops of
 * the learning rate, which the paths mark. `--runs RUN …` takes runs of batch-size.ts or repeatability.ts instead. The
 * paper's: `--network vgg9 --data FOLDER --full --images 50000 --batch-size 128 --epochs 300 --backend native`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  analyzePlane,
  createLossEvaluator,
  type NamedFigure,
  openRun,
  type PlaneAnalysis,
  type Run,
  selectBackend,
  writeReport,
} from "tfjs-landscape";
import { imageShape, loadStudyData, trainStudy } from "./study.js";
import { createStudyNetwork } from "./study-network.js";
import { count, STUDY_FLAGS, studyOptions } from "./study-options.js";

const { values } = parseArgs({
  options: {
    ...STUDY_FLAGS,
    "batch-size": { type: "string", default: "32" },
    runs: { type: "string", multiple: true, default: [] },
  },
});
const defaults = {
  network: "lenet",
  // "mlp" takes rows, not images.
  networks: ["lenet", "vgg9", "wide-resnet"],
  data: values.quick ? "mnist" : "fashion-mnist",
  images: 1000,
} as const;
const study = studyOptions("trajectories", defaults, values);
const { out, quick, backend, network, epochs: asked = 24 } = study;
const data = { data: study.data, images: quick ? 64 : study.images, half: study.half };
const batchSize = count("batch-size", values["batch-size"]);
const shape = imageShape(data);

await selectBackend({ backend });

/** Trains with the paper's rates and drops, or finds what an earlier call has trained. */
async function train(optimizer: "sgd" | "adam"): Promise<string> {
  const directory = join(out, optimizer);
  const epochs = quick ? 4 : asked;
  const file = join(out, `${optimizer}-settings.json`);
  const wanted = JSON.stringify({ network, ...data, batchSize, epochs, backend });
  if (existsSync(join(directory, "run.json"))) {
    const got = existsSync(file) ? readFileSync(file, "utf8") : "others";
    if (got !== wanted)
      throw new Error(
        `${directory}: expected a run with the settings ${wanted}, got ${got}; choose another --out`,
      );
    const { snapshots } = await openRun(directory);
    if (snapshots.at(-1)?.epoch === epochs) return directory;
    // A training that was ended half way is made anew.
    rmSync(directory, { recursive: true });
  }
  mkdirSync(out, { recursive: true });
  writeFileSync(file, wanted);
  const weightDecay = 5e-4;
  const model = createStudyNetwork(network, { shape, seed: 1, weightDecay });
  const learningRate = optimizer === "sgd" ? 0.1 : 0.001;
  const settings = { ...data, optimizer, learningRate, batchSize, epochs, seed: 1 };
  const name = optimizer === "sgd" ? "SGD" : "Adam";
  const { test_acc: accuracy = Number.NaN } = await trainStudy(model, settings, { directory, name });
  console.log(`${name} is trained: test accuracy ${accuracy.toFixed(3)}`);
  model.dispose();
  return directory;
}

/** Squared distances of the snapshots to the last one, over the weights that are trained, and their steps. */
async function squaredDistances(run: Run): Promise<{ toEnd: number[]; steps: number[] }> {
  const trained = run.layout.parameters.filter(({ role }) => role !== "state");
  const between = (a: Float32Array, b: Float32Array) => {
    let sum = 0;
    for (const { offset, size } of trained)
      for (let i = offset; i < offset + size; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
    return sum;
  };
  const thetas: Float32Array[] = [];
  for (let i = 0; i < run.snapshots.length; i++) thetas.push(Float32Array.from(await run.readTheta(i)));
  const end = thetas.at(-1) as Float32Array;
  return {
    toEnd: thetas.map((theta) => between(theta, end)),
    steps: thetas.map((theta, i) => (i === 0 ? 0 : between(theta, thetas[i - 1] as Float32Array))),
  };
}

/** Share of the variance about the final weights that lies in a plane through them. */
function heldShare({ trajectories }: PlaneAnalysis, toEnd: readonly number[]): number {
  const { distance } = trajectories[0] as PlaneAnalysis["trajectories"][0];
  const outside = distance.reduce((sum, value) => sum + value * value, 0);
  return 1 - outside / toEnd.reduce((sum, value) => sum + value, 0);
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;
const planes = {
  "ineffective-random": "two random directions",
  "ineffective-initial": "start to end, and a random direction",
  pca: "principal components",
} as const;
const figures: NamedFigure[] = [];
const lines: string[] = [];
const directories = values.runs.length > 0 ? values.runs : [await train("sgd"), await train("adam")];
for (const directory of directories) {
  const run = await openRun(directory);
  const { name } = run.manifest;
  const { toEnd, steps } = await squaredDistances(run);
  const model = createStudyNetwork(network, { shape });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const evaluator = await createLossEvaluator(model, loadStudyData(data), {
    layout: run.layout,
    loss: "logits",
    // Fixed, since a plane that was interrupted goes on with the same batches only.
    batchSize: 250,
  });
  for (const [kind, what] of Object.entries(planes) as [keyof typeof planes, string][]) {
    const analysis = await analyzePlane([run], kind === "pca" ? { kind, centering: "final" } : { kind }, {
      sets: [{ name: "train", evaluator }],
      size: quick ? 5 : 21,
      directory: join(out, "planes", name.replace(/\W+/g, "-")),
      figure: { title: `${name}: ${what}` },
    });
    const held = heldShare(analysis, toEnd);
    const [first = Number.NaN, second = Number.NaN] = analysis.directions?.explainedVarianceRatio ?? [];
    const [walk = Number.NaN, next = Number.NaN] = analysis.directions?.randomWalkBaseline ?? [];
    const components =
      kind === "pca"
        ? ` (${percent(first)} + ${percent(second)}); a random walk ${percent(walk + next)} (${percent(walk)} + ${percent(next)})`
        : "";
    lines.push(`${name}, ${what}: ${percent(held)} of the variance${components}`);
    if (analysis.figure !== null)
      figures.push({ name: `${name} ${kind}`.toLowerCase().replace(/\W+/g, "-"), figure: analysis.figure });
  }
  const path = steps.reduce((sum, value) => sum + Math.sqrt(value), 0);
  lines.push(
    `${name}: ${run.snapshots.length} snapshots, path ${path.toFixed(1)}, distance ${Math.sqrt(toEnd[0] ?? 0).toFixed(1)}`,
  );
  evaluator.dispose();
  model.dispose();
}
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
const files = await writeReport(out, figures, { title: "One path on three kinds of planes" });
console.log([...lines, ...files].join("\n"));

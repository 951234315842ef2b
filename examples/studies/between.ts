// What lies between two trained networks: barriers before and after their units are matched, and along a curve that is
// trained as long as one of them. Run it with `npx jiti examples/studies/between.ts [--quick] [--out DIR]`; see docs/between.md.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { createLossEvaluator, openRun, selectBackend, writeReport } from "tfjs-landscape";
import { analyzeConnection, barriersOf } from "tfjs-landscape/between";
import { loadMnist } from "../data/mnist.js";
import { studyNetworks, trainOnce } from "./between-networks.js";
import { commonOptions } from "./study-options.js";

const { out, quick } = commonOptions("between");
await selectBackend();
mkdirSync(out, { recursive: true });
const count = quick ? 100 : 10_000;
const train = loadMnist({ count });
const test = loadMnist({ split: "test", count });
const lines: string[] = [];
for (const network of studyNetworks(quick)) {
  const samples = count === network.images ? train : loadMnist({ count: network.images });
  const directories = [await trainOnce(network, 0, out), await trainOnce(network, 1, out)];
  const runs = await Promise.all(directories.map((directory) => openRun(directory)));
  const model = network.create(0);
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const onTrain = await createLossEvaluator(model, train, { layout: runs[0]?.layout });
  const onTest = await createLossEvaluator(model, test, { layout: runs[0]?.layout });
  const sets = [
    { name: "train", evaluator: onTrain },
    { name: "test", evaluator: onTest },
  ];
  const directory = join(out, network.name);
  const { connection, figure, map } = await analyzeConnection(runs, model, samples, {
    sets,
    directory,
    points: quick ? 3 : 11,
    curvePoints: quick ? 3 : 61,
    mapSize: quick ? 3 : 15,
    curve: { kind: "bezier", epochs: network.epochs, batchSize: network.batchSize, ...network.curve },
  });
  const figures = [{ name: "between", figure }, ...(map === null ? [] : [{ name: "curve", figure: map }])];
  await writeReport(directory, figures);
  const seconds = directories.map((one) => Number(readFileSync(join(one, "trained"), "utf8")).toFixed(0));
  const { distance, moved, units } = connection.alignment as NonNullable<typeof connection.alignment>;
  const apart = `${distance.before.toPrecision(4)} to ${distance.after.toPrecision(4)}`;
  const trained = connection.curve?.seconds.toFixed(0);
  lines.push(
    `${network.name}: trained in ${seconds.join(" and ")} s, the curve in ${trained} s; ${moved} of ${units} units moved, distance ${apart}`,
  );
  for (const path of connection.paths) {
    for (const { set, loss, errors } of barriersOf(path)) {
      const numbers = [
        loss.ends[0],
        loss.ends[1],
        loss.maximum,
        loss.aboveLine,
        errors.acc?.aboveLine ?? Number.NaN,
      ];
      lines.push(
        `  ${path.name}, ${path.policy}, ${set}: ends, largest loss, barrier of loss and error ${numbers.map((value) => value.toPrecision(3)).join(" ")}`,
      );
    }
  }
  onTest.dispose();
  onTrain.dispose();
  if (samples !== train) tf.dispose([samples.xs, samples.ys]);
  writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
}
console.log(lines.join("\n"));

// ResNets with and without skip connections at three depths (Li et al. 2018, figures 1 and 5, table 2):
// `npx tfjs-landscape sweep examples/studies/skip-connections.ts --out runs/skip-connections`; see docs/studies.md.
// The paper's: `--set depth=20,56,110 --set width=1 --set batchSize=128 --set data=FOLDER --set half=false --set images=50000
// --set epochs=300`.
import { resNetSweep } from "./resnet-sweep.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData } from "./study.js";

const { sweep, createFigures } = resNetSweep(
  { skip: [true, false], depth: [8, 14, 20], width: [0.25] },
  ({ depth, skip }) => `ResNet-${depth}${skip ? "" : " without skips"}`,
);

export { createFigures, sweep as default };

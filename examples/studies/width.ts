// ResNets of several widths, with and without skip connections (Li et al. 2018, figure 6):
// `npx tfjs-landscape sweep examples/studies/width.ts --out runs/width`; see docs/studies.md.
import { resNetSweep } from "./resnet-sweep.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData } from "./study.js";

const { sweep, createFigures } = resNetSweep(
  { width: [0.25, 0.5, 1], skip: [true, false], depth: [14] },
  ({ width, skip }) => `width ${width}${skip ? "" : " without skips"}`,
);

export { createFigures, sweep as default };

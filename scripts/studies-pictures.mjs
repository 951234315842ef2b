/**
 * Makes the pictures of docs/studies.md from studies that were run as that page says:
 * `node scripts/studies-pictures.mjs --runs DIR [--out DIR]`, where DIR holds their folders. What is not there is named and
 * keeps its picture.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { renderPng } from "../dist/src/doors/figures.js";
import { root } from "./prepare-checkout.mjs";

/** Pictures of the page, and the study's folder and figure that each is made from. */
const PICTURES = {
  "optimizers-joint": ["optimizers", "joint"],
  "batch-size-planes": ["batch-size", "sgd-random-planes"],
  "batch-size-lines": ["batch-size", "sgd-random-lines"],
  "batch-size-line-0": ["batch-size", "sgd-interpolation-0"],
  "batch-size-line-0.005": ["batch-size", "sgd-interpolation-0.005"],
  "batch-size-adam-line-0.005": ["batch-size", "adam-interpolation-0.005"],
  "batch-size-histogram": ["batch-size", "sgd-histogram"],
  "batch-size-norms": ["batch-size", "sgd-norms"],
  "skip-connections": ["skip-connections", "random-planes"],
  width: ["width", "random-planes"],
  repeatability: ["repeatability", "ten-directions"],
  "trajectory-random": ["trajectories", "sgd-ineffective-random"],
  "trajectory-start": ["trajectories", "sgd-ineffective-initial"],
  "trajectory-pca": ["trajectories", "sgd-pca"],
  "trajectory-adam-random": ["trajectories", "adam-ineffective-random"],
  "trajectory-adam-start": ["trajectories", "adam-ineffective-initial"],
  "trajectory-adam-pca": ["trajectories", "adam-pca"],
  "corrupted-labels": ["corrupted-labels", "lines"],
  good: ["memorization", "good-phate-test-loss"],
  initialisations: ["initialisations", "initialisations-phate-test-loss"],
};

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "runs" },
    out: { type: "string", default: join(root, "docs", "images", "studies") },
  },
});
mkdirSync(values.out, { recursive: true });
for (const [picture, [study, figure]] of Object.entries(PICTURES)) {
  const source = join(values.runs, study, `${figure}.svg`);
  const file = join(values.out, `${picture}.png`);
  if (existsSync(source)) writeFileSync(file, renderPng(readFileSync(source, "utf8"), { scale: 1 }));
  process.stdout.write(existsSync(source) ? `${file}\n` : `${picture}: no ${source}\n`);
}

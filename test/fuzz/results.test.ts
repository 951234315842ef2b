import { fuzzTargets } from "./run-target.js";

// Shares are of the cases of both files together, so that two processes take about equally long.
fuzzTargets({
  "results, bytes": 180,
  "results of version 1, bytes": 60,
  "results, structure": 120,
  journals: 100,
  "IDX files": 50,
  "CIFAR files": 30,
});

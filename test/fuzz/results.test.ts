import { fuzzTargets } from "./run-target.js";

// Shares are of the cases of both files together, so that two processes take about equally long.
fuzzTargets({
  "results, bytes": 200,
  "results of version 1, bytes": 70,
  "results, structure": 60,
  journals: 60,
  "IDX files": 50,
  "CIFAR files": 30,
});

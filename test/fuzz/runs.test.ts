import { fuzzTargets } from "./run-target.js";

fuzzTargets({
  "run.json, bytes": 90,
  "run.json, structure, model rebuilt": 25,
  snapshots: 180,
  "snapshots of version 1": 40,
  locks: 30,
  "command lines": 90,
  "a run with a damaged result, drawn": 5,
});

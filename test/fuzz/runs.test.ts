import { fuzzTargets } from "./run-target.js";

fuzzTargets({
  "run.json, bytes": 100,
  "run.json, structure, model rebuilt": 25,
  snapshots: 222,
  "snapshots of version 1": 60,
  locks: 30,
  "command lines": 90,
  "a run with a damaged result, drawn": 3,
});

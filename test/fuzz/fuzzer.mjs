// Tries one target with damaged input, from the build: `node fuzzer.mjs FOLDER TARGET SEED FROM COUNT [STATE]`.
// FOLDER is what sample.mjs made. Prints one JSON line a finding, and one of counts at the end. Case N of a seed is the
// same whatever came before it. STATE is a file that always holds the number of the case that is being tried.
import { mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { LandscapeError } from "../../dist/src/base/errors.js";
import { createRandom } from "./mutate.mjs";
import { TARGETS, WrongValue } from "./targets.mjs";

const [sample, name, seed, from, count, state] = process.argv.slice(2);
const WARM_UP = 100;
const MOST_FINDINGS = 20;

const folder = mkdtempSync(join(tmpdir(), "landscape-fuzz-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const stateFile = state === undefined ? null : openSync(state, "w");
const silent = () => undefined;
Object.assign(console, { log: silent, warn: silent, error: silent, info: silent });

const counts = { name, cases: 0, refused: 0, accepted: 0, findings: 0 };
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const tryCase = await TARGETS[name]({ sample, folder, isDeepStrictEqual });
let baseline = 0;

for (let index = Number(from); index < Number(from) + Number(count); index++) {
  if (stateFile !== null) writeSync(stateFile, String(index).padEnd(12), 0);
  try {
    await tryCase(createRandom(`${seed}/${name}/${index}`));
    counts.accepted++;
  } catch (error) {
    const isOurs = error instanceof LandscapeError || error?.isOurs === true;
    if (isOurs) counts.refused++;
    else {
      const what = error instanceof WrongValue ? "wrong value" : "foreign error";
      if (counts.findings++ < MOST_FINDINGS)
        say({ finding: what, case: index, text: String(error?.stack ?? error).slice(0, 1500) });
    }
  }
  if (++counts.cases === WARM_UP) baseline = process.resourceUsage().maxRSS;
}
const { maxRSS } = process.resourceUsage();
const megabytes = baseline === 0 ? 0 : Math.round((maxRSS - baseline) / 1024);
say({ ...counts, megabytes });
process.exit(0);

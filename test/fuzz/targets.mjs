// What is fuzzed: each target prepares, and returns what tries one case. A case throws what the package throws, or a
// WrongValue where the package has accepted something that is not what was written.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { readFigures } from "../../dist/src/analysis/read-figures.js";
import { main } from "../../dist/src/cli/main.js";
import { describeTraining } from "../../dist/src/model/describe-training.js";
import { layoutOfModel } from "../../dist/src/model/layout-of-model.js";
import { modelFromManifest } from "../../dist/src/model/model-from-manifest.js";
import { readDirections, writeDirections } from "../../dist/src/store/kinds/directions-file.js";
import { readEmbedding, writeEmbedding } from "../../dist/src/store/kinds/embedding-file.js";
import {
  readLineSlice,
  readSharpness,
  writeLineSlice,
  writeSharpness,
} from "../../dist/src/store/kinds/line-file.js";
import { listSurfaces } from "../../dist/src/store/kinds/stored-surfaces.js";
import { readSurface, writeSurface } from "../../dist/src/store/kinds/surface-file.js";
import { approximatedPointTiles, curvePointTiles } from "../../dist/src/store/kinds/surface-journal.js";
import { readTrajectory, writeTrajectory } from "../../dist/src/store/kinds/trajectory-file.js";
import {
  readHistograms,
  readStepAngles,
  readWeightStatistics,
  writeHistograms,
  writeStepAngles,
  writeWeightStatistics,
} from "../../dist/src/store/kinds/weights-file.js";
import { readArtifact, readArtifactFacts, writeArtifact } from "../../dist/src/store/results/artifact.js";
import { openTileJournal, readInterrupted } from "../../dist/src/store/results/tile-journal.js";
import { decodeSnapshot } from "../../dist/src/store/run/decode-snapshot.js";
import { openRun } from "../../dist/src/store/run/open-run.js";
import { isRunInUse } from "../../dist/src/store/run/run-lock.js";
import { loadCifar10 } from "../../examples/data/cifar.js";
import { readIdx } from "../../examples/data/idx.js";
import { damageBytes, damageJson } from "./mutate.mjs";

/** Something was accepted that is not what was written. */
export class WrongValue extends Error {}

const golden = fileURLToPath(new URL("../golden/run-v1/run", import.meta.url));

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(file) : [file];
  });
}

/** How results are read, and written again, by the name of their folder. */
const KINDS = {
  directions: { read: readDirections, write: writeDirections },
  trajectories: { read: readTrajectory, write: writeTrajectory },
  fidelity: { read: readTrajectory, write: writeTrajectory },
  surfaces: { read: readSurface, write: writeSurface },
  lines: { read: readLineSlice, write: writeLineSlice },
  embeddings: { read: readEmbedding, write: writeEmbedding },
  statistics: {
    read: readWeightStatistics,
    write: (file, value, from) =>
      writeWeightStatistics(file, value, countedSnapshots(value.norm.length), from),
  },
  histogram: { read: readHistograms, write: writeHistograms },
  angles: {
    read: readStepAngles,
    write: (file, value, from) =>
      writeStepAngles(file, value, countedSnapshots(value.degrees.length + 1), from),
  },
  sharpness: {
    read: async (file) => {
      const facts = await readArtifactFacts(file);
      return facts === null ? null : readSharpness(file, facts.provenance);
    },
    write: writeSharpness,
  },
  losses: { read: readArtifact, write: (file, artifact) => writeArtifact(file, artifact) },
};

const countedSnapshots = (length) => Array.from({ length }, (_, i) => ({ step: i, epoch: i, iteration: i }));

function kindOf(file) {
  const name = file.slice(file.lastIndexOf("/") + 1).replace(".arrow", "");
  const folder = dirname(file).split("/").at(-1);
  return KINDS[folder] ?? KINDS[name] ?? null;
}

async function originals(folder) {
  const files = filesIn(folder).filter((file) => file.endsWith(".arrow") && kindOf(file) !== null);
  return Promise.all(
    files.sort().map(async (file) => {
      const kind = kindOf(file);
      return {
        file,
        kind,
        bytes: readFileSync(file),
        value: await kind.read(file),
        facts: await readArtifact(file),
      };
    }),
  );
}

function expectEqual({ isDeepStrictEqual }, got, expected, what) {
  if (!isDeepStrictEqual(got, expected)) throw new WrongValue(what);
}

/** Bytes of results, with what lists them: an accepted file says what the original says. */
function damagedResults(folderOf) {
  return async (context) => {
    const all = await originals(folderOf(context));
    const file = join(context.folder, "r.arrow");
    return async (random) => {
      const { bytes, kind, value, facts, file: original } = random.pick(all);
      writeFileSync(file, damageBytes(bytes, random));
      const found = await readArtifactFacts(file);
      // Version 1 and files whose name of this digest was damaged too have none of what is read without the columns.
      // The name stands in the head and in the foot of a file, of which one is read.
      const namesIn = (content) => content.toString("latin1").split("factsSha256").length - 1;
      const isCovered = namesIn(bytes) > 0 && namesIn(readFileSync(file)) >= namesIn(bytes);
      if (isCovered) expectEqual(context, found, pickFacts(facts), `other facts of ${original}`);
      expectEqual(context, await kind.read(file), value, `another value of ${original}`);
    };
  };
}

const pickFacts = ({ provenance, details }) => ({ provenance, details });

/** Columns that do not fit what a reader expects, in a file whose digests are right. */
function damageColumns(columns, random) {
  const damaged = { ...columns };
  const name = random.pick(Object.keys(damaged));
  const { values, width } = damaged[name];
  const numbers = Array.from(values, Number);
  const at = random.below(Math.max(1, numbers.length));
  const fault = random.below(7);
  if (fault === 0) delete damaged[name];
  else if (fault === 1) damaged[name] = { values: Int32Array.from(numbers) };
  else if (fault === 2)
    damaged[name] = { values: numbers.map((one) => random.pick([String(one), "", "{", "null"])) };
  else if (fault === 3) damaged[name] = { values: Float32Array.from(numbers), ...(width && { width }) };
  else if (fault === 4) {
    const one = Array.isArray(values) ? [...values] : values.slice();
    one[at] = Array.isArray(values) ? "strange" : random.pick([-1, 1e9, Number.NaN, 2 ** 31 - 1, Infinity]);
    damaged[name] = { ...damaged[name], values: one };
  } else if (fault === 5) {
    for (const [key, column] of Object.entries(damaged)) {
      const rows = column.values.length / (column.width ?? 1);
      const kept = (rows >> 1) * (column.width ?? 1);
      damaged[key] = { ...column, values: column.values.slice(0, kept) };
    }
  } else {
    for (const [key, column] of Object.entries(damaged))
      damaged[key] = { ...column, values: column.values.slice(0, 0) };
  }
  return damaged;
}

function damageArtifact({ columns, details, provenance }, random) {
  const what = random.below(5);
  if (what <= 1) return { columns, provenance, details: damageJson(details, random) };
  if (what === 2) return { columns, details, provenance: damageJson(provenance, random) };
  return { details, provenance, columns: damageColumns(columns, random) };
}

async function writeDamaged(file, artifact) {
  try {
    await writeArtifact(file, artifact);
  } catch (error) {
    // Nothing of the kind can be written: no case for a reader.
    throw Object.assign(error, { isOurs: true });
  }
}

async function damagedStructure(context) {
  const all = [...(await originals(context.sample)), ...(await originals(golden))];
  const [file, again] = ["r.arrow", "again.arrow"].map((name) => join(context.folder, name));
  return async (random) => {
    const { kind, facts, file: original } = random.pick(all);
    const damaged = damageArtifact(facts, random);
    await writeDamaged(file, damaged);
    const value = await kind.read(file);
    try {
      await kind.write(again, value, damaged.provenance);
    } catch (error) {
      throw new WrongValue(`${original}: what was read cannot be written again: ${error.stack}`);
    }
    expectEqual(context, await kind.read(again), value, `${original}: written again it reads otherwise`);
  };
}

/** A whole run folder of which one result is damaged: listed and drawn. */
async function damagedFolder(context) {
  const places = [join(context.sample, "one"), golden];
  const runs = await Promise.all(
    places.map(async (place, i) => {
      const directory = join(context.folder, `run${i}`);
      cpSync(place, directory, { recursive: true });
      return { run: await openRun(directory), all: await originals(directory) };
    }),
  );
  return async (random) => {
    const { run, all } = random.pick(runs);
    const { file, bytes, facts } = random.pick(all);
    try {
      if (random.next() < 0.3) writeFileSync(file, damageBytes(bytes, random));
      else await writeDamaged(file, damageArtifact(facts, random));
      await listSurfaces(run.directory);
      const { figures } = await readFigures(run);
      JSON.stringify(figures);
    } finally {
      writeFileSync(file, bytes);
    }
  };
}

function damagedSnapshots(filesOf, factsCount) {
  return async (context) => {
    const all = await Promise.all(
      filesOf(context).map(async (file) => {
        const bytes = readFileSync(file);
        return { file, bytes, value: await decodeSnapshot(bytes, file) };
      }),
    );
    return async (random) => {
      const { file, bytes, value } = random.pick(all);
      const got = await decodeSnapshot(new Uint8Array(damageBytes(bytes, random)), file);
      expectEqual(context, got.theta, value.theta, `${file}: other weights`);
      if (factsCount) expectEqual(context, got, value, `${file}: other facts`);
    };
  };
}

/** Every value that was read is what the file says; nothing is made up. */
function isPartOf(value, raw) {
  if (typeof value !== "object" || value === null) return Object.is(value, raw);
  if (typeof raw !== "object" || raw === null) return false;
  return Object.keys(value).every((key) => value[key] === undefined || isPartOf(value[key], raw[key]));
}

async function damagedManifest(context, damage, use) {
  const directory = join(context.folder, "run");
  cpSync(join(context.sample, "one"), directory, { recursive: true });
  const file = join(directory, "run.json");
  const bytes = readFileSync(file);
  return async (random) => {
    const damaged = damage(bytes, random);
    writeFileSync(file, damaged);
    const { manifest } = await openRun(directory);
    if (!isPartOf({ ...manifest, layout: null }, { ...JSON.parse(String(damaged)), layout: null }))
      throw new WrongValue("a manifest that says something else than run.json");
    await use?.(manifest, context);
  };
}

async function rebuild(manifest, context) {
  const model = await modelFromManifest(manifest);
  try {
    const { parameters } = layoutOfModel(model);
    // Toggling "trainable" reorders weights, which are found by name then.
    const facts = (all) => all.map(({ shape }) => String(shape)).sort();
    expectEqual(context, facts(parameters), facts(manifest.layout.parameters), "a model of another layout");
    const { loss } = describeTraining(model);
    if (loss === null || loss === undefined) throw new WrongValue("a model without a loss");
  } finally {
    model.dispose();
    tf.disposeVariables();
  }
}

async function damagedTiles(context) {
  const { points } = await readInterrupted(
    join(context.sample, "cut/surfaces", cutSurface(context)),
    curvePointTiles,
  );
  const samples = { loss: Float64Array.of(1, 2), metrics: { acc: Float64Array.of(0, 1) } };
  const approximated = points.map(({ index, value, undefinedWeights }, i) => {
    return {
      index,
      value: i % 3 === 0 ? null : value,
      samples: i % 2 === 0 ? samples : null,
      undefinedWeights,
    };
  });
  const facts = {
    provenance: { kind: "surface", version: 1, options: {}, seed: null, inputs: {} },
    engines: [{ name: "tfjs", backend: "cpu", batchSize: 8, threads: 1 }],
  };
  const kinds = await Promise.all(
    [
      [curvePointTiles, points],
      [approximatedPointTiles, approximated],
    ].map(async ([codec, all], i) => {
      const file = join(context.folder, `j${i}.arrow`);
      const journal = await openTileJournal(file, facts, ["acc"], codec);
      for (const point of all) await journal.add(point);
      await journal.flush();
      const tile = join(context.folder, `.j${i}.arrow.tiles/000000.arrow`);
      return {
        codec,
        file,
        tile,
        bytes: readFileSync(tile),
        artifact: await readArtifact(tile),
        value: await readInterrupted(file, codec),
      };
    }),
  );
  return async (random) => {
    const { codec, file, tile, bytes, artifact, value } = random.pick(kinds);
    const isBytes = random.next() < 0.5;
    if (isBytes) writeFileSync(tile, damageBytes(bytes, random));
    else await writeDamaged(tile, damageArtifact(artifact, random));
    const got = await readInterrupted(file, codec);
    if (isBytes) expectEqual(context, got, value, "other points of an interrupted surface");
    else for (const { index, value: one } of got?.points ?? []) checkPoint(index, one);
  };
}

function checkPoint(index, value) {
  // −1 is θ* itself.
  if (!Number.isInteger(index)) throw new WrongValue(`a point ${index}`);
  if (value !== null && typeof value.loss !== "number") throw new WrongValue(`a loss ${value.loss}`);
}

function cutSurface({ sample }) {
  const [name] = readdirSync(join(sample, "cut/surfaces")).filter((one) => one.endsWith(".tiles"));
  return name.slice(1).replace(".tiles", "");
}

/** Readers of the examples throw plain errors that name the file. */
async function namingFile(file, work) {
  try {
    return await work();
  } catch (error) {
    throw error.constructor === Error &&
      /expected .*, got /.test(error.message) &&
      error.message.startsWith(file)
      ? Object.assign(error, { isOurs: true })
      : error;
  }
}

async function damagedIdx({ folder }) {
  const file = join(folder, "idx");
  const images = Buffer.concat([
    Buffer.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]),
    Buffer.alloc(60, 7),
  ]);
  const labels = Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0, 9]), Buffer.alloc(9, 3)]);
  return (random) =>
    namingFile(file, async () => {
      const bytes = damageBytes(random.pick([images, labels]), random);
      writeFileSync(file, bytes);
      const { shape, data } = readIdx(file);
      const head = Buffer.alloc(4 + 4 * shape.length);
      head.set([0, 0, 8, shape.length]);
      for (const [axis, length] of shape.entries()) head.writeUInt32BE(length, 4 + 4 * axis);
      if (!Buffer.concat([head, data]).equals(bytes))
        throw new WrongValue("IDX values that are not the file's");
    });
}

async function damagedCifar({ folder }) {
  await tf.setBackend("cpu");
  const file = join(folder, "cifar.bin");
  const record = Buffer.from([3, ...Array.from({ length: 3072 }, (_, i) => i % 251)]);
  const whole = Buffer.concat([record, record]);
  return (random) =>
    namingFile(file, async () => {
      const bytes = damageBytes(whole, random);
      if (random.next() < 0.5) bytes[0] = random.below(256);
      writeFileSync(
        file,
        random.next() < 0.3 ? bytes : Buffer.concat([bytes, whole]).subarray(0, whole.length),
      );
      const { xs, ys } = loadCifar10(file);
      const [pixels, labels] = [xs.dataSync(), Array.from(ys.argMax(1).dataSync())];
      tf.dispose([xs, ys]);
      const stored = readFileSync(file);
      labels.forEach((label, i) => {
        if (label !== stored[3073 * i]) throw new WrongValue("another label");
        if (Math.round(pixels[3072 * i] * 255) !== stored[3073 * i + 1])
          throw new WrongValue("another pixel");
      });
    });
}

async function damagedLock({ folder, sample }) {
  const directory = join(folder, "run");
  cpSync(join(sample, "two"), directory, { recursive: true });
  const whole = Buffer.from(
    JSON.stringify({ pid: process.pid, host: "elsewhere", started: "boot 1", id: "x" }),
  );
  return async (random) => {
    writeFileSync(join(directory, ".writer.lock"), damageBytes(whole, random));
    const answer = await isRunInUse(directory);
    if (typeof answer !== "boolean") throw new WrongValue(String(answer));
  };
}

const WORDS = [
  "",
  " ",
  "-",
  "--",
  "0",
  "1",
  "-1",
  "2",
  "1.5",
  "1e9",
  "1e999",
  "99999999",
  "99999999x99999999",
  "NaN",
  "Infinity",
  "none",
  "auto",
  "all",
  "0..9",
  "0..99999999",
  "9..0",
  "-1:1:5",
  "-1:1:99999999",
  "0:1:5,0:1:5",
  "1:1:3",
  "a:b:c",
  "::",
  "bias,scale",
  "kernel",
  "svg",
  "png",
  "html",
  "pca",
  "random",
  "models",
  "newest",
  "final",
  "mean",
  "\u0000",
  "\u001b[31m",
  "../x",
  "x".repeat(300),
  "RUN@",
  "@1",
  "1,2",
  "1,1",
  "__proto__",
  "constructor",
  "=",
  "--=",
  "-h1",
]; // prettier-ignore

/** Commands, their options and values, in any order: on a run, its parts, and on what is none. */
async function commandLines({ folder, sample }) {
  process.chdir(folder);
  const run = join(folder, "run");
  cpSync(join(sample, "two"), run, { recursive: true });
  writeFileSync(join(folder, "report.html"), "");
  const data = fileURLToPath(new URL("../cli/fixtures/tiny-data.js", import.meta.url));
  const written = { text: "" };
  const [out, err] = [process.stdout.write, process.stderr.write];
  const call = async (args) => {
    written.text = "";
    const take = (text) => {
      written.text += String(text);
      return true;
    };
    process.stdout.write = take;
    process.stderr.write = take;
    try {
      return await main(args);
    } finally {
      process.stdout.write = out;
      process.stderr.write = err;
    }
  };
  await call(["--help"]);
  const commands = [...written.text.matchAll(/^ {2}([a-z]+) \[/gm)]
    .map(([, name]) => name)
    .filter((name) => name !== "help");
  const options = new Map();
  for (const command of commands) {
    await call([command, "--help"]);
    options.set(
      command,
      [...written.text.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, name]) => name),
    );
  }
  // What exists is only given to commands that compute nothing with it.
  const cheap = new Set(["inspect", "clean"]);
  return async (random) => {
    const command = random.next() < 0.95 ? random.pick(commands) : random.pick(WORDS);
    const args = [command];
    const places = cheap.has(command)
      ? [run, `${run}@1`, `${run}@0..2`, `${run}@9`]
      : ["missing", "missing@1"];
    const words = random.next() < 0.5 ? places : [...places, "", data, ...WORDS];
    if (random.next() < 0.9) args.push(random.pick(words));
    if (command === "clean") args.push("--dry-run");
    if (command === "demo") args.push("--out", folder);
    for (let count = random.below(5); count > 0; count--) {
      const option = random.pick(options.get(command) ?? ["--json"]);
      if (option === "--overwrite" || option === "--out") continue;
      // A worker on any folder waits there for ever, as it should.
      if (command === "worker" && option === "--spool") continue;
      const value = option === "--data" && random.next() < 0.5 ? data : random.pick(WORDS);
      const form = random.next();
      if (form < 0.4) args.push(option, value);
      else if (form < 0.7) args.push(`${option}=${value}`);
      else if (form < 0.9) args.push(option);
      else args.push(value);
    }
    if (process.env.LANDSCAPE_FUZZ_SHOW !== undefined) process.stderr.write(`${JSON.stringify(args)}\n`);
    const status = await call(args);
    if (status === 1) throw new Error(`${JSON.stringify(args)}: ${written.text.slice(0, 1200)}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not reach a terminal.
    if (/\u001b|\u0000/.test(written.text))
      throw new WrongValue(`${JSON.stringify(args)}: raw control codes`);
    if (status !== 0) throw Object.assign(new Error(written.text), { isOurs: true });
  };
}

/** Targets by name, with their share of the cases in thousandths. */
export const TARGETS = {
  "run.json, bytes": (context) => damagedManifest(context, damageBytes),
  "run.json, structure, model rebuilt": async (context) => {
    await tf.setBackend("cpu");
    const damage = (bytes, random) => JSON.stringify(damageJson(JSON.parse(bytes), random));
    return damagedManifest(context, damage, rebuild);
  },
  snapshots: damagedSnapshots(
    ({ sample }) => ["one", "half"].flatMap((run) => filesIn(join(sample, run, "snapshots"))),
    true,
  ),
  "snapshots of version 1": damagedSnapshots(() => filesIn(join(golden, "snapshots")), false),
  "results, bytes": damagedResults(({ sample }) => sample),
  "results of version 1, bytes": damagedResults(() => golden),
  "results, structure": damagedStructure,
  "a run with a damaged result, drawn": damagedFolder,
  journals: damagedTiles,
  "IDX files": damagedIdx,
  "CIFAR files": damagedCifar,
  locks: damagedLock,
  "command lines": commandLines,
};

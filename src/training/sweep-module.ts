import { InvalidOptionError, messageOf } from "../base/errors.js";
import { importModule } from "../base/import-module.js";
import { canonicalJson, sha256 } from "../base/provenance.js";

/** A value of a setting. */
export type SettingValue = string | number | boolean | null;

/** One training of a sweep: values by the name of the setting. */
export type SweepSettings = Readonly<Record<string, SettingValue>>;

/** What a training is told beside its settings. */
export interface SweepTask {
  /** Absolute path of the run directory that `train` records into. It does not exist yet. */
  readonly directory: string;
  /** Name of the run, from the settings that vary: "optimizer=adam, rate=0.001". */
  readonly name: string;
}

/** What a training may return: figures of its result by name, such as `{ test_acc: 0.91 }`. */
export type SweepFigures = Readonly<Record<string, number>>;

/** What a sweep's module exports: the settings, and how one training is done. One of `grid` and `list` is needed. */
export interface Sweep<S extends SweepSettings = SweepSettings> {
  /** Values of each setting: every combination is trained, in this order, the last setting fastest. */
  readonly grid?: { readonly [K in keyof S]: readonly S[K][] } | undefined;
  /** The combinations one by one. */
  readonly list?: readonly S[] | undefined;
  /**
   * Trains one network, in a process of its own, and records it into `task.directory`.
   *
   * What it returns stands in the comparison beside what the last snapshot logged.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a training need not return anything.
  train(settings: S, task: SweepTask): Promise<SweepFigures | void>;
}

/**
 * Returns a sweep as it is, with its settings typed by the grid or the list: for `export default`.
 *
 * @example
 * export default defineSweep({
 *   grid: { optimizer: ["sgd", "adam"], learningRate: [0.01, 0.001] },
 *   async train({ optimizer, learningRate }, { directory, name }) {
 *     const network = tf.sequential({ layers: [tf.layers.dense({ units: 10, inputShape: [784] })] });
 *     network.compile({ optimizer: tf.train[optimizer](learningRate), loss: "meanSquaredError" });
 *     await network.fit(xs, ys, { callbacks: [trajectoryCallback({ directory, name })] });
 *   },
 * });
 */
export function defineSweep<const S extends SweepSettings>(sweep: Sweep<S>): Sweep<S> {
  return sweep;
}

/** One training that a sweep asks for. */
export interface PlannedSetting {
  readonly settings: SweepSettings;
  /** "optimizer=adam, rate=0.001". */
  readonly name: string;
  /** Folder of its run: "optimizer=adam_rate=0.001". */
  readonly folder: string;
}

/** A sweep's module as it was read. */
export interface SweepPlan {
  readonly settings: readonly PlannedSetting[];
  /** sha-256 (hex) of the text of `train`. What `train` calls is not in it. */
  readonly trainDigest: string;
}

/**
 * Imports a sweep's module: its default export, or its exports themselves.
 *
 * @param file - absolute path.
 * @throws {@link InvalidOptionError} if it cannot be loaded or is no sweep.
 */
export async function importSweep(file: string): Promise<Sweep> {
  let loaded: Record<string, unknown>;
  try {
    loaded = await importModule(file);
  } catch (cause) {
    const message = messageOf(cause);
    throw new InvalidOptionError(file, "a module that loads", `an error: ${message}`, { cause });
  }
  const inner = loaded.default;
  const sweep =
    typeof loaded.train !== "function" && typeof inner === "object" && inner !== null ? inner : loaded;
  const { train, grid, list } = sweep as Record<string, unknown>;
  const names = Object.keys(sweep).join(", ") || "nothing";
  if (typeof train !== "function") {
    throw new InvalidOptionError(file, "a sweep with a function train(settings, task)", `exports ${names}`);
  }
  if ((grid === undefined) === (list === undefined)) {
    const got = grid === undefined ? `exports ${names}` : "both";
    throw new InvalidOptionError(file, "one of grid and list", got);
  }
  return sweep as Sweep;
}

/** Values that are trained in place of those of the grid, by the name of the setting. */
export type SweepValues = Readonly<Record<string, readonly SettingValue[]>>;

/**
 * Returns every training that a sweep asks for, each with a folder of its own.
 *
 * @param where - the module, for messages.
 * @param values - in place of those of the grid. Default none.
 * @throws {@link InvalidOptionError} naming what cannot be used: no values, a value that is no string, number, boolean or
 * null, settings of different names, one combination twice.
 */
export function planSweep(sweep: Sweep, where: string, values: SweepValues = {}): SweepPlan {
  const all =
    sweep.grid === undefined
      ? listed(sweep.list, where, values)
      : combined(withValues(sweep.grid, values, where), where);
  const varying = Object.keys(all[0] ?? {}).filter((name) => all.some((one) => one[name] !== all[0]?.[name]));
  const settings = all.map((one) => ({
    settings: one,
    name: settingsName(one, varying),
    folder: settingsFolder(one),
  }));
  const seen = new Map<string, string>();
  for (const { folder, name } of settings) {
    // Systems that do not tell "SGD" from "sgd" would put both into one folder.
    const key = folder.toLowerCase();
    const other = seen.get(key);
    if (other !== undefined) {
      const got = other === name ? `${name} twice` : `${other} and ${name}, which share a folder`;
      throw new InvalidOptionError(where, "each combination of settings once", got);
    }
    seen.set(key, name);
  }
  return { settings, trainDigest: sha256(String(sweep.train)) };
}

function withValues(grid: unknown, values: SweepValues, where: string): unknown {
  if (typeof grid !== "object" || grid === null) return grid;
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(grid, name));
  if (unknown === undefined) return { ...grid, ...values };
  const expected = `settings of ${where} (${Object.keys(grid).join(", ")})`;
  throw new InvalidOptionError("set", expected, `"${unknown}"`);
}

function combined(grid: unknown, where: string): SweepSettings[] {
  if (typeof grid !== "object" || grid === null || Array.isArray(grid)) {
    throw new InvalidOptionError(`${where}: grid`, "values by the name of the setting", typeOf(grid));
  }
  const names = Object.entries(grid as Record<string, unknown>);
  if (names.length === 0) throw new InvalidOptionError(`${where}: grid`, "at least one setting", "none");
  return names.reduce<SweepSettings[]>(
    (found, [name, values]) => {
      if (!Array.isArray(values) || values.length === 0) {
        const got = Array.isArray(values) ? "none" : typeOf(values);
        throw new InvalidOptionError(`${where}: grid.${name}`, "a list of values", got);
      }
      for (const value of values) checkValue(value, `${where}: grid.${name}`);
      return found.flatMap((one) => values.map((value: SettingValue) => ({ ...one, [name]: value })));
    },
    [{}],
  );
}

function listed(list: unknown, where: string, values: SweepValues): SweepSettings[] {
  if (Object.keys(values).length > 0) {
    throw new InvalidOptionError("set", "a sweep with a grid", `the list of ${where}`);
  }
  if (!Array.isArray(list) || list.length === 0) {
    const got = Array.isArray(list) ? "none" : typeOf(list);
    throw new InvalidOptionError(`${where}: list`, "at least one combination of settings", got);
  }
  const namesOf = (one: object): string => Object.keys(one).sort().join(", ");
  list.forEach((one: unknown, i) => {
    if (typeof one !== "object" || one === null || Object.keys(one).length === 0) {
      throw new InvalidOptionError(`${where}: list[${i}]`, "settings by name", typeOf(one));
    }
    for (const [name, value] of Object.entries(one)) checkValue(value, `${where}: list[${i}].${name}`);
    if (namesOf(one) !== namesOf(list[0])) {
      throw new InvalidOptionError(`${where}: list[${i}]`, `the settings ${namesOf(list[0])}`, namesOf(one));
    }
  });
  return list as SweepSettings[];
}

function checkValue(value: unknown, where: string): void {
  const isPlain = value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
  if (isPlain) return;
  throw new InvalidOptionError(where, "a string, a finite number, a boolean or null", typeOf(value));
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return String(value);
  return Array.isArray(value) ? "a list" : `${/^[aeiou]/.test(typeof value) ? "an" : "a"} ${typeof value}`;
}

/** "optimizer=adam, rate=0.001": what varies in the sweep; everything where nothing does. */
function settingsName(settings: SweepSettings, varying: readonly string[]): string {
  return Object.entries(settings)
    .filter(([name]) => varying.length === 0 || varying.includes(name))
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

/** Longest name of a folder before its digest. */
const LONGEST = 100;

/** The name as a folder, whatever the order of settings; with a digest where it would not tell settings apart. */
function settingsFolder(settings: SweepSettings): string {
  const entries = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = entries.map(([name, value]) => `${name}=${value}`).join("_");
  const isExact =
    text.length <= LONGEST &&
    entries.every(([name, value]) => {
      const isWord =
        typeof value !== "string" || /^(?!(?:true|false|null)$)[A-Za-z][A-Za-z0-9.-]*$/.test(value);
      return isWord && /^[A-Za-z][A-Za-z0-9]*$/.test(name);
    });
  if (isExact) return text;
  const safe = text.replace(/[^\w.=+-]/g, "-").slice(0, LONGEST);
  return `${safe}_${sha256(canonicalJson(settings)).slice(0, 8)}`;
}

/** The unit of every entry that must stay where it is: inputs, outputs, and what unknown layers read. */
export const FIXED = 0;

/**
 * Units of a network while its graph is traced: which entries of which axes belong to the same unit, and which
 * units must move together (union–find).
 *
 * An axis is an Int32Array with the unit of each of its entries. Entries of one unit keep their order.
 */
export interface UnitTable {
  /** Returns new units of one layer, `count` of them, in order. */
  fresh(layer: string, count: number): Int32Array;
  /** Makes the units of two axes the same, entry by entry. */
  tie(a: Int32Array, b: Int32Array): void;
  /** Makes units fixed. */
  fix(units: Int32Array): void;
  /** The unit that stands for `unit` and all that is tied to it. */
  rootOf(unit: number): number;
  /** Names of the layers that units come from, by root: a layer twice where two of its units are tied. */
  originsByRoot(): ReadonlyMap<number, readonly string[]>;
}

/** Starts a table with the fixed unit alone. */
export function createUnitTable(): UnitTable {
  const parents = [FIXED];
  const origins = [""];
  const rootOf = (unit: number): number => {
    let root = unit;
    while (parents[root] !== root) root = parents[root];
    for (let at = unit; at !== root; ) [at, parents[at]] = [parents[at], root];
    return root;
  };
  const join = (a: number, b: number): void => {
    const [low, high] = [rootOf(a), rootOf(b)].sort((x, y) => x - y);
    // The fixed unit has the lowest number and stays a root.
    parents[high] = low;
  };
  return {
    fresh(layer, count) {
      return Int32Array.from({ length: count }, () => {
        origins.push(layer);
        return parents.push(parents.length) - 1;
      });
    },
    tie(a, b) {
      for (let i = 0; i < a.length; i++) join(a[i], b[i]);
    },
    fix(units) {
      for (const unit of units) join(unit, FIXED);
    },
    rootOf,
    originsByRoot() {
      const found = new Map<number, string[]>();
      for (let unit = 1; unit < parents.length; unit++) {
        const root = rootOf(unit);
        found.set(root, [...(found.get(root) ?? []), origins[unit]]);
      }
      return found;
    },
  };
}

/** An axis of so many fixed entries. */
export function fixedAxis(length: number): Int32Array {
  return new Int32Array(length).fill(FIXED);
}

/** An axis that repeats another one: channels at each position, gates of a recurrent layer. */
export function repeated(units: Int32Array, times: number): Int32Array {
  const out = new Int32Array(units.length * times);
  for (let i = 0; i < times; i++) out.set(units, i * units.length);
  return out;
}

/** An axis with each entry of another one so many times in a row: the multipliers of a depthwise convolution. */
export function stretched(units: Int32Array, times: number): Int32Array {
  return Int32Array.from({ length: units.length * times }, (_, i) => units[Math.floor(i / times)]);
}

/** Axes behind each other. */
export function joined(axes: readonly Int32Array[]): Int32Array {
  return Int32Array.from(axes.flatMap((axis) => [...axis]));
}

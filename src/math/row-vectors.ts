import { BackendError } from "../base/errors.js";
import {
  type Code,
  encodeWasmModule,
  get,
  i32,
  integer,
  scalar,
  set,
  vector,
  type WasmFunction,
  whileTrue,
} from "./wasm-code.js";

/** The part of WebAssembly that is used; TypeScript describes it among the types of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, object>>>>,
  ) => { readonly exports: object };
};

/** Columns of N rows in the memory of the kernels. */
export interface RowTile {
  /** From the first column of the first row on. */
  readonly values: Float32Array;
  /** float32 values from one row to the next. */
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Kernels over columns of N float32 rows, four values at a time; every sum is float64. They work on arrays of
 * their own memory, which lives as long as one of them.
 *
 * Compiled loops of JavaScript take one value at a time: 5 times as long.
 */
export interface RowVectors {
  /** A new array of zeros in the kernels' memory. */
  float32(length: number): Float32Array;
  /** A new array of zeros in the kernels' memory. */
  float64(length: number): Float64Array;
  /**
   * Writes every row minus one of them, rounded to float32, into `out` (rows, columns), and ‖θ_i − θ_{i−1}‖² into
   * `squares` (rows); [0] is 0.
   */
  subtractRowInto(out: Float32Array, squares: Float64Array, tile: RowTile, row: number): void;
  /** Adds Σ_i weights[m][i]·θ_i into each of the sums, arrays of one entry more than there are columns. */
  addCombinationsInto(sums: readonly Float64Array[], tile: RowTile, weights: readonly Float64Array[]): void;
  /**
   * Writes ‖θ_i − c‖² and the products (θ_i − c)·d_a into `out` (rows, 1 + k).
   *
   * @param about - (1 + k, columns): c, then the vectors d_a.
   */
  differenceProductsInto(out: Float64Array, tile: RowTile, about: Float32Array): void;
}

/** What the module exports; all arguments are addresses, lengths in bytes, or counts. */
interface Exports {
  subtractRow(
    out: number,
    squares: number,
    rows: number,
    stride: number,
    n: number,
    bytes: number,
    row: number,
  ): void;
  combineOne(sum: number, rows: number, stride: number, n: number, bytes: number, weights: number): void;
  combineTwo(
    first: number,
    second: number,
    rows: number,
    stride: number,
    n: number,
    bytes: number,
    weights: number,
    weights2: number,
  ): void;
  differenceProducts(
    out: number,
    rows: number,
    stride: number,
    n: number,
    bytes: number,
    about: number,
  ): void;
}

const PAGE = 65_536;
/** Arrays begin at multiples of this; a vector may be read from beyond the end of the last one. */
const ALIGNMENT = 64;

/** How many bytes of the kernels' memory an array takes at most. */
export function arrayBytes(type: "float32" | "float64", length: number): number {
  return (type === "float32" ? 4 : 8) * length + ALIGNMENT;
}

/**
 * Returns kernels with a memory of their own.
 *
 * @param bytes - what the arrays take together: a sum of {@link arrayBytes}.
 * @param directions - k of `differenceProductsInto`. Default 0.
 * @throws {@link BackendError} where the system gives no memory, or Node.js runs without WebAssembly.
 */
export function createRowVectors(bytes: number, directions = 0): RowVectors {
  const memory = createMemory(Math.ceil((bytes + 2 * ALIGNMENT) / PAGE));
  const { exports } = new WebAssembly.Instance(moduleFor(directions), { env: { memory } });
  const kernels = exports as Exports;
  let used = ALIGNMENT;
  const take = (size: number): number => {
    const at = used;
    used = ALIGNMENT * Math.ceil((at + size) / ALIGNMENT);
    return at;
  };
  return {
    float32: (length) => new Float32Array(memory.buffer, take(4 * length), length),
    float64: (length) => new Float64Array(memory.buffer, take(8 * length), length),
    subtractRowInto(out, squares, { values, stride, rows, columns }, row) {
      const [at, next] = [values.byteOffset, 4 * stride];
      kernels.subtractRow(out.byteOffset, squares.byteOffset, at, next, rows, 4 * columns, at + row * next);
    },
    addCombinationsInto(sums, { values, stride, rows, columns }, weights) {
      const shape = [values.byteOffset, 4 * stride, rows, 4 * columns] as const;
      const paired = sums.length - (sums.length % 2);
      for (let m = 0; m < paired; m += 2) {
        const [u, v] = [weights[m].byteOffset, weights[m + 1].byteOffset];
        kernels.combineTwo(sums[m].byteOffset, sums[m + 1].byteOffset, ...shape, u, v);
      }
      for (let m = paired; m < sums.length; m++) {
        kernels.combineOne(sums[m].byteOffset, ...shape, weights[m].byteOffset);
      }
    },
    differenceProductsInto(out, { values, stride, rows, columns }, about) {
      const at = values.byteOffset;
      kernels.differenceProducts(out.byteOffset, at, 4 * stride, rows, 4 * columns, about.byteOffset);
    },
  };
}

function createMemory(pages: number): { readonly buffer: ArrayBuffer } {
  try {
    return new WebAssembly.Memory({ initial: pages });
  } catch (cause) {
    throw new BackendError("kernels of rows", `${pages / 16} MiB of WebAssembly memory`, String(cause), {
      hint: "where address space is limited (ulimit -v), NODE_OPTIONS=--disable-wasm-trap-handler needs less of it",
      cause,
    });
  }
}

const modules = new Map<number, object>();

function moduleFor(directions: number): object {
  const known = modules.get(directions);
  if (known !== undefined) return known;
  const functions = [subtractRow, combineOne, combineTwo, differenceProducts(directions)];
  const compiled = new WebAssembly.Module(encodeWasmModule(functions));
  modules.set(directions, compiled);
  return compiled;
}

/** Adds to an integer variable. */
const advance = (index: number, by: Code): Code => set(index, i32.add(get(index), by));

/** The addresses of a row and of those after it. */
const nextRows = (row: number, stride: number, places: readonly number[]): Code =>
  places.map((place, i) => set(place, i === 0 ? get(row) : i32.add(get(places[i - 1]), get(stride))));

/**
 * Sums over the columns of a row are four, of every fourth column each: two vectors. Their total is that of the
 * loops of row-kernels.ts, bit for bit.
 */
const totalOf = (first: Code, low: number, high: number): Code => {
  const right = scalar.add(vector.lane(get(high), 0), vector.lane(get(high), 1));
  return scalar.add(scalar.add(first, vector.lane(get(low), 1)), right);
};

/** Four rows at a time: each value is read and widened once for the two steps that it ends. */
const subtractRow: WasmFunction = {
  name: "subtractRow",
  parameters: ["out", "squares", "row", "stride", "n", "bytes", "center"],
  locals: {
    ...{
      previous: "i32",
      before: "i32",
      q: "i32",
      end: "i32",
      whole: "i32",
      vq: "v128",
      x: "v128",
      y: "v128",
    },
    ...{ r0: "i32", r1: "i32", r2: "i32", r3: "i32", o0: "i32", o1: "i32", o2: "i32", o3: "i32" },
    ...{ low0: "v128", low1: "v128", low2: "v128", low3: "v128", s0: "f64", s1: "f64", s2: "f64", s3: "f64" },
    ...{ high0: "v128", high1: "v128", high2: "v128", high3: "v128", a: "f64", b: "f64" },
  },
  body: ({
    out,
    squares,
    row,
    stride,
    n,
    bytes,
    center,
    previous,
    before,
    q,
    end,
    whole,
    vq,
    x,
    y,
    a,
    b,
    ...v
  }) => {
    const add = (count: 1 | 4): Code => {
      const ordinals = Array.from({ length: count }, (_, i) => i);
      const named = (name: string): number[] => ordinals.map((i) => v[`${name}${i}`]);
      const [rows, outs, low, high, sums] = ["r", "o", "low", "high", "s"].map(named);
      // The row before stands in x for even rows, in y for odd ones.
      const addSteps = (totals: readonly number[], offset: number): Code => [
        set(x, vector.loadPromoted(get(before), offset)),
        ordinals.map((i) => {
          const [now, last] = i % 2 === 0 ? [y, x] : [x, y];
          const step = vector.subtract(get(now), get(last));
          return [
            set(now, vector.loadPromoted(get(rows[i]), offset)),
            set(last, step),
            set(totals[i], vector.add(get(totals[i]), vector.multiply(get(last), get(last)))),
          ];
        }),
      ];
      const value = (address: number): Code => scalar.promote(scalar.loadFloat32(get(address)));
      const onward = (by: number): Code =>
        [...rows, ...outs, before, q].map((address) => advance(address, integer(by)));
      return [
        nextRows(row, stride, rows),
        nextRows(out, bytes, outs),
        set(before, get(previous)),
        set(q, get(center)),
        [...low, ...high].map((sum) => set(sum, vector.zero)),
        set(end, i32.add(get(row), get(bytes))),
        set(whole, i32.add(get(row), i32.and(get(bytes), integer(-16)))),
        whileTrue(i32.isBelow(get(v.r0), get(whole)), [
          set(vq, vector.load(get(q))),
          ordinals.map((i) =>
            vector.store(get(outs[i]), vector.subtractFloat32(vector.load(get(rows[i])), get(vq))),
          ),
          addSteps(low, 0),
          addSteps(high, 8),
          onward(16),
        ]),
        ordinals.map((i) => set(sums[i], vector.lane(get(low[i]), 0))),
        whileTrue(i32.isBelow(get(v.r0), get(end)), [
          set(a, value(before)),
          ordinals.map((i) => [
            scalar.storeFloat32(
              get(outs[i]),
              scalar.subtractFloat32(scalar.loadFloat32(get(rows[i])), scalar.loadFloat32(get(q))),
            ),
            set(b, scalar.subtract(value(rows[i]), get(a))),
            set(sums[i], scalar.add(get(sums[i]), scalar.multiply(get(b), get(b)))),
            set(a, value(rows[i])),
          ]),
          onward(4),
        ]),
        ordinals.map((i) => scalar.storeFloat64(get(squares), totalOf(get(sums[i]), low[i], high[i]), 8 * i)),
        set(previous, i32.add(get(row), i32.multiply(get(stride), integer(count - 1)))),
        advance(row, i32.multiply(get(stride), integer(count))),
        advance(out, i32.multiply(get(bytes), integer(count))),
        advance(squares, integer(8 * count)),
        advance(n, integer(-count)),
      ];
    };
    return [
      set(previous, get(row)),
      whileTrue(i32.isBelow(integer(3), get(n)), add(4)),
      whileTrue(get(n), add(1)),
    ];
  },
};

/** Row by row, in their order; each sum is read and written once for four of them. */
const combineOne: WasmFunction = {
  name: "combineOne",
  parameters: ["sum", "row", "stride", "n", "bytes", "weights"],
  locals: {
    ...{ r0: "i32", r1: "i32", r2: "i32", r3: "i32", end: "i32", to: "i32" },
    ...{ w0: "v128", w1: "v128", w2: "v128", w3: "v128" },
  },
  body: ({ sum, row, stride, n, bytes, weights, r0, r1, r2, r3, end, to, w0, w1, w2, w3 }) => {
    const add = (places: readonly number[], factors: readonly number[]): Code => {
      const product = (i: number) => vector.multiply(get(factors[i]), vector.loadPromoted(get(places[i])));
      const total = places.reduce<Code>(
        (before, _, i) => vector.add(before, product(i)),
        vector.load(get(to)),
      );
      return [
        nextRows(row, stride, places),
        factors.map((factor, i) => set(factor, vector.loadSplat(get(weights), 8 * i))),
        set(end, i32.add(get(row), get(bytes))),
        set(to, get(sum)),
        whileTrue(i32.isBelow(get(r0), get(end)), [
          vector.store(get(to), total),
          places.map((place) => advance(place, integer(8))),
          advance(to, integer(16)),
        ]),
        advance(row, i32.multiply(get(stride), integer(places.length))),
        advance(weights, integer(8 * places.length)),
        advance(n, integer(-places.length)),
      ];
    };
    return [
      whileTrue(i32.isBelow(integer(3), get(n)), add([r0, r1, r2, r3], [w0, w1, w2, w3])),
      whileTrue(get(n), add([r0], [w0])),
    ];
  },
};

/** Four rows at a time: each value read serves twice. */
const combineTwo: WasmFunction = {
  name: "combineTwo",
  parameters: ["first", "second", "row", "stride", "n", "bytes", "weights", "weights2"],
  locals: {
    ...{ r0: "i32", r1: "i32", r2: "i32", r3: "i32", end: "i32", to: "i32", to2: "i32" },
    ...{ u0: "v128", u1: "v128", u2: "v128", u3: "v128", v0: "v128", v1: "v128", v2: "v128", v3: "v128" },
    ...{ x0: "v128", x1: "v128", x2: "v128", x3: "v128" },
  },
  body: ({ first, second, row, stride, n, bytes, weights, weights2, end, to, to2, ...v }) => {
    const places = [v.r0, v.r1, v.r2, v.r3];
    const values = [v.x0, v.x1, v.x2, v.x3];
    const u = [v.u0, v.u1, v.u2, v.u3];
    const w = [v.v0, v.v1, v.v2, v.v3];
    const add = (count: 1 | 4): Code => {
      const own = places.slice(0, count);
      const sum = (target: number, factors: readonly number[]): Code => {
        const p = own.map((_, i) => vector.multiply(get(factors[i]), get(values[i])));
        const total = count === 1 ? p[0] : vector.add(vector.add(p[0], p[1]), vector.add(p[2], p[3]));
        return vector.store(get(target), vector.add(vector.load(get(target)), total));
      };
      return [
        nextRows(row, stride, own),
        own.map((_, i) => [
          set(u[i], vector.loadSplat(get(weights), 8 * i)),
          set(w[i], vector.loadSplat(get(weights2), 8 * i)),
        ]),
        set(end, i32.add(get(row), get(bytes))),
        set(to, get(first)),
        set(to2, get(second)),
        whileTrue(i32.isBelow(get(v.r0), get(end)), [
          own.map((place, i) => set(values[i], vector.loadPromoted(get(place)))),
          sum(to, u),
          sum(to2, w),
          own.map((place) => advance(place, integer(8))),
          advance(to, integer(16)),
          advance(to2, integer(16)),
        ]),
        advance(row, i32.multiply(get(stride), integer(count))),
        advance(weights, integer(8 * count)),
        advance(weights2, integer(8 * count)),
        advance(n, integer(-count)),
      ];
    };
    return [whileTrue(i32.isBelow(integer(3), get(n)), add(4)), whileTrue(get(n), add(1))];
  },
};

function differenceProducts(k: number): WasmFunction {
  const ordinals = Array.from({ length: k + 1 }, (_, a) => a);
  const named = (type: "v128" | "f64" | "i32", ...names: string[]) =>
    Object.fromEntries(names.flatMap((name) => ordinals.map((a) => [`${name}${a}`, type])));
  return {
    name: "differenceProducts",
    parameters: ["out", "row", "stride", "n", "bytes", "about"],
    locals: {
      ...{ c: "i32", whole: "i32", a: "i32", d: "v128", rest: "f64" },
      ...named("i32", "at"),
      ...named("v128", "low", "high"),
      ...named("f64", "sum"),
    },
    body: ({ out, row, stride, n, bytes, about, c, whole, a, d, rest, ...v }) => {
      const at = (i: number): Code => get(v[`at${i}`]);
      const place: Code = [
        set(a, i32.add(get(row), get(c))),
        set(v.at0, i32.add(get(about), get(c))),
        ordinals.slice(1).map((i) => set(v[`at${i}`], i32.add(at(i - 1), get(bytes)))),
      ];
      const addVector = (half: "low" | "high", offset: number): Code => [
        set(d, vector.subtract(vector.loadPromoted(get(a), offset), vector.loadPromoted(at(0), offset))),
        ordinals.map((i) => {
          const other = i === 0 ? get(d) : vector.loadPromoted(at(i), offset);
          const sum = v[`${half}${i}`];
          return set(sum, vector.add(get(sum), vector.multiply(get(d), other)));
        }),
      ];
      const value = (address: Code): Code => scalar.promote(scalar.loadFloat32(address));
      return [
        set(whole, i32.and(get(bytes), integer(-16))),
        whileTrue(get(n), [
          ordinals.map((i) => [set(v[`low${i}`], vector.zero), set(v[`high${i}`], vector.zero)]),
          set(c, integer(0)),
          whileTrue(i32.isBelow(get(c), get(whole)), [
            place,
            addVector("low", 0),
            addVector("high", 8),
            advance(c, integer(16)),
          ]),
          ordinals.map((i) => set(v[`sum${i}`], vector.lane(get(v[`low${i}`]), 0))),
          whileTrue(i32.isBelow(get(c), get(bytes)), [
            place,
            set(rest, scalar.subtract(value(get(a)), value(at(0)))),
            ordinals.map((i) => {
              const product = scalar.multiply(get(rest), i === 0 ? get(rest) : value(at(i)));
              return set(v[`sum${i}`], scalar.add(get(v[`sum${i}`]), product));
            }),
            advance(c, integer(4)),
          ]),
          ordinals.map((i) =>
            scalar.storeFloat64(get(out), totalOf(get(v[`sum${i}`]), v[`low${i}`], v[`high${i}`]), 8 * i),
          ),
          advance(row, get(stride)),
          advance(out, integer(8 * ordinals.length)),
          advance(n, integer(-1)),
        ]),
      ];
    },
  };
}

/**
 * Writes small WebAssembly modules: functions of integers (addresses and counts) over one imported memory. Only the
 * instructions that the kernels of rows use.
 *
 * @see https://webassembly.github.io/spec/core/binary (version 2, with vectors of 128 bits).
 */

/** Instructions: bytes, nested as they were put together. */
export type Code = readonly (number | Code)[];

/** Types of a local variable. */
type LocalType = "i32" | "f64" | "v128";

const TYPES: Readonly<Record<LocalType, number>> = { i32: 0x7f, f64: 0x7c, v128: 0x7b };
const NO_RESULT = 0x40;

/** A function without a result. Its parameters are i32. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Further local variables, by name; all begin at 0. */
  readonly locals: Readonly<Record<string, LocalType>>;
  /** Given the index of each variable by its name. */
  readonly body: (index: Readonly<Record<string, number>>) => Code;
}

/** Returns the bytes of a module that imports the memory `env.memory` and exports the functions by their names. */
export function encodeWasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, list(parameters.map(() => TYPES.i32)), 0]);
  const bodies = functions.map((wasmFunction) => sized(encodeBody(wasmFunction)));
  return Uint8Array.from(
    flat([
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, types),
      section(2, [[text("env"), text("memory"), 2, 0, 1]]),
      section(
        3,
        functions.map((_, i) => unsigned(i)),
      ),
      section(
        7,
        functions.map(({ name }, i) => [text(name), 0, unsigned(i)]),
      ),
      section(10, bodies),
    ]),
  );
}

function encodeBody({ parameters, locals, body }: WasmFunction): Code {
  const names = [...parameters, ...Object.keys(locals)];
  const index = Object.fromEntries(names.map((name, i) => [name, i]));
  return [list(Object.values(locals).map((type) => [1, TYPES[type]])), body(index), 0x0b];
}

const section = (id: number, items: readonly Code[]): Code => [id, sized(list(items))];
const list = (items: Code): Code => [unsigned(items.length), items];
const sized = (code: Code): Code => [unsigned(flat(code).length), code];
const text = (value: string): Code => list([...value].map((letter) => letter.charCodeAt(0)));
const flat = (code: Code): number[] => code.flatMap((part) => (typeof part === "number" ? part : flat(part)));

/** LEB128 of an integer from 0 on. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value % 128) + 128, unsigned(Math.floor(value / 128))];
}

/** LEB128 of a signed integer of 32 bits. */
function signed(value: number): Code {
  const isLast = value >= -64 && value < 64;
  return isLast ? [value & 127] : [(value & 127) | 128, signed(value >> 7)];
}

/** Pushes a variable. */
export const get = (index: number): Code => [0x20, unsigned(index)];
/** Gives a variable a value. */
export const set = (index: number, value: Code): Code => [value, 0x21, unsigned(index)];
/** An integer. */
export const integer = (value: number): Code => [0x41, signed(value)];

const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [a, b, opcode];
const unary =
  (...opcode: number[]) =>
  (a: Code): Code => [a, opcode];
const loading =
  (alignment: number, ...opcode: number[]) =>
  (address: Code, offset = 0): Code => [address, opcode, alignment, unsigned(offset)];
const storing =
  (alignment: number, ...opcode: number[]) =>
  (address: Code, value: Code, offset = 0): Code => [address, value, opcode, alignment, unsigned(offset)];

/** Operations on integers of 32 bits. */
export const i32 = {
  add: binary(0x6a),
  multiply: binary(0x6c),
  and: binary(0x71),
  /** Whether a < b, both from 0 on. */
  isBelow: binary(0x49),
};

/** Operations on single floating-point numbers. */
export const scalar = {
  loadFloat32: loading(2, 0x2a),
  storeFloat32: storing(2, 0x38),
  subtractFloat32: binary(0x93),
  storeFloat64: storing(3, 0x39),
  promote: unary(0xbb),
  add: binary(0xa0),
  subtract: binary(0xa1),
  multiply: binary(0xa2),
};

/** Operations on vectors: four float32, or two float64. */
export const vector = {
  load: loading(2, 0xfd, 0),
  store: storing(2, 0xfd, 11),
  /** Two float32 from memory, as two float64. */
  loadPromoted: (address: Code, offset = 0): Code => [loading(2, 0xfd, 0x5d)(address, offset), 0xfd, 0x5f],
  /** One float64 from memory, twice. */
  loadSplat: loading(3, 0xfd, 10),
  zero: [0xfd, 12, new Array(16).fill(0)] as Code,
  subtractFloat32: binary(0xfd, 0xe5, 1),
  add: binary(0xfd, 0xf0, 1),
  subtract: binary(0xfd, 0xf1, 1),
  multiply: binary(0xfd, 0xf2, 1),
  /** One of the two float64. */
  lane: (value: Code, lane: 0 | 1): Code => [value, 0xfd, 0x21, lane],
};

/** Repeats the body while the condition holds. */
export function whileTrue(condition: Code, body: Code): Code {
  return [condition, 0x04, NO_RESULT, 0x03, NO_RESULT, body, condition, 0x0d, 0, 0x0b, 0x0b];
}

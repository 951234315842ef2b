/**
 * Bounds-checked reading of FlatBuffers tables, as much as Arrow's metadata needs.
 *
 * Libraries trust the offsets and counts that they find, so that one wrong byte in a damaged file can
 * mean billions of turns of a loop. Here every access goes through a DataView, which throws a
 * RangeError outside the buffer, and a vector must fit into the buffer before it is walked.
 */

/** A table in a FlatBuffer: the buffer and the table's position in it. */
export interface FlatTable {
  readonly view: DataView;
  readonly at: number;
}

/** A vector in a FlatBuffer: position of the first element, and their number. */
export interface FlatVector {
  readonly view: DataView;
  readonly start: number;
  readonly length: number;
}

/** The root table of a buffer. */
export function rootTable(bytes: Uint8Array): FlatTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { view, at: view.getUint32(0, true) };
}

/** Position of field number `index` of a table, or null where the table leaves it out. */
function fieldAt({ view, at }: FlatTable, index: number): number | null {
  const vtable = at - view.getInt32(at, true);
  const slot = 4 + 2 * index;
  if (slot + 2 > view.getUint16(vtable, true)) return null;
  const offset = view.getUint16(vtable + slot, true);
  return offset === 0 ? null : at + offset;
}

/** Field of one byte; 0 where left out. */
export function byteField(table: FlatTable, index: number): number {
  const at = fieldAt(table, index);
  return at === null ? 0 : table.view.getUint8(at);
}

/** Field of type int16; 0 where left out. */
export function int16Field(table: FlatTable, index: number): number {
  const at = fieldAt(table, index);
  return at === null ? 0 : table.view.getInt16(at, true);
}

/** Field of type int32; 0 where left out. */
export function int32Field(table: FlatTable, index: number): number {
  const at = fieldAt(table, index);
  return at === null ? 0 : table.view.getInt32(at, true);
}

/** Field of type int64; 0 where left out. */
export function int64Field(table: FlatTable, index: number): number {
  const at = fieldAt(table, index);
  return at === null ? 0 : int64At(table.view, at);
}

/** A non-negative int64 as a number. */
export function int64At(view: DataView, at: number): number {
  const value = Number(view.getBigInt64(at, true));
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`length or offset ${value}`);
  return value;
}

/** Field that holds a table, or null where left out. */
export function tableField(table: FlatTable, index: number): FlatTable | null {
  const at = fieldAt(table, index);
  return at === null ? null : indirect(table.view, at);
}

/** Field that holds a vector of elements of `elementSize` bytes; empty where left out. */
export function vectorField(table: FlatTable, index: number, elementSize: number): FlatVector {
  const { view } = table;
  const field = fieldAt(table, index);
  if (field === null) return { view, start: 0, length: 0 };
  const at = indirect(view, field).at;
  const length = view.getUint32(at, true);
  const start = at + 4;
  if (start + length * elementSize > view.byteLength) throw new RangeError(`vector of ${length}`);
  return { view, start, length };
}

/** Field that holds a vector of tables; empty where left out. */
export function tablesField(table: FlatTable, index: number): FlatTable[] {
  const { view, start, length } = vectorField(table, index, 4);
  return Array.from({ length }, (_, i) => indirect(view, start + 4 * i));
}

/** Field that holds a string; empty where left out. */
export function stringField(table: FlatTable, index: number): string {
  const { view, start, length } = vectorField(table, index, 1);
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + start, length));
}

function indirect(view: DataView, at: number): FlatTable {
  return { view, at: at + view.getUint32(at, true) };
}

/** Type of a column, as much of Arrow's types as this package writes. */
export interface ColumnType {
  /** "int32", "float64", "utf8", "map<utf8, float64>", "fixed_size_list<float32>", … */
  readonly name: string;
  /** Length of a fixed-size list, 0 for other types. */
  readonly width: number;
}

/** A column by name and type. */
export interface ColumnField {
  readonly name: string;
  readonly type: ColumnType;
}

/** Columns and metadata of an Arrow file. */
export interface FileSchema {
  readonly fields: readonly ColumnField[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Numbers of the tables' fields and of the types in Arrow's Schema.fbs. */
const schemaAt = { fields: 1, metadata: 2 } as const;
const keyValueAt = { key: 0, value: 1 } as const;
const schemaFieldAt = { name: 0, typeNumber: 2, type: 3, children: 5 } as const;
const typeNumber = { int: 2, float: 3, utf8: 5, struct: 13, fixedSizeList: 16, map: 17 } as const;

/** Deeper types than map → entries → value are not ours. */
const maximumDepth = 3;

/** Reads Arrow's Schema table. */
export function readFileSchema(table: FlatTable): FileSchema {
  const fields = tablesField(table, schemaAt.fields).map((field) => ({
    name: stringField(field, schemaFieldAt.name),
    type: readType(field, maximumDepth),
  }));
  const entries = tablesField(table, schemaAt.metadata).map((pair): [string, string] => [
    stringField(pair, keyValueAt.key),
    stringField(pair, keyValueAt.value),
  ]);
  return { fields, metadata: Object.fromEntries(entries) };
}

function readType(field: FlatTable, depth: number): ColumnType {
  const type = tableField(field, schemaFieldAt.type);
  const number = byteField(field, schemaFieldAt.typeNumber);
  if (type === null || depth === 0) return plain(`type ${number}`);
  const children = () =>
    tablesField(field, schemaFieldAt.children).map((child) => readType(child, depth - 1).name);
  switch (number) {
    case typeNumber.int:
      return plain(`${byteField(type, 1) === 0 ? "u" : ""}int${int32Field(type, 0)}`);
    case typeNumber.float:
      return plain(["float16", "float32", "float64"][int16Field(type, 0)] ?? "float");
    case typeNumber.utf8:
      return plain("utf8");
    case typeNumber.struct:
      return plain(children().join(", "));
    case typeNumber.map:
      return plain(`map<${children().join(", ")}>`);
    case typeNumber.fixedSizeList:
      return { name: `fixed_size_list<${children().join(", ")}>`, width: int32Field(type, 0) };
    default:
      return plain(`type ${number}`);
  }
}

function plain(name: string): ColumnType {
  return { name, width: 0 };
}

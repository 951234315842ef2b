import {
  byteField,
  type FlatTable,
  int16Field,
  int32Field,
  stringField,
  tableField,
  tablesField,
} from "./flat-table.js";

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
const fieldAt = { name: 0, typeNumber: 2, type: 3, children: 5 } as const;
const typeNumber = { int: 2, float: 3, utf8: 5, struct: 13, fixedSizeList: 16, map: 17 } as const;

/** Deeper types than map → entries → value are not ours. */
const maximumDepth = 3;

/** Reads Arrow's Schema table. */
export function readFileSchema(table: FlatTable): FileSchema {
  const fields = tablesField(table, schemaAt.fields).map((field) => ({
    name: stringField(field, fieldAt.name),
    type: readType(field, maximumDepth),
  }));
  const entries = tablesField(table, schemaAt.metadata).map((pair): [string, string] => [
    stringField(pair, keyValueAt.key),
    stringField(pair, keyValueAt.value),
  ]);
  return { fields, metadata: Object.fromEntries(entries) };
}

function readType(field: FlatTable, depth: number): ColumnType {
  const type = tableField(field, fieldAt.type);
  const number = byteField(field, fieldAt.typeNumber);
  if (type === null || depth === 0) return plain(`type ${number}`);
  const children = () => tablesField(field, fieldAt.children).map((child) => readType(child, depth - 1).name);
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

import type { SampleSource } from "../model/sample-source.js";
import type { DataColumn, DataColumns } from "./graph-program.js";
import { type Graph, sizeOf } from "./plan/graph.js";

/** Shapes of one sample, in the order of a model's inputs and of its targets. */
export interface ColumnShapes {
  readonly xs: readonly (readonly number[])[];
  readonly ys: readonly (readonly number[])[];
}

/** An evaluation set in plain arrays with its digest. */
export interface DataSet extends DataColumns {
  /** sha-256 (hex) of the data, or the user's `dataId`. */
  readonly digest: string;
}

/** Reads samples back from the TF.js backend into plain arrays: x0, x1, … and y0, y1, … */
export async function readColumns(source: SampleSource, { xs, ys }: ColumnShapes): Promise<DataColumns> {
  const columns = [
    ...xs.map((shape, i) => createColumn(`x${i}`, shape, source.samples)),
    ...ys.map((shape, i) => createColumn(`y${i}`, shape, source.samples)),
  ];
  let first = 0;
  await source.forEachBatch(async (batch) => {
    const tensors = [...batch.xs, ...batch.ys];
    const values = await Promise.all(tensors.map((tensor) => tensor.data()));
    values.forEach((part, i) => {
      const column = columns[i] as (typeof columns)[0];
      column.values.set(part, first * column.size);
    });
    first += batch.samples;
  });
  return { samples: source.samples, columns };
}

function createColumn(name: string, shape: readonly number[], samples: number) {
  const size = sizeOf(shape);
  return { name, shape, size, values: new Float32Array(samples * size) };
}

/** Returns the first samples of data, without copying. */
export function firstRows(data: DataColumns, samples: number): DataColumns {
  if (samples >= data.samples) return data;
  const columns = data.columns.map(({ name, shape, values }) => {
    const size = sizeOf(shape);
    return { name, shape, values: values.subarray(0, samples * size) };
  });
  return { samples, columns };
}

/** Returns copies of some samples of data. */
export function takeRows(data: DataColumns, rows: Int32Array): DataColumns {
  const columns = data.columns.map(({ name, shape, values }) => {
    const size = sizeOf(shape);
    const taken = new Float32Array(rows.length * size);
    rows.forEach((row, i) => {
      taken.set(values.subarray(row * size, (row + 1) * size), i * size);
    });
    return { name, shape, values: taken };
  });
  return { samples: rows.length, columns };
}

/** Whether a number in the data is NaN. */
export function hasNaN({ columns }: DataColumns): boolean {
  return columns.some(({ values }) => {
    for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
    return false;
  });
}

/** Cuts images to the size that a graph takes, from the top left corner. */
export function cutColumns(data: DataColumns, { nodes }: Graph): DataColumns {
  const columns = data.columns.map((column) => {
    const input = nodes.find((node) => node.op === "input" && node.name === column.name);
    return input === undefined ? column : cutImages(column, input.shape);
  });
  return { ...data, columns };
}

function cutImages(column: DataColumn, shape: readonly number[]): DataColumn {
  const { shape: whole, values } = column;
  if (whole.join() === shape.join()) return column;
  const [fullHeight, fullWidth] = whole as readonly [number, number, number];
  const [height, width, channels] = shape as readonly [number, number, number];
  const images = values.length / (fullHeight * fullWidth * channels);
  const cut = new Float32Array(images * height * width * channels);
  let to = 0;
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < height; row++) {
      const from = (image * fullHeight + row) * fullWidth * channels;
      cut.set(values.subarray(from, from + width * channels), to);
      to += width * channels;
    }
  }
  return { ...column, shape, values: cut };
}

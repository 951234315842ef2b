import { describe, expect, it } from "vitest";
import { InvalidDataError } from "../../src/base/errors.js";
import { readColumnBlocks, resolveBlockColumns } from "../../src/directions/column-selection.js";
import { memoryRowSource, type RowSource } from "../../src/directions/directions.js";

const rows = [0, 1, 2].map((i) => Float32Array.from({ length: 10 }, (_, c) => 100 * i + c));

/** A source that is read, with what was asked of it. */
function recorded(fail?: number): { source: RowSource; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const memory = memoryRowSource(rows);
  const source: RowSource = {
    rows: 3,
    columns: 10,
    async readBlockInto(start, count, out) {
      reads.push([start, count]);
      if (start === fail) throw new Error(`read at ${start}`);
      await memory.readBlockInto(start, count, out);
    },
  };
  return { source, reads };
}

describe("readColumnBlocks", () => {
  it.each([1, 3, 5, 10])("covers every column once in blocks of %d", async (blockColumns) => {
    const { source, reads } = recorded();
    for (const rowSource of [source, memoryRowSource(rows)]) {
      const seen = rows.map(() => [] as number[]);
      for await (const { start, count, rows: parts } of readColumnBlocks(rowSource, blockColumns)) {
        expect(start).toBe(seen[0].length);
        expect(parts.map((part) => part.length)).toEqual([count, count, count]);
        parts.forEach((part, i) => {
          seen[i].push(...part);
        });
      }
      expect(seen).toEqual(rows.map((row) => [...row]));
    }
    expect(reads.map(([, count]) => count).reduce((a, b) => a + b)).toBe(10);
  });

  it("reads the next block while the present one is worked on, and no further", async () => {
    const { source, reads } = recorded();
    const blocks = readColumnBlocks(source, 3);
    const first = await blocks.next();
    expect(reads).toEqual([
      [0, 3],
      [3, 3],
    ]);
    expect([...(first.value?.rows[1] ?? [])]).toEqual([100, 101, 102]);
    await blocks.return(undefined);
    expect(reads.length).toBe(2);
  });

  it("reports a failing read when its block is due, and only then", async () => {
    const { source } = recorded(3);
    const blocks = readColumnBlocks(source, 3);
    expect((await blocks.next()).value?.start).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(blocks.next()).rejects.toThrow("read at 3");
    const stopped = readColumnBlocks(recorded(3).source, 3);
    await stopped.next();
    await stopped.return(undefined);
  });

  it("stops when aborted", async () => {
    for (const source of [recorded().source, memoryRowSource(rows)]) {
      const controller = new AbortController();
      const blocks = readColumnBlocks(source, 3, controller.signal);
      await blocks.next();
      controller.abort(new Error("enough"));
      await expect(blocks.next()).rejects.toThrow("enough");
    }
  });
});

describe("resolveBlockColumns", () => {
  it("keeps a buffer within its budget", () => {
    expect(resolveBlockColumns({ rows: 10, columns: 1e6 })).toBe(2 ** 18);
    expect(resolveBlockColumns({ rows: 300, columns: 1e7 })).toBe(27_952);
    expect(resolveBlockColumns({ rows: 1000, columns: 1e7 })).toBe(8384);
    expect(resolveBlockColumns({ rows: 10_000, columns: 1e7 })).toBe(3344);
    for (const rows of [100, 300, 2000, 10_000, 1e6, 1e9]) {
      const blockColumns = resolveBlockColumns({ rows, columns: 1e7 });
      expect(blockColumns).toBeGreaterThanOrEqual(1);
      if (blockColumns > 1) expect(4 * rows * blockColumns).toBeLessThanOrEqual(128 * 2 ** 20);
    }
    expect(resolveBlockColumns({ rows: 10, columns: 7 })).toBe(7);
    expect(resolveBlockColumns({ rows: 10, columns: 70 }, 100)).toBe(70);
    expect(resolveBlockColumns({ rows: 1000, columns: 1e9 }, 1e6)).toBe(268_435);
  });
});

describe("memoryRowSource", () => {
  it("refuses rows of different lengths", () => {
    expect(() => memoryRowSource([rows[0], rows[1].subarray(1)])).toThrow(InvalidDataError);
    expect(() => memoryRowSource([rows[0], rows[1].subarray(1)])).toThrow(
      "row 1: expected 10 weights as in row 0, got 9",
    );
  });
});

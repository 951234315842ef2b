import { describe, expect, it } from "vitest";
import { rowSourceOfRuns } from "../../src/analysis/row-source.js";
import { InvalidDataError, LayoutError } from "../../src/base/errors.js";
import type { Run } from "../../src/store/run/run.js";
import { makeLayout } from "../support/layout.js";

const layout = makeLayout([
  { name: "a/kernel", shape: [2, 3] },
  { name: "a/bias", shape: [3] },
  { name: "b/kernel", shape: [3, 1] },
  { name: "bn/mean", shape: [2], role: "state", trainable: false },
]);

/** A run in memory: what the rows of runs need of one. */
function memoryRun(directory: string, thetas: readonly Float32Array[], digest = layout.digest): Run {
  const run: Pick<Run, "directory" | "layout" | "snapshots" | "readThetaInto"> = {
    directory,
    layout: { ...layout, digest },
    snapshots: thetas.map((_, step) => ({
      step,
      epoch: step,
      iteration: step,
      time: 0,
      learningRate: 1,
      logs: {},
    })),
    async readThetaInto(index, start, out) {
      out.set(thetas[index].subarray(start, start + out.length));
    },
  };
  return run as Run;
}

const thetas = (salt: number) =>
  [0, 1].map((i) => Float32Array.from({ length: 14 }, (_, c) => salt + 100 * i + c));

describe("rowSourceOfRuns", () => {
  it("stacks the snapshots of runs and reads any block of the chosen columns", async () => {
    const runs = [memoryRun("one", thetas(0)), memoryRun("two", thetas(1000))];
    const source = rowSourceOfRuns(runs, { columns: "all", ignore: ["bias"] });
    expect([source.rows, source.columns, source.runLengths]).toEqual([4, 11, [2, 2]]);
    const columns = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13];
    for (let start = 0; start < 11; start++) {
      for (let count = 1; start + count <= 11; count++) {
        const out = new Float32Array(4 * count);
        await source.readBlockInto(start, count, out);
        const wanted = [0, 100, 1000, 1100].flatMap((base) =>
          columns.slice(start, start + count).map((column) => base + column),
        );
        expect([...out]).toEqual(wanted);
      }
    }
  });

  it("reads 256 of thousands of snapshots at a time, and none any more when it ends with an error", async () => {
    let [busy, most, begun] = [0, 0, 0];
    let isBroken = false;
    const run: Run = {
      ...memoryRun(
        "long",
        Array.from({ length: 1000 }, (_, i) => Float32Array.of(i)),
      ),
      async readThetaInto(index, start, out) {
        begun++;
        most = Math.max(most, ++busy);
        await new Promise((done) => setTimeout(done, index % 3));
        busy--;
        if (isBroken && index === 300) throw new Error("snapshot 300");
        out[0] = 1000 * start + index;
      },
    };
    const source = rowSourceOfRuns([run], "all");
    const out = new Float32Array(1000);
    await source.readBlockInto(2, 1, out);
    expect([...out]).toEqual(Array.from(out, (_, i) => 2000 + i));
    expect([busy, most, begun]).toEqual([0, 256, 1000]);
    isBroken = true;
    await expect(source.readBlockInto(2, 1, out)).rejects.toThrow("snapshot 300");
    expect(busy).toBe(0);
    expect(begun).toBeLessThan(2000);
  });

  it("takes the trainable weights by default", () => {
    const runs = [memoryRun("one", thetas(0))];
    expect(rowSourceOfRuns(runs).columns).toBe(12);
    expect(rowSourceOfRuns(runs, "all").ranges).toEqual([{ start: 0, end: 14 }]);
  });

  it("refuses no run, and runs of different layouts", () => {
    expect(() => rowSourceOfRuns([])).toThrow(InvalidDataError);
    const runs = [memoryRun("one", thetas(0)), memoryRun("two", thetas(0), "other")];
    expect(() => rowSourceOfRuns(runs)).toThrow(LayoutError);
    expect(() => rowSourceOfRuns(runs)).toThrow("two: expected the parameter layout of one");
  });
});

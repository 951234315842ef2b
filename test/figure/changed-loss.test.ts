import { describe, expect, it } from "vitest";
import type { CurvesPanel } from "../../src/figure/figure.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { pathPanels } from "../../src/figure/make/create-trajectory-figure.js";
import { createRunData, lossChanges } from "../../src/figure/make/run-data.js";
import type { RunResume } from "../../src/model/manifest.js";

const logs = [null, 2.3, 1.9, 0.4, 0.3, 0.2];
const snapshots = logs.map((loss, step) => ({
  step,
  epoch: step,
  iteration: 10 * step,
  time: 0,
  learningRate: 0.1,
  logs: loss === null ? {} : { loss, val_loss: loss + 0.1, acc: 0.5 },
}));
const resume = (step: number, replaced?: RunResume["replaced"]) => ({ step, replaced }) as RunResume;
const manifest = {
  loss: "meanSquaredError",
  resumes: [
    resume(1),
    resume(3, { loss: "categoricalCrossentropy", metrics: [] }),
    resume(5, { loss: "meanSquaredError", metrics: ["accuracy"] }),
  ],
};
const run = { name: "sgd", snapshots, lossChanges: lossChanges({ manifest }) };
const yOf = ({ series }: CurvesPanel) => series.map(({ y }) => y);

describe("a run whose loss was changed when it was resumed", () => {
  it("knows where: new metrics alone change no loss", () => {
    expect(lossChanges({ manifest })).toEqual([3]);
    expect(lossChanges({ manifest: { loss: "hinge" } })).toEqual([]);
  });

  it("has one curve for each loss, and one for what did not change", () => {
    const [loss, accuracy] = createTrainingFigure([run]).panels as [CurvesPanel, CurvesPanel];
    expect(yOf(loss)).toEqual([
      [2.3, 1.9],
      [0.4, 0.3, 0.2],
      [2.4, 2],
      [0.5, 0.4, expect.closeTo(0.3)],
    ]);
    expect(loss.series[1]?.name).toBe("training, after the loss was changed");
    expect(yOf(accuracy)).toHaveLength(1);
  });

  it("is drawn so on the page of its surface, with a mark", () => {
    const data = createRunData(run, 0);
    expect(data.lossChanges).toEqual([3]);
    const panels = pathPanels({ runs: [data], paths: [], progress: "epoch" });
    const panel = panels.find(({ title }) => title === "Loss while training");
    expect(yOf(panel as CurvesPanel).slice(0, 2)).toEqual([
      [2.3, 1.9],
      [0.4, 0.3, 0.2],
    ]);
    expect(panel?.marks).toContainEqual({ x: 3, label: "another loss", tone: "muted" });
  });
});

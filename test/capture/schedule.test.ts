import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../src/base/errors.js";
import { type CaptureSchedule, resolveSchedule } from "../../src/capture/schedule.js";

const due = (schedule: CaptureSchedule | undefined, upTo: number) => {
  const rule = resolveSchedule(schedule);
  return Array.from({ length: upTo }, (_, index) => index + 1).filter((count) => rule.isDue(count));
};

describe("resolveSchedule", () => {
  it("records every epoch by default", () => {
    expect(resolveSchedule().unit).toBe("epoch");
    expect(due(undefined, 4)).toEqual([1, 2, 3, 4]);
  });

  it.each<[CaptureSchedule, string, number[]]>([
    ["epoch", "epoch", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ everyEpochs: 3 }, "epoch", [3, 6, 9]],
    [{ everyBatches: 4 }, "iteration", [4, 8]],
    [{ epochs: [7, 2, 2] }, "epoch", [2, 7]],
    [{ epochs: [] }, "epoch", []],
    [{ iterations: [1, 10] }, "iteration", [1, 10]],
    [{ geometric: { ratio: 2 } }, "iteration", [1, 2, 4, 8]],
    [{ geometric: { first: 3, ratio: 1.5 } }, "iteration", [3, 5, 7, 10]],
  ])("%j counts by %s and is due at %j", (schedule, unit, expected) => {
    expect(resolveSchedule(schedule).unit).toBe(unit);
    expect(due(schedule, 10)).toEqual(expected);
  });

  it("is due exactly at the rounded members of a geometric series", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 1.001, max: 5, noNaN: true }),
        (first, ratio) => {
          const members = new Set<number>();
          for (let k = 0; first * ratio ** k < 400; k++) members.add(Math.round(first * ratio ** k));
          const expected = [...members].filter((count) => count <= 300).sort((a, b) => a - b);
          expect(due({ geometric: { first, ratio } }, 300)).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each<[unknown, RegExp]>([
    ["batch", /^schedule: expected "epoch" or one of .*, got "batch"$/],
    [null, /^schedule: expected/],
    [7, /^schedule: expected/],
    [{}, /^schedule: expected/],
    [{ everyEpochs: 2, everyBatches: 3 }, /^schedule: expected/],
    [{ every: 2 }, /^schedule: expected/],
    [{ everyEpochs: 0 }, /^schedule.everyEpochs: expected a positive integer, got 0$/],
    [{ everyBatches: 1.5 }, /^schedule.everyBatches: expected a positive integer, got 1.5$/],
    [{ epochs: 3 }, /^schedule.epochs: expected a list of positive integers, got 3$/],
    [{ epochs: [1, 0] }, /^schedule.epochs\[1\]: expected a positive integer, got 0$/],
    [{ iterations: ["1"] }, /^schedule.iterations\[0\]: expected a positive integer, got "1"$/],
    [{ geometric: 2 }, /^schedule.geometric: expected \{ first\?, ratio \}, got 2$/],
    [{ geometric: { ratio: 1 } }, /^schedule.geometric.ratio: expected a finite number above 1, got 1$/],
    [{ geometric: { ratio: Number.NaN } }, /^schedule.geometric.ratio: /],
    [{ geometric: { first: 0, ratio: 2 } }, /^schedule.geometric.first: expected a positive integer/],
  ])("refuses %j", (schedule, message) => {
    expect(() => resolveSchedule(schedule as CaptureSchedule)).toThrow(InvalidOptionError);
    expect(() => resolveSchedule(schedule as CaptureSchedule)).toThrow(message);
  });
});

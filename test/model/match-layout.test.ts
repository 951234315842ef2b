import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { LayoutError } from "../../src/base/errors.js";
import { assertSameLayout, matchLayout } from "../../src/model/layout.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

/** A dense network with the given widths; layer names "<prefix>0", … where a prefix is given. */
function network(widths: readonly number[], prefix?: string): tf.Sequential {
  const [inputs = 1, ...units] = widths;
  const layers = units.map((count, i) =>
    tf.layers.dense({
      units: count,
      ...(i === 0 ? { inputShape: [inputs] } : {}),
      ...(prefix === undefined ? {} : { name: `${prefix}${i}` }),
    }),
  );
  return tf.sequential({ layers });
}

describe("matchLayout", () => {
  test("by name: toggling trainable reorders, every weight is found again", () => {
    const model = network([3, 4, 2]);
    const run = layoutOfModel(model);
    (model.layers[0] as tf.layers.Layer).trainable = false;
    const now = layoutOfModel(model);
    const indices = matchLayout(run, now, "run");
    expect([...indices]).toEqual([2, 3, 0, 1]);
    expect(run.parameters.map(({ name }) => name)).toEqual(
      [...indices].map((index) => now.parameters[index]?.name),
    );
  });

  test("by position: the same architecture under other names", () => {
    const indices = matchLayout(layoutOfModel(network([3, 4, 2])), layoutOfModel(network([3, 4, 2])), "run");
    expect([...indices]).toEqual([0, 1, 2, 3]);
  });

  test("by key: other names and another trainable flag", () => {
    const other = network([3, 4, 2]);
    (other.layers[0] as tf.layers.Layer).trainable = false;
    const indices = matchLayout(layoutOfModel(network([3, 4, 2])), layoutOfModel(other), "run");
    expect([...indices]).toEqual([2, 3, 0, 1]);
  });

  test("a part of the weights only when that is asked for", () => {
    const part = layoutOfModel(network([3, 4, 2]), { select: ({ role }) => role === "kernel" });
    const whole = layoutOfModel(network([3, 4, 2]));
    expect(() => matchLayout(part, whole, "run")).toThrow(LayoutError);
    expect([...matchLayout(part, whole, "run", { partial: true })]).toEqual([0, 2]);
  });

  test.each([
    [[3, 5, 2], /^run a: .*kernel: expected \[3,4\] \(kernel of Dense\), got .*kernel \[3,5\]/],
    [[3, 4, 7], /kernel: expected \[4,2\] \(kernel of Dense\), got .*kernel \[4,7\]/],
    [[3, 4], /kernel: expected \[4,2\] .*, got no such weight/],
    [[3, 4, 2, 2], /^run a: expected 4 weights, got 6, with .*kernel \[2,2\]/],
  ])("widths %j are refused by the first weight that differs", (widths, message) => {
    const run = layoutOfModel(network([3, 4, 2]));
    const other = layoutOfModel(network(widths));
    expect(() => matchLayout(run, other, "run a")).toThrow(LayoutError);
    expect(() => matchLayout(run, other, "run a")).toThrow(message);
    expect(() => assertSameLayout(run, other, "run a")).toThrow(message);
  });
});

describe("assertSameLayout", () => {
  test("names do not count, order and trainability do", () => {
    const model = network([3, 4, 2]);
    const run = layoutOfModel(model);
    assertSameLayout(run, layoutOfModel(network([3, 4, 2], "named")), "run");
    (model.layers[1] as tf.layers.Layer).trainable = false;
    expect(() => assertSameLayout(run, layoutOfModel(model), "run")).toThrow(/trainable: 2 of 4 differ/);
  });
});

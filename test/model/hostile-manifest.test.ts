import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { EvaluationError, LandscapeError } from "../../src/base/errors.js";
import { describeTraining } from "../../src/model/describe-training.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import type { RunManifest } from "../../src/model/manifest.js";
import { modelFromManifest } from "../../src/model/model-from-manifest.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

interface LayerConfig {
  class_name: string;
  config: Record<string, unknown>;
  inbound_nodes: [string, number, number, object][][];
}
interface Topology {
  config: { layers: LayerConfig[] };
}

/** The manifest of a branching functional model with a nested one, to be damaged. */
function manifest(): RunManifest {
  const inner = tf.sequential({ name: "inner", layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
  const a = tf.input({ shape: [3], name: "a" });
  const left = tf.layers.dense({ units: 2, name: "left" }).apply(a) as tf.SymbolicTensor;
  const right = inner.apply(a) as tf.SymbolicTensor;
  const sum = tf.layers.add({ name: "sum" }).apply([left, right]) as tf.SymbolicTensor;
  const model = tf.model({
    inputs: a,
    outputs: tf.layers.dense({ units: 1, name: "y" }).apply(sum) as tf.SymbolicTensor,
  });
  model.compile({ optimizer: "adam", loss: "meanSquaredError", metrics: ["mse"] });
  const { model: topology, optimizer, loss, metrics } = describeTraining(model);
  const facts = { model: topology, optimizer, loss, metrics, layout: layoutOfModel(model) };
  return JSON.parse(JSON.stringify(facts)) as RunManifest;
}

async function refusal(damage: (manifest: RunManifest, layers: LayerConfig[]) => unknown): Promise<Error> {
  const whole = manifest();
  const { layers } = (whole.model as unknown as Topology).config;
  const changed = damage(whole, layers) as object | undefined;
  const before = tf.memory().numTensors;
  const error = await modelFromManifest({ ...whole, ...changed }).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LandscapeError);
  expect(tf.memory().numTensors - before).toBeLessThan(20);
  return error as Error;
}

const named = (layers: LayerConfig[], name: string) =>
  layers.find(({ config }) => config.name === name) as LayerConfig;

it("the model as it is is rebuilt", async () => {
  expect((await modelFromManifest(manifest())).countParams()).toBe(19);
});

it("a topology that is a layer, an optimizer or a regularizer is no model", async () => {
  for (const name of ["BatchNormalization", "Dense", "Activation", "Dropout", "InputLayer", "LSTM", "L1L2"]) {
    const error = await refusal(({ model }) => {
      const whole = model as unknown as { class_name: string; config: object };
      whole.class_name = name;
      Object.assign(whole.config, { units: 1, activation: "relu", rate: 0.5 });
      if (name === "InputLayer") whole.config = { name: "a", batchInputShape: [null, 3] };
    });
    expect(error.message, name).toMatch(/^run\.json: model: expected/);
  }
});

describe("a topology whose layers wait for ever", () => {
  it("names a call of a nested model that has become a layer", async () => {
    for (const name of ["BatchNormalization", "Dense", "Bidirectional", "NoSuchLayer"]) {
      const error = await refusal((_, layers) => {
        named(layers, "inner").class_name = name;
      });
      expect(error.message, name).toMatch(/^run\.json: model: expected/);
    }
  });

  it("names a missing layer", async () => {
    const error = await refusal((_, layers) => {
      (named(layers, "sum").inbound_nodes[0]?.[0] as unknown[])[0] = "nobody";
    });
    expect(error).toBeInstanceOf(EvaluationError);
    expect(error.message).toContain('inputs of "sum" that can be reached, got a missing layer "nobody"');
  });

  it("names a call that is never made", async () => {
    const error = await refusal((_, layers) => {
      (named(layers, "sum").inbound_nodes[0]?.[0] as unknown[])[1] = 7;
    });
    expect(error.message).toContain('got call 7 of "left", which is never made');
  });

  it("sees layers in a circle, also in camel case", async () => {
    for (const key of ["inbound_nodes", "inboundNodes"]) {
      const error = await refusal((_, layers) => {
        const left = named(layers, "left") as unknown as Record<string, unknown>;
        delete left.inbound_nodes;
        left[key] = [[["sum", 0, 0, {}]]];
      });
      expect(error.message).toMatch(/expected inputs of "(left|sum|y)" that can be reached/);
    }
  });
});

describe("a topology in which TensorFlow.js loses a layer", () => {
  type Damage = (layers: LayerConfig[]) => void;
  const left = (layers: LayerConfig[]) => named(layers, "left") as unknown as Record<string, unknown>;
  it.each<[string, Damage, RegExp]>([
    [
      "no name beside the configuration",
      (layers) => delete left(layers).name,
      /to have one name, got no name and "left"/,
    ],
    [
      "another name beside it",
      (layers) => {
        left(layers).name = "other";
      },
      /got "other" and "left"/,
    ],
    [
      "a name twice",
      (layers) => layers.push(structuredClone(named(layers, "left"))),
      /layers of different names, got two of name "left"/,
    ],
    [
      "an input that is no list",
      (layers) => {
        named(layers, "sum").inbound_nodes = [["left"]] as never;
      },
      /inputs of "sum" as lists, got "left"/,
    ],
    [
      "a call without inputs",
      (layers) => {
        named(layers, "left").inbound_nodes = [[]];
      },
      /call 0 of "left", which is never made/,
    ],
    [
      "its calls a second time, in camel case",
      (layers) => {
        left(layers).inboundNodes = [[["nobody", 0, 0, {}]]];
      },
      /a missing layer "nobody"/,
    ],
  ])("%s", async (_what, damage, message) => {
    expect((await refusal((_, layers) => damage(layers))).message).toMatch(message);
  });
});

describe("layers larger than the layout", () => {
  it.each([
    ["units", (layer: LayerConfig) => (layer.config.units = 3e7)],
    [
      "units, and no initializer named",
      (layer: LayerConfig) => {
        layer.config.units = 3e7;
        delete layer.config.kernel_initializer;
        delete layer.config.bias_initializer;
      },
    ],
    [
      "units, and null for an initializer",
      (layer: LayerConfig) => {
        layer.config.units = 3e7;
        layer.config.kernel_initializer = null;
      },
    ],
  ])("are refused before the memory is asked for: %s", async (_what, damage) => {
    const begin = process.memoryUsage().arrayBuffers;
    const error = await refusal((_, layers) => void damage(named(layers, "left")));
    expect(error.message).toContain("more weights than the layout has, at one of shape [3,30000000]");
    expect(process.memoryUsage().arrayBuffers - begin).toBeLessThan(2 ** 24);
  });
});

describe("names and settings that are nobody's", () => {
  it.each([
    ["loss", { loss: "toString" }, /loss: expected names that TensorFlow.js knows, got "toString"/],
    ["loss by output", { loss: { y: "valueOf" } }, /loss: .* got "valueOf"/],
    ["metrics", { metrics: ["constructor"] }, /metrics: .* got "constructor"/],
    ["an unknown loss", { loss: "nobody's" }, /loss and metrics: expected names that TensorFlow.js knows/],
    [
      "an optimizer without settings",
      { optimizer: { className: "Adam", config: {} } },
      /optimizer: expected a configuration with a learningRate, got \{\}/,
    ],
    [
      "an optimizer with null for settings",
      { optimizer: { className: "SGD", config: null } },
      /optimizer: expected a configuration with a learningRate, got null/,
    ],
    [
      "an optimizer with an object for a number",
      { optimizer: { className: "Momentum", config: { learningRate: 0.1, momentum: {} } } },
      /optimizer: momentum: expected a number, got \{\}/,
    ],
    [
      "an optimizer that lacks a setting",
      { optimizer: { className: "Momentum", config: { learningRate: 0.1 } } },
      /optimizer: expected settings of Momentum/,
    ],
    [
      "an optimizer with an inherited name",
      { optimizer: { className: "toString", config: {} } },
      /optimizer: expected one of TensorFlow.js's own/,
    ],
  ])("%s", async (_what, change, message) => {
    expect((await refusal(() => change)).message).toMatch(message);
  });

  it("an activation and a layer class", async () => {
    const activation = await refusal((_, layers) => {
      named(layers, "left").config.activation = "hasOwnProperty";
    });
    expect(activation.message).toContain('got "hasOwnProperty"');
    const layer = await refusal((_, layers) => {
      named(layers, "left").class_name = "constructor";
    });
    expect(layer.message).toContain('got "constructor"');
  });
});

// The rules on the plain JavaScript backend too, whatever backend a run is for: it is the last resort of every machine.
import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";

process.env.TFJS_LANDSCAPE_BACKEND = "js";
await import("./second-order.test.js");

test("the tests of the rules ran on plain JavaScript", () => {
  expect(tf.getBackend()).toBe("cpu");
});

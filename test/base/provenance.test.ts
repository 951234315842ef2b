import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, isStale, type Provenance, provenanceDigest } from "../../src/base/provenance.js";

const base: Provenance = {
  kind: "surface",
  version: 1,
  options: { grid: { alpha: [-1, 1, 5], beta: [0, 1, 3] }, lossMode: "model", margin: 0.1 },
  seed: 0,
  inputs: { run: "aa", data: "bb" },
};

test("the order of keys does not count", () => {
  const options = { margin: 0.1, lossMode: "model", grid: { beta: [0, 1, 3], alpha: [-1, 1, 5] } };
  const same: Provenance = {
    inputs: { data: "bb", run: "aa" },
    seed: 0,
    options,
    version: 1,
    kind: "surface",
  };
  expect(provenanceDigest(same)).toBe(provenanceDigest(base));
  expect(isStale(same, base)).toBe(false);
});

test.each([
  { kind: "trajectory" },
  { version: 2 },
  { seed: null },
  { seed: 1 },
  { options: { ...base.options, margin: 0.2 } },
  { options: { ...base.options, grid: { alpha: [-1, 1, 5], beta: [0, 3, 1] } } },
  { options: { ...base.options, more: null } },
  { inputs: { run: "aa", data: "cc" } },
  { inputs: { run: "aa" } },
])("another %j is stale", (change) => {
  expect(isStale(base, { ...base, ...change })).toBe(true);
});

test("canonical JSON is JSON of the same value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value as null))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: [Number.NaN, Infinity, -Infinity], a: 1e-7 })).toBe(
    '{"a":1e-7,"b":["NaN","Infinity","-Infinity"]}',
  );
});

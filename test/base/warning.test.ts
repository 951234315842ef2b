import { expect, test } from "vitest";
import { condenseWarnings, namedWarnings } from "../../src/base/warning.js";

const capped = (share: number) => ({ code: "capped-loss", message: `${share} % of the losses are capped` });

test("one warning of each code, with the number of others like it", () => {
  const other = { code: "few-points", message: "few" };
  expect(condenseWarnings([capped(3), other, capped(3), capped(4)])).toEqual([
    { code: "capped-loss", message: "3 % of the losses are capped (and 1 more of this kind)" },
    other,
  ]);
});

test("those of several networks name all of them, alike or not", () => {
  const messages = (...warnings: readonly (readonly [string, number])[]) =>
    condenseWarnings(warnings.flatMap(([name, share]) => namedWarnings(name, [capped(share)]))).map(
      ({ message }) => message,
    );
  expect(messages(["sgd", 3])).toEqual(['3 % of the losses are capped (in "sgd")']);
  expect(messages(["sgd", 3], ["adam", 3], ["sgd", 3])).toEqual([
    '3 % of the losses are capped (in "sgd" and "adam")',
  ]);
  expect(messages(["a", 3], ["b", 4], ["c", 5])).toEqual([
    '3 % of the losses are capped (and 2 more of this kind, in "a", "b" and "c")',
  ]);
  expect(messages(...Array.from({ length: 9 }, (_, i) => [`${i}`, 3] as const))).toEqual([
    '3 % of the losses are capped (in "0", "1", "2", "3", "4", "5", "6" and 2 more)',
  ]);
});

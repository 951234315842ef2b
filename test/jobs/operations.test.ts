import { afterAll, expect, test } from "vitest";
import { createProcessRunner } from "../../src/jobs/process-runner.js";

const runner = createProcessRunner(1);
afterAll(() => runner.dispose());

type Operations = { readonly [name: string]: (input: number) => number };

test("an operation that the program lacks is refused by name, and not answered with nothing", async () => {
  const session = await runner.open<null, null, Operations>({ file: "test/jobs/echo-program.mjs" }, null);
  const how = { name: "a task", expected: "a number" };
  expect(await session.run("echo", 7, how)).toBe(7);
  for (const unknown of ["lossesOn", "toString"]) {
    await expect(session.run(unknown, 7, how)).rejects.toThrow(`task: expected one of echo, got ${unknown}`);
  }
  expect(await session.run("echo", 8, how)).toBe(8);
});

import { Command, Option } from "commander";
import { describe, expect, test } from "vitest";
import { parseCount } from "../../src/cli/command-options.js";
import { usageMessage } from "../../src/cli/output.js";

function messageOf(...args: string[]): string {
  let said = "";
  const program = new Command("program").exitOverride().configureOutput({
    outputError: (text) => {
      said = usageMessage(text);
    },
  });
  program
    .command("draw")
    .exitOverride()
    .argument("<run>")
    .requiredOption("--data <module>", "a module")
    .option("--points <n>", "points", parseCount("--points", 1, 9))
    .addOption(new Option("--color <name>", "colour").choices(["red", "blue"]))
    .action(() => undefined);
  expect(() => program.parse(args, { from: "user" })).toThrow();
  return said;
}

describe("messages of a wrong command line", () => {
  test.each<[string[], string]>([
    [["draw", "r", "--data"], "--data: expected a value, got none"],
    [["draw", "r"], "--data: expected <module>, got none"],
    [["draw", "--data", "d"], "<run>: expected a value, got none"],
    [["draw", "r", "--color", "it's red"], '--color: expected one of red, blue, got "it\'s red"'],
    [["draw", "r", "--points", "10"], '--points: expected an integer of at least 1 and at most 9, got "10"'],
    [["draw", "r", "--points", "５"], '--points: expected an integer of at least 1 and at most 9, got "５"'],
    [["draw", "r", "--data", "d", "--colour", "red"], "unknown option '--colour' (Did you mean --color?)"],
    [["drow", "r"], "unknown command 'drow' (Did you mean draw?)"],
  ])("%s", (args, message) => {
    expect(messageOf(...args)).toBe(message);
  });
});

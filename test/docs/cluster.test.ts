import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { runCommand } from "../support/command-line.js";

const page = readFileSync(fileURLToPath(new URL("../../docs/cluster.md", import.meta.url)), "utf8");
const blocksOf = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, code = ""]) => code,
  );

const scripts = blocksOf("bash");
const [compose = "", kubernetes = ""] = blocksOf("yaml");

/** A part of a manifest: whatever YAML holds. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what it should be.
type Part = any;

function documentsOf(text: string): Part[] {
  return parseAllDocuments(text).map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([]);
    return document.toJS();
  });
}

/** Words of a command line of ours, from a list or a text; null where it runs something else. */
function ourWords(command: readonly string[] | string): string[] | null {
  const text = typeof command === "string" ? command : command.join(" ");
  const words = text.replaceAll('"', "").replaceAll("\\\n", " ").split(/\s+/).filter(Boolean);
  const at = words.findIndex((word) => /(^|\/)tfjs-landscape$/.test(word));
  if (at >= 0) return words.slice(at + 1);
  return words[0] === "worker" || words[0] === "surface" ? words : null;
}

const flags = new Map<string, Map<string, boolean>>();

/** Options that a command does not have, or that lack their value. */
function strayOptions([name = "", ...words]: readonly string[]): string[] {
  const known = flags.get(name);
  if (known === undefined) return [`${name}: no such command`];
  return words.filter((word, i) => {
    if (!word.startsWith("--")) return false;
    const wantsValue = known.get(word);
    return wantsValue === undefined || (wantsValue && (words[i + 1] ?? "--").startsWith("--"));
  });
}

beforeAll(async () => {
  for (const name of ["worker", "surface"]) {
    const { stdout } = await runCommand(name, "--help");
    const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)(?: (<)?)?/gm)];
    flags.set(name, new Map(options.map(([, flag = "", value]) => [flag, value === "<"])));
  }
  expect(flags.get("worker")?.get("--store")).toBe(true);
  expect(flags.get("worker")?.get("--redis")).toBe(false);
});

describe("docs/cluster.md", () => {
  test("command lines that cannot be are found", () => {
    expect(ourWords("npx tfjs-landscape worker --redis")).toEqual(["worker", "--redis"]);
    expect(ourWords(["redis-server", "--port", "1"])).toBeNull();
    expect(strayOptions(["worker", "--redis", "--stored", "/a"])).toEqual(["--stored"]);
    expect(strayOptions(["worker", "--redis", "--store", "--processes", "4"])).toEqual(["--store"]);
    expect(strayOptions(["work"])).toEqual(["work: no such command"]);
  });

  test("Slurm scripts: bash reads them, every variable is one of Slurm's, and options are those of our commands", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(2);
    for (const script of scripts) {
      const { status, stderr } = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
      expect(status, stderr).toBe(0);
      expect(script.startsWith("#!/bin/bash\n#SBATCH --")).toBe(true);
      const directives = [...script.matchAll(/^#SBATCH (\S+)$/gm)].map(([, text = ""]) => text);
      expect(directives.length).toBe(script.split("#SBATCH").length - 1);
      for (const one of directives) {
        expect(one).toMatch(
          /^--(array=\d+-\d+|cpus-per-task=\d+|time=\d\d:\d\d:\d\d|signal=B:TERM@\d+|job-name=[\w-]+)$/,
        );
      }
      const variables = [...script.matchAll(/\$\{?([A-Z_]+)/g)].map(([, name = ""]) => name);
      expect(
        variables.filter((name) => !/^SLURM_(SUBMIT_DIR|CPUS_PER_TASK|ARRAY_TASK_(ID|COUNT))$/.test(name)),
      ).toEqual([]);
      const words = ourWords(script.slice(script.indexOf("cd ")));
      expect(strayOptions(words ?? [])).toEqual([]);
    }
  });

  test("the compose file is one: images, volumes that are declared, and command lines of ours", () => {
    const [{ services, volumes }, ...others] = documentsOf(compose) as [Part];
    expect(others).toEqual([]);
    expect(Object.keys(services).sort()).toEqual(["redis", "worker"]);
    for (const service of Object.values<Part>(services)) {
      expect(service.image ?? service.build).toBeDefined();
      for (const volume of service.volumes) {
        const [source = "", target] = volume.split(":");
        expect(source.startsWith("./") || source in volumes, source).toBe(true);
        expect(target).toMatch(/^\//);
      }
      for (const name of service.depends_on ?? []) expect(services).toHaveProperty(name);
    }
    expect(strayOptions(ourWords(services.worker.command) as string[])).toEqual([]);
    expect(services.worker.environment.REDIS_URL).toContain("@redis:6379");
  });

  test("the Kubernetes manifest hangs together: labels, volumes, secrets, indices, and command lines of ours", () => {
    const parts = documentsOf(kubernetes);
    const of = (kind: string): Part => parts.find((part) => part.kind === kind);
    expect(parts.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      "v1 Secret",
      "apps/v1 Deployment",
      "batch/v1 Job",
    ]);
    for (const { metadata } of parts) expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
    const { selector, template } = of("Deployment").spec;
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    const job = of("Job").spec;
    expect(job).toMatchObject({ completionMode: "Indexed", completions: 8 });
    for (const { spec } of [template, job.template]) {
      const [container, ...others] = spec.containers;
      expect(others).toEqual([]);
      const volumes = spec.volumes.map(({ name }: Part) => name);
      for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
      for (const { valueFrom } of container.env ?? []) {
        const { name, key } = valueFrom.secretKeyRef;
        expect(of("Secret").metadata.name).toBe(name);
        expect(of("Secret").stringData).toHaveProperty(key);
      }
      for (const word of [...(container.args ?? []), ...(container.command ?? [])])
        expect(typeof word).toBe("string");
      expect(strayOptions(ourWords(container.args ?? container.command) as string[])).toEqual([]);
    }
    const shell = job.template.spec.containers[0].command.at(-1);
    const at = (index: number) =>
      spawnSync("bash", ["-c", `echo ${/--shard (\S+ \+ 1\)\)\/\d+"|\S+)/.exec(shell)?.[1]}`], {
        env: { JOB_COMPLETION_INDEX: String(index) },
        encoding: "utf8",
      }).stdout.trim();
    expect([at(0), at(job.completions - 1)]).toEqual(["1/8", "8/8"]);
  });
});

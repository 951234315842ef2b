import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { publishedManifest, publishedReadme } from "../../scripts/pack.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const manifestText = readFileSync(join(root, "package.json"), "utf8");
const { files, version } = JSON.parse(manifestText);

test("what is published has no workspaces and no tools, and keeps the rest", () => {
  const published = JSON.parse(publishedManifest(manifestText));
  expect(Object.keys(published)).not.toContain("workspaces");
  expect(Object.keys(published)).not.toContain("devDependencies");
  expect(published.exports).toEqual(JSON.parse(manifestText).exports);
});

test("every link of the published README leads to a file of the package, or to the web", () => {
  const readme = publishedReadme(readFileSync(join(root, "README.md"), "utf8"), version);
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  const own = new RegExp(`^https://(?:app\\.)?unpkg\\.com/tfjs-landscape@${version}/(?:files/)?(.+)$`);
  expect(links.length).toBeGreaterThan(20);
  for (const link of links) {
    expect(link).toMatch(/^https:/);
    const path = own.exec(link)?.[1]?.replace(/#.*$/, "");
    if (path === undefined) continue;
    expect(existsSync(join(root, path)), path).toBe(true);
    const isPacked = files.some((entry: string) => path === entry || path.startsWith(`${entry}/`));
    expect(isPacked, `${path} is packed`).toBe(true);
  }
});

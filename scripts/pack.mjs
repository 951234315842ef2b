/**
 * What npm publishes: `prepack` puts the published forms of package.json and README.md in place, `postpack` puts the
 * originals back. Published are no workspaces and no tools of this checkout, and links that work from the npm page.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./prepare-checkout.mjs";

const FILES = ["package.json", "README.md"];
const original = (name) => join(root, "node_modules", ".pack-originals", name);

/** package.json without what only this checkout needs. */
export function publishedManifest(text) {
  const { workspaces, devDependencies, allowScripts, ...manifest } = JSON.parse(text);
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** The README with each link to a file of the package as an address: npm's page knows no relative links. */
export function publishedReadme(text, version) {
  const pages = `https://app.unpkg.com/tfjs-landscape@${version}/files`;
  const images = `https://unpkg.com/tfjs-landscape@${version}`;
  return text.replace(/(!?)(\[[^\]]*\])\((?!https?:|#)([^)]+)\)/g, (_, mark, name, path) => {
    return `${mark}${name}(${mark === "!" ? images : pages}/${path})`;
  });
}

function restore() {
  for (const name of FILES) if (existsSync(original(name))) renameSync(original(name), join(root, name));
}

function publish() {
  restore(); // what a broken off `npm pack` may have left
  const [manifest, readme] = FILES.map((name) => readFileSync(join(root, name), "utf8"));
  mkdirSync(original(""), { recursive: true });
  FILES.forEach((name, i) => {
    writeFileSync(original(name), [manifest, readme][i]);
  });
  writeFileSync(join(root, "package.json"), publishedManifest(manifest));
  writeFileSync(join(root, "README.md"), publishedReadme(readme, JSON.parse(manifest).version));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv[2] === "restore") restore();
  else publish();
}

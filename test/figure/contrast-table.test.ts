import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Theme, themeOf } from "../../src/figure/draw/palette.js";
import { PAGE_STYLE } from "../../src/figure/files/render-html.js";
import { contrast } from "./contrast.js";

const themes = [themeOf("light"), themeOf("dark")] as const;

/** What stands on the background of pictures, and the least contrast that WCAG 2.2 asks for: 1.4.3 and 1.4.11. */
const ROWS: readonly (readonly [what: string, colorOf: (theme: Theme) => string, least: number])[] = [
  ["text", ({ text }) => text, 4.5],
  ["captions, ticks", ({ muted }) => muted, 4.5],
  ["axes, frames", ({ line }) => line, 3],
  ["lower learning rate", ({ drop }) => drop, 3],
  ...themes[0].runs.map((_, i): (typeof ROWS)[number] => [
    `run ${i + 1}`,
    ({ runs }) => runs[i] as string,
    3,
  ]),
];

/** The table of docs/report.md. */
const table = ROWS.map(([what, colorOf, least]) => {
  const cells = themes.map((theme) => {
    const found = contrast(colorOf(theme), theme.background);
    return `${colorOf(theme)} ${found.toFixed(1)}`;
  });
  return `| ${what} | ${cells.join(" | ")} | ${least} |`;
});

test("every colour of a picture has the contrast that it needs, in light and dark", () => {
  for (const [what, colorOf, least] of ROWS)
    for (const theme of themes)
      expect(contrast(colorOf(theme), theme.background), what).toBeGreaterThanOrEqual(least);
});

test("so have the texts of a page, on its background and on its buttons", () => {
  const palettes = [
    ...PAGE_STYLE.matchAll(/--background:(#\w+);--text:(#\w+);--muted:(#\w+);[^}]*?--panel:(#\w+)/g),
  ];
  expect(palettes.length).toBeGreaterThanOrEqual(2);
  const long = (color: string) => (color.length === 4 ? color.replace(/\w/g, "$&$&") : color);
  for (const [, background = "", text = "", muted = "", panel = ""] of palettes)
    for (const ground of [background, panel])
      for (const ink of [text, muted])
        expect(contrast(long(ink), long(ground)), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
});

test("the table of the docs is that of the palette", () => {
  const docs = readFileSync("docs/report.md", "utf8");
  for (const row of table) expect(docs).toContain(row);
});

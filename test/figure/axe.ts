import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What axe-core finds: the rule and where. */
async function violations(page: Page): Promise<string[]> {
  return await page.evaluate<string[]>(
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ": " + target.join(" "))))`,
  );
}

const SCHEMES = [
  { colorScheme: "light", forcedColors: "none" },
  { colorScheme: "dark", forcedColors: "none" },
  { colorScheme: "light", forcedColors: "active" },
] as const;

/**
 * Checks with axe-core that a page has no violations and is no wider than the screen: at three widths, in light,
 * dark and forced colours. Its context must bypass the page's content policy.
 */
export async function checkAccess(page: Page): Promise<void> {
  await page.addScriptTag({ path: AXE });
  for (const width of [1280, 800, 360]) {
    await page.setViewportSize({ width, height: 900 });
    for (const scheme of SCHEMES) {
      await page.emulateMedia(scheme);
      const where = `${width} px, ${scheme.colorScheme}, forced colours ${scheme.forcedColors}`;
      expect(await violations(page), where).toEqual([]);
      await expect
        .poll(() => page.evaluate("document.documentElement.scrollWidth"), {
          message: where,
          timeout: 30_000,
        })
        .toBe(width);
    }
  }
}

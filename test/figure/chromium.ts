import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import type { TestContext } from "vitest";

/** Chromium's path: CHROMIUM_PATH if it is set, else Debian's; undefined where there is none. */
export function chromiumPath(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  const places = named ? [named] : ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
  return places.find((path) => existsSync(path));
}

/**
 * Leaves the running test out where there is no Chromium, with how to have it; under CI=true that is a
 * failure, because a picture that nobody has opened proves nothing.
 */
export function needChromium(context: TestContext): void {
  if (chromiumPath() !== undefined) return;
  const reason = "no Chromium: install Debian's package chromium or set CHROMIUM_PATH";
  if (process.env.CI === "true") throw new Error(reason);
  context.skip(reason);
}

/** Starts Chromium without a window and without connections of its own. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error("no Chromium");
  return await chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      // WebGL without a graphics card.
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--ignore-gpu-blocklist",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page with a document open, and everything that it said or asked for. */
export interface OpenPage {
  readonly page: Page;
  readonly heard: readonly string[];
}

/** Opens a document from a file, as a reader would. */
export async function openDocument(
  browser: Browser,
  html: string,
  url: string,
  options: {
    readonly width?: number;
    readonly isDark?: boolean;
    /** Whether pages may move by themselves. Default not, so that two pictures of one page are equal. */
    readonly isMoving?: boolean;
    readonly hasTouch?: boolean;
  } = {},
): Promise<OpenPage> {
  const { width = 1200, isDark = false, isMoving = false, hasTouch = false } = options;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: isDark ? "dark" : "light",
    reducedMotion: isMoving ? "no-preference" : "reduce",
    hasTouch,
  });
  const page = await context.newPage();
  const heard: string[] = [];
  page.on("console", (message) => heard.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const isOwn = request.url() === url || /^(data|blob):/.test(request.url());
    if (!isOwn) heard.push(`request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => heard.push(`dialog: ${dialog.message()}`));
  writeFileSync(fileURLToPath(url), html);
  await page.goto(url, { waitUntil: "load" });
  await page.waitForSelector(".canvas svg");
  return { page, heard };
}

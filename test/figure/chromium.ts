import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, type TestContext } from "vitest";
import { buildPage } from "../../scripts/build-page.mjs";
import { figureTargets, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderHtml } from "../../src/figure/files/render-html.js";

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

/** How a document is opened: width in px, colours, and whatever else a browser's context takes. */
export interface OpenOptions extends BrowserContextOptions {
  readonly width?: number;
  readonly isDark?: boolean;
  /** Whether pages may move by themselves. Default not, so that two pictures of one page are equal. */
  readonly isMoving?: boolean;
}

/** The browser of a file of tests. */
export interface Chromium {
  readonly browser: Browser;
  /** Sizes of the page's scripts as they were built. */
  readonly scripts: Awaited<ReturnType<typeof buildPage>>;
  /** Opens a document from a file, as a reader would. */
  open(html: string, options?: OpenOptions): Promise<OpenPage>;
  /** Opens a report of figures. */
  openFigures(
    figures: readonly Figure[],
    options?: OpenOptions & { readonly title?: string },
  ): Promise<OpenPage>;
}

/** Builds the page's code and starts the browser before the tests of a file, and ends it after them. */
export function useChromium(): Chromium {
  const folder = mkdtempSync(join(tmpdir(), "landscape-page-"));
  const url = pathToFileURL(join(folder, "report.html")).href;
  let browser: Browser;
  let scripts: Chromium["scripts"];
  beforeAll(async () => {
    scripts = await buildPage();
    if (chromiumPath() !== undefined) browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });
  const open = (html: string, options: OpenOptions = {}) => openDocument(browser, html, url, options);
  return {
    get browser() {
      return browser;
    },
    get scripts() {
      return scripts;
    },
    open,
    openFigures: (figures, { title = "Report", ...options } = {}) =>
      open(renderHtml({ title, figures }), options),
  };
}

/** Where a snapshot is on the screen, in the n-th figure of a page that shows all of it. */
export async function snapshotPlace(
  page: Page,
  figure: Figure,
  {
    run = 0,
    snapshot,
    index = 0,
  }: { readonly run?: number; readonly snapshot: number; readonly index?: number },
) {
  const chart = page.locator(".chart").nth(index);
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  if (box === null) throw new Error("no place");
  const layout = layoutFigure(figure, { width: Math.floor(box.width), parts: "chart", isPage: true });
  const placed = figureTargets(layout).find((target) => target.run === run && target.snapshot === snapshot);
  if (placed === undefined) throw new Error(`no snapshot ${snapshot} of run ${run}`);
  return { x: box.x + placed.x, y: box.y + placed.y };
}

/** Waits until what was asked for has been drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

/** Opens a document from a file, as a reader would. */
async function openDocument(
  browser: Browser,
  html: string,
  url: string,
  { width = 1200, isDark = false, isMoving = false, ...rest }: OpenOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: isDark ? "dark" : "light",
    reducedMotion: isMoving ? "no-preference" : "reduce",
    ...rest,
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
  await page.locator(".canvas svg:visible").first().waitFor();
  return { page, heard };
}

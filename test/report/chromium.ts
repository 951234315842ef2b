import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
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
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

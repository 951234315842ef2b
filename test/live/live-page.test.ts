import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { LiveState } from "../../src/live/live-feed.js";
import { createLiveServer } from "../../src/live/live-server.js";
import { livePage } from "../../src/live/start-live-view.js";
import { checkAccess } from "../figure/axe.js";
import { drawn, needChromium, useChromium } from "../figure/chromium.js";
import { difference } from "../figure/png.js";

const chromium = useChromium();

/** A state of `count` snapshots; the rate falls to a tenth at epochs 4 and 8. */
function stateOf(count: number): LiveState {
  const steps = Array.from({ length: count }, (_, i) => i);
  return {
    version: 1,
    name: "grows",
    status: "recording",
    epochs: 12,
    snapshots: count,
    points: steps.map((step) => ({
      step,
      epoch: step,
      iteration: 10 * step,
      learningRate: step < 4 ? 0.1 : step < 8 ? 0.01 : 0.001,
      logs:
        step === 0
          ? []
          : [
              ["loss", 2 / step],
              ["acc", 1 - 0.8 / step],
              ["val_loss", 3 / step],
            ],
    })),
    plane:
      count < 3
        ? null
        : {
            steps,
            alpha: steps.map((i) => 3 * Math.sqrt(i) + i / 9),
            beta: steps.map((i) => Math.sin(i / 2)),
            explainedVarianceRatio: [0.8, 0.15],
            randomWalkBaseline: [0.6, 0.17],
          },
    lossChanges: [],
    stability: null,
    planeStride: 1,
    notes: [],
  };
}

/** Waits until the page shows so many snapshots; the places of its names of lowered rates. */
async function shown(page: Page, count: number): Promise<readonly number[]> {
  await page.locator("#status", { hasText: `${count} snapshots` }).waitFor();
  await drawn(page);
  const lowered = page.locator("#curves text", { hasText: "rate lowered" });
  return await lowered.evaluateAll((all) => all.map((text) => text.getBoundingClientRect().x));
}

test("a page that has grown equals one that is opened late, pixel for pixel", async (context) => {
  needChromium(context);
  const server = await createLiveServer(livePage());
  const viewport = { width: 1000, height: 900 };
  try {
    server.publish(stateOf(1));
    const grown = await chromium.browser.newPage({ viewport });
    const heard: string[] = [];
    grown.on("console", (message) => heard.push(message.text()));
    grown.on("pageerror", (error) => heard.push(error.message));
    await grown.goto(server.url);
    // The plane comes with the third snapshot; the rate falls before the sixth and the tenth.
    for (const count of [2, 3, 5, 6, 10, 12]) {
      server.publish(stateOf(count));
      const places = await shown(grown, count);
      // One name for each panel, at the first drop.
      expect(places.length).toBe(count < 5 ? 0 : 3);
      const late = await chromium.browser.newPage({ viewport });
      await late.goto(server.url);
      expect(await shown(late, count)).toEqual(places);
      // The first pictures of a page have other soft edges than all that follow: both are taken until they agree.
      const pictureOf = async (page: Page) => await page.screenshot({ fullPage: true });
      await expect
        .poll(async () => difference(await pictureOf(late), await pictureOf(grown)), {
          message: `with ${count} snapshots`,
          timeout: 20_000,
        })
        .toBe("");
      await late.close();
    }
    expect(heard).toEqual([]);
  } finally {
    await server.close();
  }
}, 240_000);

test("axe-core finds nothing on a live page, at three widths, in light, dark and forced colours", async (context) => {
  needChromium(context);
  const server = await createLiveServer(livePage());
  try {
    server.publish(stateOf(6));
    const page = await (await chromium.browser.newContext({ bypassCSP: true })).newPage();
    await page.goto(server.url);
    await shown(page, 6);
    await checkAccess(page);
    await page.context().close();
  } finally {
    await server.close();
  }
}, 240_000);

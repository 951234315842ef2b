import { expect, test } from "vitest";
import { buildPage } from "../../scripts/build-page.mjs";
import { notebookHtml } from "../../src/figure/files/notebook.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { bowl, sampleFigure } from "./sample-figures.js";

/** What Deno's kernel does with the last value of a cell. */
function displayed(value: object): Record<string, string> {
  const display = Symbol.for("Jupyter.display");
  if (!(display in value)) throw new Error("not displayed");
  return (value as Record<symbol, () => Record<string, string>>)[display]?.() ?? {};
}

test("a figure displays itself in a notebook: its page in a frame that cannot reach the notebook", async () => {
  await buildPage();
  const figure = sampleFigure(bowl, { title: `A "title" & <b>` });
  const shown = displayed(figure);
  expect(shown["text/plain"]).toBe(figure.description);
  expect(shown["text/html"]).toBe(notebookHtml(figure));
  const html = notebookHtml(figure, { height: 500 });
  expect(html).toMatch(
    /^<iframe srcdoc="[^"]*" sandbox="allow-scripts allow-downloads" title="[^"]*" style="[^"]*height:500px[^"]*"><\/iframe>$/,
  );
  const page = /srcdoc="([^"]*)"/.exec(html)?.[1] ?? "";
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  const text = page.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? "");
  expect(text).toBe(renderHtml({ title: figure.title, figures: [figure] }));
  // It is data like any other.
  expect(Object.keys(figure)).not.toContain("display");
  expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
});

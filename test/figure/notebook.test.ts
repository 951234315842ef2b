import { expect, test } from "vitest";
import { buildPage } from "../../scripts/build-page.mjs";
import { notebookHtml } from "../../src/figure/files/notebook.js";
import { escapeHtml } from "../../src/figure/files/page-data.js";
import { styleFigure } from "../../src/figure/files/picture-style.js";
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
  expect(text).toBe(renderHtml({ title: figure.title, figures: [styleFigure(figure, {})] }));
  // It is data like any other.
  expect(Object.keys(figure)).not.toContain("display");
  expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
});

test("looks as the page of a report would in the same style; what a page does not have is refused by name", async () => {
  await buildPage();
  const figure = sampleFigure(bowl, {});
  const look = { colormap: "cividis", levels: 5, hide: ["legend"] } as const;
  const expected = renderHtml({ title: figure.title, figures: [styleFigure(figure, look)], theme: "dark" });
  expect(notebookHtml(figure, { ...look, theme: "dark" })).toContain(escapeHtml(expected));
  for (const [options, message] of [
    [{ style: "paper" }, "style"],
    [{ width: 800 }, "width"],
    [{ palette: "cividis" }, "palette"],
    [{ colormap: "rainbow" }, "notebook.colormap: expected one of"],
    [{ height: 0 }, "notebook.height: expected a number of px above 0, got 0"],
  ] as const)
    expect(() => notebookHtml(figure, options as never), message).toThrow(message);
});

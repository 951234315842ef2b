import { figureSize } from "../draw/layout-figure.js";
import { DISPLAYED, type Figure } from "../figure.js";
import { escapeHtml } from "./page-data.js";
import { renderHtml } from "./render-html.js";

/** Width of a notebook's cell in px, about; what stands around the picture; and the tallest frame. */
const CELL = 940;
const AROUND = 260;
const TALLEST = 1100;

/**
 * Returns a figure as HTML for the cell of a notebook: its page in a frame, complete in itself and cut off from
 * the notebook.
 *
 * In Deno's Jupyter kernel a figure that is the last line of a cell displays itself with it
 * (`Symbol.for("Jupyter.display")`); tslab shows HTML that is handed to `tslab.display.html`.
 *
 * @param options - `height` of the frame in px; default what the picture needs, with some of its text: the rest
 *   scrolls.
 * @throws `MissingDependencyError` if the page's code has not been built.
 * @example const html = notebookHtml(figure); // in tslab: tslab.display.html(html)
 */
export function notebookHtml(
  figure: Figure,
  { height = frameHeight(figure) }: { readonly height?: number } = {},
): string {
  const page = renderHtml({ title: figure.title, figures: [figure] });
  return `<iframe srcdoc="${escapeHtml(page)}" sandbox="allow-scripts allow-downloads" title="${escapeHtml(figure.title)}" style="width:100%;height:${height}px;border:0"></iframe>`;
}

function frameHeight(figure: Figure): number {
  const picture = figureSize(figure, { width: CELL, parts: "chart", isPage: true });
  return Math.min(TALLEST, Math.ceil(picture.height) + AROUND);
}

// What Deno's kernel asks the last value of a cell for: its data by type.
Object.assign(DISPLAYED, {
  [Symbol.for("Jupyter.display")](this: Figure): Readonly<Record<string, string>> {
    return { "text/html": notebookHtml(this), "text/plain": this.description };
  },
});

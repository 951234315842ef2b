import omit from "lodash/omit.js";
import { InvalidOptionError } from "../../base/errors.js";
import { type OptionNames, refuseUnknown } from "../../base/option-names.js";
import { figureSize } from "../draw/layout-figure.js";
import { DISPLAYED, type Figure } from "../figure.js";
import { escapeHtml } from "./page-data.js";
import { checkStyle, type PictureStyle, STYLE_OPTION_NAMES, styleFigure } from "./picture-style.js";
import { renderHtml } from "./render-html.js";

/** Width of a notebook's cell in px, about; what stands around the picture; and the tallest frame. */
const CELL = 940;
const AROUND = 260;
const TALLEST = 1100;

/** What a frame in a notebook does not have: it is a page, as wide as its cell. */
const NOT_OF_PAGES = ["style", "width", "height", "dpi", "fontSize"] as const;

/** Options of {@link notebookHtml}: how the page of a report looks, and the height of the frame. */
export interface NotebookOptions extends Omit<PictureStyle, (typeof NOT_OF_PAGES)[number]> {
  /** Height of the frame in px. Default what the picture needs, with some of its text: the rest scrolls. */
  readonly height?: number | undefined;
}

const OPTION_NAMES = {
  ...omit(STYLE_OPTION_NAMES, NOT_OF_PAGES),
  height: true,
} as OptionNames<NotebookOptions>;

/**
 * Returns a figure as HTML for the cell of a notebook: its page in a frame, complete in itself and cut off from
 * the notebook.
 *
 * In Deno's Jupyter kernel a figure that is the last line of a cell displays itself with it
 * (`Symbol.for("Jupyter.display")`); tslab shows HTML that is handed to `tslab.display.html`.
 *
 * @throws {@link InvalidOptionError} naming an option that cannot be used.
 * @throws `MissingDependencyError` if the page's code has not been built.
 * @example const html = notebookHtml(figure); // in tslab: tslab.display.html(html)
 * @example const html = notebookHtml(figure, { theme: "dark", colormap: "cividis" });
 */
export function notebookHtml(figure: Figure, options: NotebookOptions = {}): string {
  refuseUnknown(options, OPTION_NAMES, "notebook");
  const { height: given, ...style } = options;
  checkStyle(style, "notebook.");
  if (given !== undefined && !(Number.isFinite(given) && given > 0))
    throw new InvalidOptionError("notebook.height", "a number of px above 0", JSON.stringify(given));
  const styled = styleFigure(figure, { ...style, style: "page" });
  const height = given ?? frameHeight(styled);
  const { theme, font, fontBold } = style;
  const page = renderHtml({ title: figure.title, figures: [styled], theme, font, fontBold });
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

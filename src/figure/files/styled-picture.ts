import { InvalidOptionError } from "../../base/errors.js";
import { type DrawOptions, extentOf } from "../draw/figure-frame.js";
import { type OwnFont, withFont } from "../draw/font.js";
import { capitalized, formatNumber } from "../draw/format-number.js";
import { type FigureLayout, figureOption, layoutFigure, leastWidthOf } from "../draw/layout-figure.js";
import type { Figure } from "../figure.js";
import { gapSentences } from "./font-files.js";
import { fontOf } from "./own-font.js";
import { hasOneUnit, type PictureStyle, resolveStyle, styleFigure, withoutHidden } from "./picture-style.js";
import { renderPdf } from "./render-pdf.js";
import { MISSING, renderPng, renderSvg, withInches, withKnownLetters } from "./render-picture.js";

/** A picture in a style, and what belongs beside it. */
export interface StyledPicture {
  /** An SVG file, with its size on paper where the style has one. */
  readonly svg: string;
  /** A PNG file. */
  png(): Uint8Array;
  /** A PDF file of one page. */
  pdf(): Promise<Uint8Array>;
  /** Text files of the caption, by ending; none where the caption is in the picture. */
  readonly captions: Readonly<Record<"txt" | "tex", string>> | null;
}

/**
 * Draws a figure in a style.
 *
 * @param given - pixels of PNG per px, in place of the style's pixels per inch.
 * @throws {@link InvalidOptionError} if it cannot have that size.
 * @example const { svg } = styledPicture(figure, { style: "paper", width: "two-column" });
 */
export function styledPicture(figure: Figure, style: PictureStyle, given?: number): StyledPicture {
  const { draw, pxPerInch, scale: own, hasCaptionFiles } = resolveStyle(style);
  const scale = given ?? own;
  const asked = { ...draw, pixelRatio: scale };
  const styled = styleFigure(figure, style);
  const shown = withoutHidden(styled);
  const font = fontOf(style);
  const [layout, svg] = withFont(font, () => {
    const room = hasCaptionFiles ? roomyEnough(shown, asked) : asked;
    const placed = layoutFigure(shown, room);
    const size = sizeOf(placed);
    return [placed, renderSvg(figureOption(placed.figure, { ...room, ...size }), size)] as const;
  });
  const isOnPaper = hasCaptionFiles || style.dpi !== undefined || style.fontSize !== undefined;
  return {
    svg: isOnPaper ? withInches(svg, pxPerInch) : svg,
    png: () =>
      withFont(font, () => renderPng(svg, { scale, ...(isOnPaper ? { dpi: scale * pxPerInch } : {}) })),
    pdf: () => withFont(font, () => renderPdf(svg, { pxPerInch, title: figure.title })),
    captions: hasCaptionFiles ? withFont(font, () => captionFiles(styled, layout, svg, font)) : null,
  };
}

/** Tables and rows of maps that need more room than a column or a slide have get it: nothing is cut or squeezed. */
function roomyEnough(figure: Figure, draw: DrawOptions): DrawOptions {
  const width = Math.max(draw.width ?? 0, leastWidthOf(figure));
  if (draw.height === undefined) return { ...draw, width };
  try {
    layoutFigure(figure, { ...draw, width });
    return { ...draw, width };
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    return { ...draw, width, height: undefined };
  }
}

function sizeOf({ width, height }: FigureLayout) {
  return { width, height };
}

/** The caption as text and as LaTeX: verdict, caption, how faithful the picture is, sources and notes. */
function captionFiles(
  figure: Figure,
  layout: FigureLayout,
  svg: string,
  font: OwnFont | null,
): Readonly<Record<"txt" | "tex", string>> {
  const { title, verdict = "", fidelity, caption, provenance, notes } = figure;
  const sentence = (text: string): string => (text === "" || /[.!?]$/.test(text) ? text : `${text}.`);
  const letters = withKnownLetters(svg).includes(MISSING)
    ? [`PNG and PDF have no letters for some characters and show ${MISSING} instead; the SVG file has them.`]
    : [];
  const texts = svg.replace(/<style>[^<]*<\/style>/, "").replace(/<[^>]*>|&[^;]*;/g, "");
  const fill = font === null ? [] : gapSentences(font, texts);
  const paragraphs = [
    title,
    verdict,
    caption,
    ...stretchSentences(layout),
    ...fidelity,
    provenance,
    ...notes,
    ...letters,
    ...fill,
  ]
    .map((text, index) => sentence(index === 0 ? text : capitalized(text)))
    .filter((text) => text !== "");
  return {
    txt: `${paragraphs.join("\n\n")}\n`,
    tex: `% \\usepackage{graphicx}; the picture is as wide as it should stand: \\includegraphics{NAME.pdf}\n\\caption{${paragraphs.map(texOf).join(" ")}}\n`,
  };
}

/** How much longer a unit is drawn on one axis than on the other, of maps whose axes have one unit. */
export function stretchSentences({ panels }: Pick<FigureLayout, "panels">): string[] {
  const found = panels.flatMap(({ panel, rect }) => {
    if (panel.kind !== "map" || panel.view === "space" || !hasOneUnit(panel)) return [];
    const [x, y] = [rect.width / extentOf(panel.alpha), rect.height / extentOf(panel.beta)];
    const ratio = Math.max(x / y, y / x);
    if (ratio < 1.005) return [];
    const axis = y > x ? "vertical" : "horizontal";
    return [`A unit is ${formatNumber(ratio, 3)} times as long on the ${axis} axis as on the other one.`];
  });
  return [...new Set(found)];
}

/** Characters that mean something to LaTeX, or that its fonts lack, in its words. */
const TEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "−": "$-$",
  "×": "$\\times$",
  "·": "$\\cdot$",
  "±": "$\\pm$",
  "≥": "$\\geq$",
  "≤": "$\\leq$",
  "≈": "$\\approx$",
  "∞": "$\\infty$",
  "→": "$\\to$",
  "…": "\\ldots{}",
  "“": "``",
  "”": "''",
  α: "$\\alpha$",
  β: "$\\beta$",
  γ: "$\\gamma$",
  ε: "$\\varepsilon$",
  θ: "$\\theta$",
  λ: "$\\lambda$",
  ρ: "$\\rho$",
  σ: "$\\sigma$",
};
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";

/** Returns a text as LaTeX sets it. */
export function texOf(text: string): string {
  return text
    .replace(/[\\{}$&#%_^~−×·±≥≤≈∞→…“”αβγεθλρσ]/g, (character) => TEX[character] ?? character)
    .replace(new RegExp(`[${SUPERSCRIPTS}]+`, "g"), (digits) => {
      const plain = [...digits].map((digit) => "0123456789-"[SUPERSCRIPTS.indexOf(digit)]).join("");
      return `$^{${plain}}$`;
    });
}

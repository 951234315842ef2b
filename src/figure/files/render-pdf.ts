import { currentFont, FONT_FAMILY } from "../draw/font.js";
import { fontFiles } from "./font-files.js";
import { filesOfFont } from "./own-font.js";
import { withFilledGaps, withKnownLetters } from "./render-picture.js";

/** The time that every file says it was made at: the same picture gives the same bytes. */
const FIXED_DATE = new Date(0);

/**
 * Turns an SVG document of `renderSvg` into a PDF file of one page: vectors, with the letters that are used of the
 * font embedded, the package's or the user's. The same picture gives the same bytes.
 *
 * @param pxPerInch - px of the SVG per inch: the size of the page.
 * @param title - title in the document's properties.
 * @example writeFileSync("plot.pdf", await renderPdf(svg, { pxPerInch: 108, title: "SGD" }));
 */
export async function renderPdf(
  svg: string,
  { pxPerInch, title }: { readonly pxPerInch: number; readonly title: string },
): Promise<Uint8Array> {
  const own = currentFont();
  // Its style sheet holds the font for browsers; here the font comes from the package's file.
  const known = withRimsBelow(withKnownLetters(svg).replace(/<style>[^<]*<\/style>\n?/, ""));
  const drawn = own === null ? known : withFilledGaps(known, own);
  // Loaded when a PDF is written: bundled programs that write none need none of pdfkit's files.
  const [{ default: PDFDocument }, { default: svgToPdf }] = await Promise.all([
    import("pdfkit"),
    import("svg-to-pdfkit"),
  ]);
  const [, width = "0", height = "0"] = /^<svg[^>]*? width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  const size: [number, number] = [(Number(width) / pxPerInch) * 72, (Number(height) / pxPerInch) * 72];
  const [regular, semibold] = fontFiles();
  const document = new PDFDocument({
    size,
    margin: 0,
    info: { Title: title, Creator: "tfjs-landscape", Producer: "tfjs-landscape", CreationDate: FIXED_DATE },
    font: own === null ? (regular as string) : filesOfFont(own).regular.path,
  });
  document.registerFont("regular", regular as string);
  document.registerFont("semibold", semibold as string);
  if (own !== null) {
    const files = filesOfFont(own);
    document.registerFont("own regular", files.regular.path);
    document.registerFont("own semibold", files.semibold.path);
  }
  const parts: Uint8Array[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    document.on("data", (part: Uint8Array) => parts.push(part));
    document.on("end", () => resolve());
    document.on("error", reject);
  });
  document.scale(72 / pxPerInch);
  svgToPdf(document, drawn, 0, 0, {
    assumePt: true,
    fontCallback: (family: string, isBold: boolean) =>
      `${own === null || family === FONT_FAMILY ? "" : "own "}${isBold ? "semibold" : "regular"}`,
  });
  document.end();
  await ended;
  return Buffer.concat(parts);
}

/** The converter paints rims of letters over them, whatever their order: each such text becomes a rim and a text. */
function withRimsBelow(svg: string): string {
  return svg.replace(/<text\b[^>]*>[^<]*<\/text>/g, (text) => {
    if (!/paint-order="stroke"/.test(text)) return text;
    return `${text}${text.replace(/ (paint-order|stroke|stroke-width)="[^"]*"/g, "")}`;
  });
}

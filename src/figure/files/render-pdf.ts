import { fontFiles } from "./font-files.js";
import { withKnownLetters } from "./render-picture.js";

/** The time that every file says it was made at: the same picture gives the same bytes. */
const FIXED_DATE = new Date(0);

/**
 * Turns an SVG document of `renderSvg` into a PDF file of one page: vectors, with the letters that are used of the
 * package's font embedded. The same picture gives the same bytes.
 *
 * @param pxPerInch - px of the SVG per inch: the size of the page.
 * @param title - title in the document's properties.
 * @example writeFileSync("plot.pdf", await renderPdf(svg, { pxPerInch: 108, title: "SGD" }));
 */
export async function renderPdf(
  svg: string,
  { pxPerInch, title }: { readonly pxPerInch: number; readonly title: string },
): Promise<Uint8Array> {
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
    font: regular as string,
  });
  document.registerFont("regular", regular as string);
  document.registerFont("semibold", semibold as string);
  const parts: Uint8Array[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    document.on("data", (part: Uint8Array) => parts.push(part));
    document.on("end", () => resolve());
    document.on("error", reject);
  });
  // Its style sheet holds the font for browsers; here the font comes from the package's file.
  const drawn = withRimsBelow(withKnownLetters(svg).replace(/<style>[^<]*<\/style>\n?/, ""));
  document.scale(72 / pxPerInch);
  svgToPdf(document, drawn, 0, 0, {
    assumePt: true,
    fontCallback: (_family: string, isBold: boolean) => (isBold ? "semibold" : "regular"),
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

/**
 * Draws figures side by side on one sheet, each in light, dark and paper style: what to look through after a change
 * of how pictures look. scripts/gallery.mjs makes docs/images/sheet.png by it.
 */

import { renderPng } from "../dist/src/figure/files/render-picture.js";
import { styledPicture } from "../dist/src/figure/files/styled-picture.js";

/** Pictures without their sentences: a cell is to show the picture, at a size at which its letters can be read. */
const ALONE = { hide: ["title", "verdict", "caption", "curves"] };
const STYLES = [
  { name: "light", style: { ...ALONE, width: "560px" } },
  { name: "dark", style: { ...ALONE, width: "560px", theme: "dark" } },
  { name: "paper", style: { style: "paper" } },
];
/** Sizes in px of the sheet: a picture's greatest width and height, gaps, and lines of text. */
const CELL = 520;
const TALLEST = 760;
const GAP = 16;
const LINE = 26;

/** Width and height of a PNG file in pixels, from its header. */
function sizeOf(png) {
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** A picture as large as its cell allows. */
function fitted(png) {
  const { width, height } = sizeOf(png);
  const scale = Math.min(CELL / width, TALLEST / height);
  return { png, width: width * scale, height: height * scale };
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/**
 * Returns a PNG file of the sheet: a row for each figure, a column for each style.
 *
 * @param figures - `{ name, figure }`, each drawn in every style.
 */
export function contactSheet(figures) {
  const width = STYLES.length * (CELL + GAP) + GAP;
  const parts = [];
  const text = (x, y, words, size, weight) =>
    parts.push(
      `<text x="${x}" y="${y}" font-family="Landscape Sans" font-size="${size}" font-weight="${weight}" fill="#1c2024">${escaped(words)}</text>`,
    );
  let y = GAP;
  for (const { name, figure } of figures) {
    const pictures = STYLES.map(({ style }) => fitted(styledPicture(figure, style, 1.5).png()));
    const height = Math.max(...pictures.map((picture) => picture.height));
    text(GAP, y + 18, name, 18, 600);
    y += LINE + 4;
    for (const [i, picture] of pictures.entries()) {
      // In the middle of its cell: what is narrower or lower than the others stands beside them, not above.
      const x = GAP + i * (CELL + GAP) + (CELL - picture.width) / 2;
      const top = y + (height - picture.height) / 2;
      const place = `x="${x}" y="${top}" width="${picture.width}" height="${picture.height}"`;
      const href = `data:image/png;base64,${Buffer.from(picture.png).toString("base64")}`;
      parts.push(`<image ${place} href="${href}"/>`, `<rect ${place} fill="none" stroke="#c9ced4"/>`);
      text(GAP + i * (CELL + GAP), y + height + 18, STYLES[i].name, 13, 400);
    }
    y += height + LINE + GAP;
  }
  const size = `width="${width}" height="${Math.ceil(y)}" viewBox="0 0 ${width} ${Math.ceil(y)}"`;
  const ground = '<rect width="100%" height="100%" fill="#f2f4f6"/>';
  return renderPng(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${ground}${parts.join("")}</svg>`, {
    scale: 1,
  });
}

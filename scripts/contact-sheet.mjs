/**
 * Draws figures side by side on one sheet, each in light, dark and paper style: what to look through after a change
 * of how pictures look. scripts/gallery.mjs makes docs/images/sheet.png by it.
 */

import { renderPng } from "../dist/src/figure/files/render-picture.js";
import { styledPicture } from "../dist/src/figure/files/styled-picture.js";

const STYLES = [
  { name: "light", style: {} },
  { name: "dark", style: { theme: "dark" } },
  { name: "paper", style: { style: "paper" } },
];
/** Sizes in px of the sheet: a picture's width and greatest height, gaps, and lines of text. */
const CELL = 340;
const TALLEST = 420;
const GAP = 14;
const LINE = 24;
/** Figures beside each other. */
const ACROSS = 2;

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
 * Returns a PNG file of the sheet.
 *
 * @param figures - `{ name, figure }`, each drawn in every style; two stand side by side in a row.
 */
export function contactSheet(figures) {
  const cells = figures.map(({ name, figure }) => ({
    name,
    pictures: STYLES.map(({ style }) => fitted(styledPicture(figure, style, 1.5).png())),
  }));
  const group = STYLES.length * (CELL + GAP) + GAP;
  const width = ACROSS * group + GAP;
  const parts = [];
  const text = (x, y, words, size, weight) =>
    parts.push(
      `<text x="${x}" y="${y}" font-family="Landscape Sans" font-size="${size}" font-weight="${weight}" fill="#1c2024">${escaped(words)}</text>`,
    );
  let y = GAP + 8;
  for (let k = 0; k < ACROSS; k++) {
    for (const [i, { name }] of STYLES.entries())
      text(GAP + k * group + i * (CELL + GAP), y + 12, name, 15, 400);
  }
  y += LINE;
  for (let first = 0; first < cells.length; first += ACROSS) {
    const row = cells.slice(first, first + ACROSS);
    for (const [k, { name }] of row.entries()) text(GAP + k * group, y + 16, name, 17, 600);
    y += LINE + 4;
    for (const [k, { pictures }] of row.entries()) {
      for (const [i, { png, width: w, height: h }] of pictures.entries()) {
        const x = GAP + k * group + i * (CELL + GAP);
        const href = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
        parts.push(
          `<image x="${x}" y="${y}" width="${w}" height="${h}" href="${href}"/>`,
          `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="#c9ced4"/>`,
        );
      }
    }
    y += Math.max(...row.flatMap(({ pictures }) => pictures.map(({ height }) => height))) + 2 * GAP;
  }
  const size = `width="${width}" height="${Math.ceil(y)}" viewBox="0 0 ${width} ${Math.ceil(y)}"`;
  const ground = '<rect width="100%" height="100%" fill="#f2f4f6"/>';
  return renderPng(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${ground}${parts.join("")}</svg>`, {
    scale: 1,
  });
}

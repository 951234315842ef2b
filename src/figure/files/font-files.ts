import { readFileSync } from "node:fs";
import { packageFile } from "../../base/package-files.js";
import { advanceWidths, FONT_FAMILY } from "../draw/placed-text.js";

/** Characters of the Latin cut, as ranges of code points (those of assets/fonts/*-latin.woff2). */
const LATIN: readonly (readonly [number, number])[] = [
  [0x20, 0x7e],
  [0xa0, 0xff],
  [0x391, 0x3a1],
  [0x3a3, 0x3a9],
  [0x3b1, 0x3c9],
  [0x2010, 0x2014],
  [0x2016, 0x2016],
  [0x2018, 0x201a],
  [0x201c, 0x201e],
  [0x2020, 0x2022],
  [0x2026, 0x2026],
  [0x2032, 0x2033],
  [0x2039, 0x203a],
  [0x2070, 0x2071],
  [0x2074, 0x208e],
  [0x2090, 0x209c],
  [0x20ac, 0x20ac],
  [0x2190, 0x2193],
  [0x2212, 0x2212],
  [0x221a, 0x221a],
  [0x221e, 0x221e],
  [0x2248, 0x2248],
  [0x2260, 0x2260],
  [0x2264, 0x2265],
];

const HINT = "install the package again";
const faces = new Map<string, string>();

/** Paths of the font files for rendering PNG: regular and semibold. */
export function fontFiles(): string[] {
  return ["regular", "semibold"].map((weight) =>
    packageFile(`assets/fonts/landscape-sans-${weight}.otf`, HINT),
  );
}

/**
 * Returns the CSS that carries the font inside a document: the Latin cut (40 kB), or the whole font
 * (115 kB) where the text has other characters that it knows.
 */
export function fontFaceCss(text: string): string {
  const cut = needsWholeFont(text) ? "" : "-latin";
  return `${face("regular", 400, cut)}${face("semibold", 600, cut)}`;
}

function needsWholeFont(text: string): boolean {
  const known = advanceWidths("regular");
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (known.has(code) && !LATIN.some(([first, last]) => code >= first && code <= last)) return true;
  }
  return false;
}

function face(weight: string, cssWeight: number, cut: string): string {
  const name = `landscape-sans-${weight}${cut}.woff2`;
  const known = faces.get(name);
  if (known !== undefined) return known;
  const data = readFileSync(packageFile(`assets/fonts/${name}`, HINT)).toString("base64");
  const css = `@font-face{font-family:"${FONT_FAMILY}";font-weight:${cssWeight};src:url(data:font/woff2;base64,${data}) format("woff2")}`;
  faces.set(name, css);
  return css;
}

import { readFileSync } from "node:fs";
import { packageFile } from "../../base/package-files.js";
import {
  currentFont,
  FONT_FAMILY,
  type FontWeight,
  lackingIn,
  type OwnFont,
  packagedWidths,
} from "../draw/font.js";
import { type FontFile, filesOfFont } from "./own-font.js";

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

/** Paths of the package's font files for rendering PNG and PDF: regular and semibold. */
export function fontFiles(): string[] {
  return ["regular", "semibold"].map((weight) =>
    packageFile(`assets/fonts/landscape-sans-${weight}.otf`, HINT),
  );
}

/**
 * Returns the CSS that carries the font inside a document: the Latin cut (40 kB), or the whole font
 * (115 kB) where the text has other characters that it knows. A font of the user's stands there whole, and the
 * package's beside it where the text has characters that the user's lacks.
 */
export function fontFaceCss(text: string): string {
  const own = currentFont();
  if (own !== null && lackingIn(own, text).length === 0) return ownFaces(own);
  const cut = needsWholeFont(text) ? "" : "-latin";
  const packaged = `${face("regular", 400, cut)}${face("semibold", 600, cut)}`;
  return own === null ? packaged : `${ownFaces(own)}${packaged}`;
}

/** What a page's script writes into its pictures and that its text need not have: numbers, and names cut short. */
const DRAWN_ON_PAGES = "−×…⁻⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Returns the CSS of {@link fontFaceCss} for a page, whose script draws pictures. */
export function pageFontCss(text: string): string {
  return fontFaceCss(currentFont() === null ? text : `${text}${DRAWN_ON_PAGES}`);
}

const ownCss = new WeakMap<OwnFont, string>();

/** The CSS of a user's font: a movie has it in each of its frames. */
function ownFaces(font: OwnFont): string {
  const css = ownCss.get(font) ?? ownFacesOf(font);
  ownCss.set(font, css);
  return css;
}

/** One file for all weights, so that no program thickens it, or one for each. */
function ownFacesOf(font: OwnFont): string {
  const { regular, semibold } = filesOfFont(font);
  const faceOf = (file: FontFile, weights: string): string => {
    const data = readFileSync(file.path).toString("base64");
    const type = file.format === "opentype" ? "otf" : "ttf";
    return `@font-face{font-family:"${font.family}";font-weight:${weights};src:url(data:font/${type};base64,${data}) format("${file.format}")}`;
  };
  if (regular.path === semibold.path) return faceOf(regular, "1 1000");
  return `${faceOf(regular, "400")}${faceOf(semibold, "600")}`;
}

/** Says which characters of a text come from the package's font, since the user's lacks them. */
export function gapSentences(font: OwnFont, text: string): string[] {
  const known = packagedWidths("regular");
  const found = lackingIn(font, text).filter((character) => known.has(character.codePointAt(0) as number));
  if (found.length === 0) return [];
  return [`Characters that ${font.family} lacks are in ${FONT_FAMILY}: ${found.join(" ")}`];
}

/** The files that renderers of pixels and PDF load, and how a style of ours names a font in them. */
export interface LoadedFonts {
  readonly paths: readonly string[];
  /** Family of texts whose letters are nowhere else. */
  readonly fallback: string;
  /** Family and weight of each weight of text. */
  readonly named: Readonly<Record<FontWeight, Pick<FontFile, "family" | "weight">>>;
}

/** Returns what renderers load for the font that is drawn with. */
export function loadedFonts(): LoadedFonts {
  const packaged = fontFiles();
  const own = currentFont();
  if (own !== null) {
    const named = filesOfFont(own);
    const paths = [...new Set([named.regular.path, named.semibold.path]), ...packaged];
    return { paths, fallback: named.regular.family, named };
  }
  const of = (weight: number) => ({ family: FONT_FAMILY, weight });
  return { paths: packaged, fallback: FONT_FAMILY, named: { regular: of(400), semibold: of(600) } };
}

function needsWholeFont(text: string): boolean {
  const known = packagedWidths("regular");
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

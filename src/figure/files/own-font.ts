import { readFileSync, statSync } from "node:fs";
import { InvalidOptionError, LandscapeError, MissingDependencyError } from "../../base/errors.js";
import { requireOfPackage } from "../../base/package-files.js";
import { encodeWidths, type FontWeight, type OwnFont } from "../draw/font.js";

/** Where the letters of a font come from. */
export interface FontSource {
  /** Path of a TrueType or OpenType file. */
  readonly font?: string | undefined;
  /** File of the semibold letters of titles and ends. Default `font`. */
  readonly fontBold?: string | undefined;
}

/** The file of one weight of a user's font. */
export interface FontFile {
  readonly path: string;
  /** Family name and weight (400 is regular) inside the file, by which renderers find it. */
  readonly family: string;
  readonly weight: number;
  /** Kind of the file, as style sheets name it. */
  readonly format: "truetype" | "opentype";
}

/** Characters that a font must have: the rest comes from the package's font. */
const NEEDED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,";

/** The part of fontkit that is used: it brings no types. */
interface OpenedFont {
  readonly type: "TTF" | "WOFF" | "WOFF2" | "TTC" | "DFont";
  readonly familyName: string | null;
  readonly unitsPerEm: number;
  readonly characterSet: readonly number[];
  readonly "OS/2"?: { readonly usWeightClass: number };
  readonly hhea: { readonly numberOfMetrics: number };
  readonly hmtx: { readonly metrics: { get(glyph: number): { readonly advance: number } } };
  readonly directory: { readonly tables: Readonly<Record<string, object>> };
  getName(name: string): string | null;
  glyphForCodePoint(codePoint: number): { readonly id: number };
}

const files = new WeakMap<OwnFont, Readonly<Record<FontWeight, FontFile>>>();
const opened = new Map<string, OwnFont>();

/**
 * Reads a font of the user's: its widths, and what renderers need. A file that has not changed is read once.
 *
 * @param nameOf - names the options in messages.
 * @throws {@link InvalidOptionError} if a file cannot be read, is no TrueType or OpenType font of one weight, or lacks
 * Latin letters or digits.
 * @example const font = readOwnFont({ font: "fonts/CharisSIL-Regular.ttf" });
 */
export function readOwnFont(
  { font, fontBold = font }: FontSource & { readonly font: string },
  nameOf: (option: keyof FontSource) => string = (option) => option,
): OwnFont {
  const key = [font, fontBold].map((path) => `${path}|${stampOf(path)}`).join("|");
  const known = opened.get(key);
  if (known !== undefined) return known;
  const regular = readFace(font, nameOf("font"));
  const semibold = fontBold === font ? regular : readFace(fontBold, nameOf("fontBold"));
  if (semibold !== regular && !areToldApart(regular.file, semibold.file)) {
    const [one, other] = [regular, semibold].map(({ file }) => `"${file.family}" of weight ${file.weight}`);
    throw new InvalidOptionError(
      nameOf("fontBold"),
      `a file that calls itself bolder than that of font, ${one}, or by another family`,
      `${JSON.stringify(fontBold)}, ${other}`,
    );
  }
  const made: OwnFont = {
    family: regular.file.family.replace(/[^\p{L}\p{N} -]/gu, "").trim() || "Own font",
    widths: { regular: regular.widths, semibold: semibold.widths },
    unitsPerEm: { regular: regular.unitsPerEm, semibold: semibold.unitsPerEm },
  };
  files.set(made, { regular: regular.file, semibold: semibold.file });
  opened.set(key, made);
  return made;
}

/**
 * The font that options ask for; null is the package's.
 *
 * @throws {@link InvalidOptionError} for bold letters without others.
 */
export function fontOf({ font, fontBold }: FontSource): OwnFont | null {
  if (font !== undefined) return readOwnFont({ font, fontBold });
  if (fontBold === undefined) return null;
  throw new InvalidOptionError("fontBold", "a file beside that of font", JSON.stringify(fontBold));
}

/** The files of a font that {@link readOwnFont} has read. */
export function filesOfFont(font: OwnFont): Readonly<Record<FontWeight, FontFile>> {
  return files.get(font) as Readonly<Record<FontWeight, FontFile>>;
}

/** What changes with a file; empty where it cannot be looked at, and reading it says why. */
function stampOf(path: string): string {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs}:${size}`;
  } catch {
    return "";
  }
}

function readFace(
  path: string,
  where: string,
): { readonly file: FontFile; readonly widths: string; readonly unitsPerEm: number } {
  const refuse = (expected: string, got: string, cause?: unknown): never => {
    throw new InvalidOptionError(where, expected, got, cause === undefined ? {} : { cause });
  };
  const FILE = "a TrueType or OpenType font file (.ttf, .otf)";
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    return refuse(FILE, `${JSON.stringify(path)}, which cannot be read (${codeOf(cause)})`, cause);
  }
  const { create } = load((require) => require("fontkit")) as { create(bytes: Uint8Array): OpenedFont };
  let font: OpenedFont;
  try {
    font = create(bytes);
  } catch (cause) {
    return refuse(FILE, `${JSON.stringify(path)}, which is no font`, cause);
  }
  if (font.type === "TTC" || font.type === "DFont")
    return refuse("a file with one font", `${JSON.stringify(path)}, a collection: take one font out of it`);
  if (font.type !== "TTF")
    return refuse(FILE, `${JSON.stringify(path)}, a ${font.type} file: give the file that it was made of`);
  try {
    if ("fvar" in font.directory.tables)
      return refuse(
        "a font of one weight",
        `${JSON.stringify(path)}, a variable font: give one of its static fonts`,
      );
    const last = font.hhea.numberOfMetrics - 1;
    const characters = [...font.characterSet].sort((a, b) => a - b);
    const widths = characters.map((code): [number, number] => {
      const { advance } = font.hmtx.metrics.get(Math.min(font.glyphForCodePoint(code).id, last));
      return [code, advance];
    });
    const drawn = new Set(widths.flatMap(([code, width]) => (width > 0 ? [String.fromCodePoint(code)] : [])));
    const lacking = [...NEEDED].filter((character) => !drawn.has(character));
    if (lacking.length > 0)
      return refuse(
        "a font with Latin letters, digits, point and comma",
        `${JSON.stringify(path)}, which lacks ${lacking.length === NEEDED.length ? "all of them" : lacking.join(" ")}`,
      );
    const family = font.getName("preferredFamily") ?? font.familyName ?? "";
    const weight = font["OS/2"]?.usWeightClass ?? 400;
    const format = "CFF " in font.directory.tables ? "opentype" : "truetype";
    const file: FontFile = { path, family, weight, format };
    if (!isDrawn(file))
      return refuse("a font that can be drawn", `${JSON.stringify(path)}, whose letters are empty`);
    return { file, widths: encodeWidths(widths), unitsPerEm: font.unitsPerEm };
  } catch (cause) {
    if (cause instanceof LandscapeError) throw cause;
    return refuse(FILE, `${JSON.stringify(path)}, a damaged font`, cause);
  }
}

/**
 * Returns a style by which the renderer of PNG finds a file: by the family and the weight inside it. It knows whole
 * hundreds as weights, and takes the nearest.
 */
export function styleOfFile({ family, weight }: Pick<FontFile, "family" | "weight">): string {
  const hundreds = Math.min(9, Math.max(1, Math.round(weight / 100)));
  return `font-family:'${family.replace(/['"<>&;\\]/g, "")}';font-weight:${100 * hundreds}`;
}

/** Whether the renderer of PNG finds the font and its letters leave marks. */
function isDrawn(file: FontFile): boolean {
  return drawnSample(file, [file.path], file.family).some((value) => value > 0);
}

/** Whether the renderer of PNG draws both files' letters where both are loaded: it goes by what they call themselves. */
function areToldApart(regular: FontFile, semibold: FontFile): boolean {
  const both = [regular.path, semibold.path];
  return [regular, semibold].every((file) => {
    const alone = drawnSample(file, [file.path], file.family);
    return Buffer.compare(drawnSample(file, both, regular.family), alone) === 0;
  });
}

/** The pixels of some letters of a file, where these files are loaded. */
function drawnSample(file: FontFile, fontFiles: string[], defaultFontFamily: string): Buffer {
  const { Resvg } = load((require) => require("@resvg/resvg-js")) as typeof import("@resvg/resvg-js");
  const text = `<text x="4" y="30" style="font-size:24px;${styleOfFile(file)}">Ag0</text>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40">${text}</svg>`;
  return new Resvg(svg, { font: { loadSystemFonts: false, fontFiles, defaultFontFamily } }).render().pixels;
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

/** What reads and draws fonts is loaded when somebody brings one: it takes a quarter of a second. */
function load(one: (require: NodeJS.Require) => unknown): unknown {
  const require = requireOfPackage();
  try {
    return one(require);
  } catch (cause) {
    const got = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    const hint = "install tfjs-landscape where the program runs";
    throw new MissingDependencyError("a font of one's own", "the packages that read it", got, {
      hint,
      cause,
    });
  }
}

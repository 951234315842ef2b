import { textWidth } from "./text-width.js";

/** Returns the width of text in a CSS font such as "600 12px Landscape Sans, sans-serif", for ECharts. */
export function measureText(text: string, font?: string): { width: number } {
  const size = Number(/([\d.]+)px/.exec(font ?? "")?.[1] ?? 12);
  const isBold = /(^|\s)(bold|[6-9]00)\s/.test(font ?? "");
  return { width: textWidth(text ?? "", size, isBold ? "semibold" : "regular") };
}

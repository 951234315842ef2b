const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Returns an integer in superscript digits: an exponent, or the number of a note. */
export function formatSuperscript(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return exponent < 0 ? `⁻${digits}` : digits;
}

/** Puts a true minus sign in front of negative numbers. */
function withMinus(text: string): string {
  return text.replace(/^-/, "−");
}

/**
 * Formats a number for a reader: `digits` significant ones, powers of ten below 1e-4 and from 1e6 on.
 *
 * @param value - Any number; non-finite ones give "NaN", "∞" or "−∞".
 * @param digits - Significant digits; default 4.
 * @example formatNumber(0.00001234) // "1.234 × 10⁻⁵"
 */
export function formatNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(digits));
  const magnitude = Math.abs(rounded);
  if (magnitude >= 1e-4 && magnitude < 1e6) return withMinus(String(rounded));
  const [mantissa = "1", exponent = "0"] = rounded.toExponential().split("e");
  const power = `10${formatSuperscript(Number(exponent))}`;
  return withMinus(mantissa === "1" ? power : mantissa === "-1" ? `-${power}` : `${mantissa} × ${power}`);
}

/** Formats a share in [0, 1] as a percentage of three significant digits, never rounding to 100 or 0 what is not. */
export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) return "unknown";
  const percent = share * 100;
  if (percent > 99.9 && percent < 100) return "> 99.9 %";
  if (percent > 0 && percent < 0.01) return "< 0.01 %";
  return `${Number(percent.toPrecision(3))} %`;
}

/** Formats a count with thousands separated by commas. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * Formats the levels of a scale alike: if one needs a power of ten, every power of ten is written so. Levels that lie close
 * together get as many digits as tell them apart, without moving one by more than a tenth of the way to the next.
 */
export function formatLevels(levels: readonly number[]): string[] {
  const digits = digitsApart(levels);
  const labels = levels.map((level) => formatNumber(level, digits));
  if (!labels.some((label) => label.includes("10⁻") || /10[⁰¹²³⁴-⁹]/.test(label))) return labels;
  return levels.map((level, index) => {
    const exponent = Math.log10(level);
    const isPower = level > 0 && Number(`1e${Math.round(exponent)}`) === level;
    return isPower ? `10${formatSuperscript(Math.round(exponent))}` : (labels[index] as string);
  });
}

/** Significant digits, `least` or more, that tell levels apart: each by its own distance to its neighbours. */
export function digitsApart(levels: readonly number[], least = 4): number {
  const sorted = [...new Set(levels.filter(Number.isFinite))].sort((a, b) => a - b);
  const most = 12;
  for (let digits = least; digits < most; digits++) {
    const isNear = (level: number, i: number): boolean => {
      const below = level - (sorted[i - 1] ?? Number.NEGATIVE_INFINITY);
      const above = (sorted[i + 1] ?? Number.POSITIVE_INFINITY) - level;
      return Math.abs(Number(level.toPrecision(digits)) - level) <= Math.min(below, above) / 10;
    };
    if (sorted.every(isNear)) return digits;
  }
  return most;
}

/** Returns a count with its noun: "1 snapshot", "3 snapshots". */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Joins sentences; empty ones are left out. */
export function joinSentences(sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== "").join(" ");
}

/** Returns a text with a capital letter. */
export function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

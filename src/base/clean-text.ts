/** C0 and C1 controls, and controls of writing direction that could reorder a label. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu;
const LONE_SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const NONCHARACTERS = /[\ufffe\uffff]/g;

/**
 * Makes a text fit for one line of a terminal: control characters, which could move the cursor, recolour the
 * screen or reach the clipboard, become spaces. Names in files come from anywhere.
 */
export function terminalText(text: string): string {
  return text.replace(CONTROLS, " ");
}

/**
 * Makes a text from a file or a user fit for one line of a picture: control characters, line breaks and
 * direction overrides become one space, halves of surrogate pairs the replacement character.
 *
 * Without it a name with a control character gives an SVG that no XML parser opens.
 */
export function cleanText(text: string): string {
  return text
    .replace(CONTROLS, " ")
    .replace(LONE_SURROGATES, "\ufffd")
    .replace(NONCHARACTERS, "\ufffd")
    .trim();
}

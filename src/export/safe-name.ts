/** Letters, digits, "_" and "-" of any text, and dots that are neither first nor doubled. */
function plain(text: string): string {
  return text
    .replace(/[^\w.-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[.-]+/, "")
    .slice(0, 80);
}

/** Names that Windows keeps for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * Returns a function that makes file names out of any texts: no separators, no leading dot, nothing that
 * leaves the folder, and none twice, whatever the case of letters.
 */
export function createFileNamer(): (text: string) => string {
  const taken = new Set<string>();
  return (text) => {
    const known = plain(text);
    const base = known === "" || RESERVED.test(known) ? `_${known}` : known;
    let name = base;
    for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${base}-${i}`;
    taken.add(name.toLowerCase());
    return name;
  };
}

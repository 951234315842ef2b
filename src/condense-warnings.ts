import type { LandscapeWarning } from "./warning.js";

/**
 * Returns one warning of each code, the first, with the number of others like it: many lines or planes give the
 * same warning with other numbers, which stay on the results themselves.
 */
export function condenseWarnings(warnings: readonly LandscapeWarning[]): LandscapeWarning[] {
  const codes = [...new Set(warnings.map(({ code }) => code))];
  return codes.map((code) => {
    const messages = [...new Set(warnings.filter((one) => one.code === code).map(({ message }) => message))];
    const [first = ""] = messages;
    const others = messages.length - 1;
    return { code, message: others === 0 ? first : `${first} (and ${others} more of this kind)` };
  });
}

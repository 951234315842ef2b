/**
 * Something the caller should know that does not stop the work.
 *
 * Warnings travel as data on results; only the command line prints them.
 */
export interface LandscapeWarning {
  /** Stable identifier in kebab-case, to test and filter by. */
  readonly code: string;
  /** One sentence for a person: where, what, and what follows from it. */
  readonly message: string;
}

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

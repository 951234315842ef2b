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

/** A warning among those of several networks. */
export interface NamedWarning extends LandscapeWarning {
  /** The run or the network that it concerns; none where it concerns all, or there is only one. */
  readonly of?: string | undefined;
}

/** Returns warnings with the run or the network that they concern; undefined where there is only one. */
export function namedWarnings(
  name: string | undefined,
  warnings: readonly LandscapeWarning[],
): NamedWarning[] {
  return warnings.map((warning) => ({ ...warning, of: name }));
}

/** Names that a condensed warning lists. */
const MOST_NAMES = 7;

/**
 * Returns one warning of each code, the first, with the number of others like it and the names of all that they concern:
 * many lines or planes give the same warning with other numbers, which stay on the results themselves.
 */
export function condenseWarnings(warnings: readonly NamedWarning[]): LandscapeWarning[] {
  const codes = [...new Set(warnings.map(({ code }) => code))];
  return codes.map((code) => {
    const alike = warnings.filter((one) => one.code === code);
    const messages = [...new Set(alike.map(({ message }) => message))];
    const names = [...new Set(alike.flatMap(({ of }) => (of === undefined ? [] : [`"${of}"`])))];
    const [first = ""] = messages;
    const others = messages.length - 1;
    const facts = [
      ...(others === 0 ? [] : [`and ${others} more of this kind`]),
      ...(names.length === 0 ? [] : [`in ${listed(names)}`]),
    ];
    return { code, message: facts.length === 0 ? first : `${first} (${facts.join(", ")})` };
  });
}

function listed(names: readonly string[]): string {
  if (names.length > MOST_NAMES)
    return `${names.slice(0, MOST_NAMES).join(", ")} and ${names.length - MOST_NAMES} more`;
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

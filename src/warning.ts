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

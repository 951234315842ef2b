/** Joins compiled modules of `from` into few files below `to`, by the entries that need them. */
export declare function joinModules(
  from: string,
  to: string,
  roots?: Readonly<Record<string, string>>,
): Promise<{ readonly modules: number; readonly files: readonly string[] }>;

/** An object without its undefined entries, as exact optional properties ask for. */
export type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Returns the entries of `options` that are not undefined. */
export function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}

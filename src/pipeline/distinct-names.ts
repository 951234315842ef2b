/**
 * Returns names in which equal ones are told apart by a number: "SGD", "SGD" become "SGD (1)", "SGD (2)".
 *
 * A number that would give a name that is there already is passed over.
 */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const counts = new Map<string, number>();
  return names.map((name) => {
    if (names.indexOf(name) === names.lastIndexOf(name)) return name;
    let count = counts.get(name) ?? 0;
    let numbered: string;
    do {
      count++;
      numbered = `${name} (${count})`;
    } while (taken.has(numbered));
    taken.add(numbered);
    counts.set(name, count);
    return numbered;
  });
}

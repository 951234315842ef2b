/**
 * Returns commander's message as one line in the words of this package's own errors,
 * "<where>: expected <expected>, got <got>", where it says those; suggestions are kept.
 */
export function usageMessage(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ");
  return FORMS.reduce((said, [form, ours]) => said.replace(form, ours), line);
}

const FORMS: readonly (readonly [RegExp, string])[] = [
  [
    /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s,
    '$1: expected one of $3, got "$2"',
  ],
  // A parser of ours has said it all.
  [/^(?:option|command-argument value) '.*?' (?:argument '.*' )?is invalid\. (\S+: expected .*?)\.?$/s, "$1"],
  [/^option '(?:-\w, )?(--[\w-]+)[^']*' argument missing$/, "$1: expected a value, got none"],
  [/^required option '(?:-\w, )?(--[\w-]+) ?([^']*)' not specified$/, "$1: expected $2, got none"],
  [/^missing required argument '(.*)'$/, "<$1>: expected a value, got none"],
];

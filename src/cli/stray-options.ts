import kebabCase from "lodash/kebabCase.js";
import { InvalidOptionError } from "../errors.js";

/**
 * Refuses options that would be without effect.
 *
 * @param names - the options that have none here.
 * @param wants - what they would need, e.g. "--plane random".
 * @param has - what is there instead.
 * @throws {@link InvalidOptionError} naming the first that is given.
 */
export function refuseStray<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
  wants: string,
  has: string,
  hint?: string,
): void {
  const stray = names.find((name) => options[name] !== undefined);
  if (stray === undefined) return;
  throw new InvalidOptionError(`--${kebabCase(stray)}`, wants, has, hint === undefined ? {} : { hint });
}

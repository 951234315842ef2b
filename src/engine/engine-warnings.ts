import type { LandscapeWarning } from "../warning.js";

/** Says that an engine is not used, and why. */
export function passedOver(engine: string, reason: string): LandscapeWarning {
  return {
    code: "engine-passed-over",
    message: `losses are not computed by ${engine} (${reason}), but more slowly`,
  };
}

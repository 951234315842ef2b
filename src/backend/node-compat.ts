import util from "node:util";

/** The part of `node:util` that Node 23 removed and tfjs-node 4.22 still calls at its first op. */
interface OldUtil {
  isNullOrUndefined?: (value: unknown) => boolean;
}

/**
 * Puts `util.isNullOrUndefined` back where Node no longer has it (23 and later).
 *
 * tfjs-node looks it up at each call, so any time before its first op is early enough. Does nothing where
 * the function exists.
 */
export function restoreRemovedNodeUtil(target: OldUtil = util as OldUtil): void {
  if (typeof target.isNullOrUndefined === "function") return;
  target.isNullOrUndefined = (value) => value === null || value === undefined;
}

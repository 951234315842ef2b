// What npm runs after `npm ci` and before the first `npx tfjs-landscape` in a checkout: a build that is up to date is
// left alone, since tests and other programs may be using it.
import { ensureBuilt } from "./prepare-checkout.mjs";

ensureBuilt();

import fc from "fast-check";
import { createUniform } from "../../src/math/random.js";

/**
 * TF.js draws initial weights, dropout and shuffles from `Math.random` where no seed is given. Here it is seeded
 * anew for every test file, so that a test which fails fails again. Properties are tried on the same examples each time; FAST_CHECK_SEED tries others.
 */
Math.random = createUniform(2018, "tests");
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 2018) });

import { createUniform } from "../../src/math/random.js";

/**
 * TF.js draws initial weights, dropout and shuffles from `Math.random` where no seed is given. Here it is seeded
 * anew for every test file, so that a test which fails fails again.
 */
Math.random = createUniform(2018, "tests");

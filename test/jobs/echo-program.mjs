// A program that gives back what it is asked.

/** Opens it: called by the worker process. */
export async function openProgram() {
  return { facts: null, operations: { echo: (/** @type {unknown} */ input) => input } };
}

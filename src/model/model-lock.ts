/** The last task of each model, settled or not. */
const tails = new WeakMap<object, Promise<unknown>>();

/**
 * Runs tasks that move a model's weights one after another, in the order of the calls, whichever
 * evaluator they belong to.
 */
export function withModel<T>(model: object, task: () => Promise<T>): Promise<T> {
  const before = tails.get(model) ?? Promise.resolve();
  const result = before.then(task);
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  tails.set(model, settled);
  return result;
}

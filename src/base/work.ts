/** Work that can be stopped. */
export interface Stoppable {
  /**
   * Stops the work at its next step: a batch, a block of columns, an iteration. The promise rejects with the signal's
   * reason. Default none.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Work that can be followed and stopped. */
export interface Followed extends Stoppable {
  /** Called as the work goes on, with the steps that are done and all to do. Default none. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

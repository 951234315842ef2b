/** Returns the threads of the native backend, where the environment says how many; 0 where it does not. */
export function tensorFlowThreads(): number {
  return Number(process.env.TF_NUM_INTRAOP_THREADS ?? 0) || 0;
}
